"""What is applied to a picture, and how."""

import math
from typing import Any, NamedTuple

from cnncli.errors import KernelError, ShapeError, UsageError
from cnncli.ops import Border, Kernel
from cnncli.ops.borders import parse_pair
from cnncli.ops.kernels import Scale
from cnncli.ops.pixels import resolve_range

LARGEST = 1_000_000  # of a stride, a dilation or a window, in pixels: wider than any picture
_NUMBERS = (1e-30, 1e30)  # of weights, scale and bias: their products stay within float32's range
_REACH = 4096  # pixels that a dilated kernel may span on any picture, however small
_REFLECT = Border("reflect")
Pair = tuple[int, int]


class Settings(NamedTuple):
    """How filters are applied; the fields are the options of ``cnncli convolve``.

    Parameters
    ----------
    op
        ``correlate`` or ``convolve``.
    border
        What lies outside the picture.
    stride, dilation
        (rows, columns) between windows and between taps.
    scale
        Divisor of the last filter: a number, ``sum`` or None for its own.
    bias
        Added after the division.
    range
        How real numbers become pixels.
    """

    op: str = "correlate"
    border: Border = _REFLECT
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    scale: Scale = None
    bias: float = 0.0
    range: str = "auto"

    def check(self, steps: tuple[Kernel, ...]) -> None:
        """Refuse what no picture could make right, before any picture is read.

        Raises
        ------
        UsageError, KernelError
            If a name, a size or a number is wrong.
        """
        if not math.isfinite(self.bias):
            raise UsageError(f"bias is {self.bias}; give a finite number")
        if abs(self.bias) > _NUMBERS[1]:
            raise UsageError(f"bias is {self.bias}; give a number up to {_NUMBERS[1]:g}")
        for step in steps:
            _refuse_huge_weights(step)
        _refuse_scale(self.scale, steps[-1])
        resolve_range(self.range, steps[-1])

    def windows(self, shape: tuple[int, ...], step: Kernel) -> dict[str, Any]:
        """Return the keyword arguments of a correlation of pixels ``(H, W, …)`` with a filter.

        Raises
        ------
        ShapeError
            If dilation spreads the kernel far beyond the picture.
        """
        if self.border.mode != "valid":
            _refuse_far_taps(step.shape, self.dilation, shape)
        # A step beyond the picture's end is the last one, however long; short ones cost less.
        strides = tuple(min(one, side) for one, side in zip(self.stride, shape, strict=False))
        return {"border": self.border, "stride": strides, "dilation": self.dilation}


def option_pair(value: str, name: str, least: int = 1) -> Pair:
    """Return ``(rows, columns)`` of an option such as ``2`` or ``2x3``.

    Raises
    ------
    UsageError
        If it is not one or two whole numbers from `least` to :data:`LARGEST`.

    Examples
    --------
    >>> option_pair("2x3", "stride")
    (2, 3)
    """
    try:
        pair = parse_pair(value, name, least)
    except ShapeError as error:
        raise UsageError(str(error)) from None
    if max(pair) > LARGEST:
        raise UsageError(f"{name} is {value!r}; give whole numbers from {least} to {LARGEST}")
    return pair


def option_scale(text: str | None) -> Scale:
    """Return the option's number, ``"sum"``, or None.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> option_scale("16")
    16.0
    """
    if text is None or text == "sum":
        return text  # type: ignore[return-value]
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"scale is {text!r}; give a number other than 0, or sum") from None


def _refuse_scale(scale: Scale, step: Kernel) -> None:
    try:
        divisor = abs(step.divisor(scale))
    except KernelError as error:
        raise UsageError(str(error)) from None
    low, high = _NUMBERS
    if not low <= divisor <= high:
        raise UsageError(f"scale is {scale}; give a number from {low:g} to {high:g}")


def _refuse_huge_weights(step: Kernel) -> None:
    most = max(abs(part.weights).max() for part in step.parts)
    if most > _NUMBERS[1]:
        raise KernelError(
            f"a weight of {step.name} has the size {most:g}; use numbers up to {_NUMBERS[1]:g}"
        )


def _refuse_far_taps(kernel: Pair, dilations: Pair, shape: tuple[int, ...]) -> None:
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


def chain_range(name: str, steps: tuple[Kernel, ...]) -> tuple[str, str]:
    """Return what ``--range auto`` means for a chain of filters, and why.

    Linear filters in a row act as one kernel whose sum is the product of their sums: if one of
    them sums to 0, so does the whole. Looking back from the end, a magnitude ends the search,
    because it leaves no signs.
    """
    mode, reason = resolve_range(name, steps[-1])
    if name != "auto" or mode == "abs":
        return mode, reason
    for step in reversed(steps):
        if step.combine:
            break
        if resolve_range(name, step)[0] == "abs":
            return "abs", f"{step.name} sums to 0"
    return mode, reason
