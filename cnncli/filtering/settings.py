"""What is applied to a picture, and how."""

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cnncli.errors import KernelError, ShapeError, UsageError
from cnncli.ops import (
    Filter,
    parse_border,
    parse_pair,
    resolve_range,
    resolve_scale,
)
from cnncli.ops.kernels import NamedFilter, NamedKernel

LARGEST = 1_000_000  # of a stride, a dilation or a window, in pixels: wider than any picture
_NUMBERS = (1e-30, 1e30)  # of weights, scale and bias: their products stay within float32's range
_REACH = 4096  # pixels that a dilated kernel may span on any picture, however small


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
        UsageError, KernelError
            If a name, a size or a number is wrong.
        """
        parse_border(self.border)
        option_pair(self.stride, "stride")
        option_pair(self.dilation, "dilation")
        if not math.isfinite(self.bias):
            raise UsageError(f"bias is {self.bias}; give a finite number")
        if abs(self.bias) > _NUMBERS[1]:
            raise UsageError(f"bias is {self.bias}; give a number up to {_NUMBERS[1]:g}")
        if self.op not in ("correlate", "convolve"):
            raise UsageError(f"op {self.op!r} is unknown; use correlate or convolve")
        for step in steps:
            _refuse_huge_weights(step)
        _refuse_scale(self.scale, steps[-1])
        resolve_range(self.range, steps[-1].kernel)

    def windows(self, shape: tuple[int, ...], step: Step) -> dict[str, Any]:
        """Return the keyword arguments of a correlation of pixels ``(H, W, …)`` with a filter.

        Raises
        ------
        ShapeError
            If dilation spreads the kernel far beyond the picture.
        """
        border, strides = parse_border(self.border), option_pair(self.stride, "stride")
        dilations = option_pair(self.dilation, "dilation")
        if border.mode != "valid":
            for weights, _ in step.parts():
                _refuse_far_taps(weights.shape, dilations, shape)
        # A step beyond the picture's end is the last one, however long; short ones cost less.
        steps = tuple(min(one, side) for one, side in zip(strides, shape, strict=False))
        return {"border": border, "stride": steps, "dilation": dilations}


def option_pair(value: str, name: str, least: int = 1) -> tuple[int, int]:
    """Return ``(rows, columns)`` of an option such as ``2`` or ``2x3``.

    Raises
    ------
    UsageError
        If it is not one or two whole numbers from `least` to :data:`LARGEST`.
    """
    try:
        pair = parse_pair(value, name, least)
    except ShapeError as error:
        raise UsageError(str(error)) from None
    if max(pair) > LARGEST:
        raise UsageError(f"{name} is {value!r}; give whole numbers from {least} to {LARGEST}")
    return pair


def _refuse_scale(scale: str | None, step: Step) -> None:
    try:
        divisor = abs(resolve_scale(scale, step.kernel))
    except KernelError as error:
        raise UsageError(str(error)) from None
    low, high = _NUMBERS
    if not low <= divisor <= high:
        raise UsageError(f"scale is {scale!r}; give a number from {low:g} to {high:g}")


def _refuse_huge_weights(step: Step) -> None:
    for weights, _ in step.parts():
        most = abs(weights).max(initial=0)
        if most > _NUMBERS[1]:
            raise KernelError(
                f"a weight of {step.label} has the size {most:g}; use numbers up to {_NUMBERS[1]:g}"
            )


def _refuse_far_taps(
    kernel: tuple[int, ...], dilations: tuple[int, int], shape: tuple[int, ...]
) -> None:
    """Refuse to pad a picture by many times its size, which only a slip of a digit asks for."""
    for axis, name in enumerate(("height", "width")):
        taps, side = kernel[axis], shape[axis]
        most = max(2 * side, _REACH)
        if dilations[axis] > 1 and dilations[axis] * (taps - 1) > most:
            raise ShapeError(
                f"dilation {dilations[axis]} puts the {taps} taps of the kernel over "
                f"{dilations[axis] * (taps - 1) + 1} pixels, the {name} is {side}; "
                f"use at most {max(1, most // (taps - 1))}"
            )


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
