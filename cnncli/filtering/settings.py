"""What is applied to a picture, and how."""

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cnncli.errors import UsageError
from cnncli.ops import (
    Filter,
    parse_border,
    parse_pair,
    resolve_range,
    resolve_scale,
)
from cnncli.ops.kernels import NamedFilter, NamedKernel


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One filter of a chain.

    Parameters
    ----------
    label
        What file names and messages call it.
    kernel
        An array ``(kh, kw)`` or a named filter.
    """

    label: str
    kernel: NDArray[Any] | Filter

    def parts(self) -> tuple[tuple[NDArray[Any], int], ...]:
        """Return the weights and the own scale of each kernel that the filter consists of."""
        if isinstance(self.kernel, NamedFilter):
            return tuple((each.weights, each.scale) for each in self.kernel.kernels)
        if isinstance(self.kernel, NamedKernel):
            return ((self.kernel.weights, self.kernel.scale),)
        return ((self.kernel, 1),)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the filters are applied; the fields are the options of ``cnncli convolve``."""

    op: str = "correlate"
    border: str = "reflect"
    stride: str = "1"
    dilation: str = "1"
    scale: str | None = None
    bias: float = 0.0
    range: str = "auto"

    def check(self, steps: tuple[Step, ...]) -> None:
        """Refuse what no picture could make right, before any picture is read.

        Raises
        ------
        UsageError, ShapeError, KernelError
            If a name, a size or the scale is wrong.
        """
        self.windows()
        if not math.isfinite(self.bias):
            raise UsageError(f"bias is {self.bias}; give a finite number")
        if self.op not in ("correlate", "convolve"):
            raise UsageError(f"op {self.op!r} is unknown; use correlate or convolve")
        resolve_scale(self.scale, steps[-1].kernel)
        resolve_range(self.range, steps[-1].kernel)

    def windows(self) -> dict[str, Any]:
        """Return the keyword arguments that every correlation gets."""
        return {
            "border": parse_border(self.border),
            "stride": parse_pair(self.stride, "stride"),
            "dilation": parse_pair(self.dilation, "dilation"),
        }


def chain_range(name: str, steps: tuple[Step, ...]) -> tuple[str, str]:
    """Return what ``--range auto`` means for a chain of filters, and why.

    Linear filters in a row act as one kernel whose sum is the product of their sums: if one of
    them sums to 0, so does the whole. Looking back from the end, a magnitude ends the search,
    because it leaves no signs.
    """
    mode, reason = resolve_range(name, steps[-1].kernel)
    if name != "auto" or mode == "abs":
        return mode, reason
    for step in reversed(steps):
        if isinstance(step.kernel, NamedFilter):
            break
        if resolve_range(name, step.kernel)[0] == "abs":
            return "abs", f"{step.label} sums to 0"
    return mode, reason
