"""Kernels as values, and the named ones: constants with their sources.

Kernels are written for correlation. The sign of an edge kernel is positive where the picture
grows brighter to the right, or downwards.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce
from math import comb
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError
from cnncli.ops import factors
from cnncli.ops.dtypes import as_kernel

Array = npt.NDArray[Any]
Scale = float | Literal["sum"] | None


def _magnitude(responses: Sequence[Array]) -> Array:
    for each in responses:
        np.multiply(each, each, out=each)
    total = reduce(lambda a, b: np.add(a, b, out=a), responses)
    return np.sqrt(total, out=total)


def _largest(responses: Sequence[Array]) -> Array:
    return reduce(lambda a, b: np.maximum(a, b, out=a), responses)


# How the responses of a filter of several kernels become one; they may be overwritten.
COMBINATIONS: Mapping[str, Callable[[Sequence[Array]], Array]] = MappingProxyType(
    {"magnitude": _magnitude, "max": _largest}
)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel as a value: its response is the sum of products divided by `scale`.

    What is derived from the weights is worked out once for each kernel.

    Parameters
    ----------
    weights
        ``(kh, kw)`` int64 or float64, read-only.
    scale
        Divisor of the response.
    name
        What ``--filter`` takes.
    source
        Where the numbers come from.
    purpose
        What it is for, in a few words.
    partners
        Further kernels, whose responses are combined with this one's.
    combine
        With partners, a name of :data:`COMBINATIONS`: ``"magnitude"`` is the root of the sum of
        squares, ``"max"`` the largest response.

    Raises
    ------
    KernelError
        If `combine` is unknown, or kernels differ in size.
    """

    weights: Array
    scale: int = 1
    name: str = "kernel"
    source: str = field(default="", repr=False)
    purpose: str = field(default="", repr=False)
    partners: tuple["Kernel", ...] = ()
    combine: str | None = None

    def __post_init__(self) -> None:
        self.weights.flags.writeable = False
        if self.combine not in (COMBINATIONS if self.partners else (None,)):
            known = " or ".join(COMBINATIONS)
            raise KernelError(f"{self.name}: combine {self.combine!r} is unknown; use {known}")
        if any(each.weights.shape != self.weights.shape for each in self.partners):
            raise KernelError(f"{self.name} has kernels of several sizes; give them one size")

    @classmethod
    def of(cls, kernel: "npt.ArrayLike | Kernel", name: str = "kernel") -> "Kernel":
        """Return a kernel as it is, or one of that name made of an array ``(kh, kw)``.

        >>> Kernel.of([[0.5, 0.5]]).sum
        1.0
        """
        return kernel if isinstance(kernel, Kernel) else cls(as_kernel(kernel).copy(), name=name)

    @property
    def parts(self) -> tuple["Kernel", ...]:
        """The kernels that are applied: this one and its partners."""
        return (self, *self.partners)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.weights.shape
        return rows, columns

    @property
    def size(self) -> str:
        """Rows and columns in words, such as ``3x3``."""
        return f"{self.shape[0]}x{self.shape[1]}"

    @property
    def is_whole(self) -> bool:
        """Whether all weights are whole numbers."""
        return self.weights.dtype.kind == "i"

    @cached_property
    def sum(self) -> float:
        """The sum of the weights, 0 where it is below 1e-9 of the sum of their sizes."""
        total = self.weights.sum().item()
        return 0 if abs(total) <= 1e-9 * np.abs(self.weights).sum() else total

    @cached_property
    def _signed_sums(self) -> tuple[float, float]:
        weights = self.weights.ravel().tolist()
        return sum(w for w in weights if w < 0), sum(w for w in weights if w > 0)

    def bounds(self, low: int, high: int) -> tuple[Any, Any]:
        """Return bounds of the sum of products with values in [low, high].

        Each product ``w * x`` is least at ``x = low`` for ``w > 0`` and at ``x = high`` for
        ``w < 0``, so the least sum is ``low * P + high * N`` with ``P`` and ``N`` the sums of the
        positive and of the negative weights; likewise ``high * P + low * N`` is the largest.
        Python's integers do the arithmetic, which cannot overflow; some window reaches each bound.

        >>> Kernel.of([[-1, 0, 2]]).bounds(0, 255)
        (-255, 510)
        """
        negative, positive = self._signed_sums
        return low * positive + high * negative, high * positive + low * negative

    @cached_property
    def passes(self) -> tuple[factors.Pass, ...]:
        """How its products are summed: all at once, or down, across and what is left over.

        Whole numbers may be a column times a row but for the middle: a box and -9 make
        ``laplacian8``. What takes the fewest calls is taken.
        """
        weights, at_once = self.weights, (factors.as_pass(self.weights),)
        found, middle = factors.column_and_row(weights), np.zeros_like(weights)
        if found is None and self.is_whole and weights[0, 0]:
            i, j = weights.shape[0] // 2, weights.shape[1] // 2
            middle[i, j] = weights[i, j] - weights[i, 0] * weights[0, j] // weights[0, 0]
            found = factors.column_and_row(weights - middle)
        if found is None or 1 in self.shape:
            return at_once
        sign = -1 if middle.any() and found[0].sum() < 0 else 1
        down = factors.as_pass(sign * found[0][:, np.newaxis])
        last = factors.as_pass(middle)._replace(kind="plus" if sign > 0 else "minus")
        several = (down, factors.as_pass(found[1][np.newaxis]), last)[: 3 if middle.any() else 2]
        return min(at_once, several, key=factors.count_calls)

    @cached_property
    def calls(self) -> int:
        """How many calls the passes take for each band."""
        return factors.count_calls(self.passes)

    @cached_property
    def terms(self) -> list[tuple[Array, Array]] | None:
        """At most four (column, row) pairs whose products add up to the kernel, or None."""
        return factors.sum_of_products(self.weights, most=4)

    @cached_property
    def whole(self) -> "tuple[Kernel, int] | None":
        """The kernel in whole numbers, and the divisor that makes it so again; or None."""
        found = factors.over_one_denominator(self.weights)
        if found is None or self.is_whole:
            return (self, 1) if self.is_whole else None
        return Kernel(found[0], name=self.name), found[1]

    @cached_property
    def rotated(self) -> Self:
        """The kernel turned by 180 degrees, for convolution."""
        turned = tuple(each.rotated for each in self.partners)
        return replace(self, weights=self.weights[::-1, ::-1].copy(), partners=turned)

    def divisor(self, scale: Scale) -> Fraction:
        """Return the divisor of the response as an exact fraction.

        Parameters
        ----------
        scale
            A number other than 0; ``"sum"`` for the sum of the weights; None for the kernel's own.
            Partners keep their own scales, and what they make together has the scale 1.

        Raises
        ------
        KernelError
            If the scale, or the sum that it stands for, is 0 or not finite.
        """
        if scale != "sum":
            number = scale if scale is not None else 1 if self.partners else self.scale
            if number == 0 or not math.isfinite(number):
                raise KernelError(f"scale is {number}; give a number other than 0, or sum")
            return factors.nearest_fraction(number)
        if self.partners:
            raise KernelError(f"{self.name} has several kernels and no sum; give --scale a number")
        if self.sum == 0:
            raise KernelError("the kernel sums to 0 and cannot be scaled by its sum; give a number")
        return factors.nearest_fraction(self.sum)


_NAMED: dict[str, Kernel] = {}
FILTERS: Mapping[str, Kernel] = MappingProxyType(_NAMED)


def add_kernel(
    name: str, rows: str | npt.ArrayLike, scale: int, source: str, purpose: str
) -> Kernel:
    """Add a constant of whole numbers over a scale to the named ones; rows are text or an array.

    Raises
    ------
    KernelError
        If a number is not whole.
    """
    if isinstance(rows, str):
        rows = np.array([row.split() for row in rows.strip("; ").split(";")], np.float64)
    weights = as_kernel(rows)
    if not np.array_equal(weights, np.rint(weights)):
        raise KernelError(f"{name} has fractions; write whole numbers, and a scale that divides")
    _NAMED[name] = Kernel(weights.astype(np.int64), scale, name, source, purpose)
    return _NAMED[name]


def _turn(kernel: Kernel, name: str, purpose: str) -> Kernel:
    return add_kernel(name, kernel.weights.T, kernel.scale, kernel.source, purpose)


def _combine(name: str, kernels: Sequence[Kernel], combine: str, purpose: str) -> None:
    how = {"name": name, "purpose": purpose, "partners": tuple(kernels[1:]), "combine": combine}
    _NAMED[name] = replace(kernels[0], **how)  # type: ignore[arg-type]


# A kernel, or a filter of several, is one statement below: its name, rows, scale, source and
# purpose. This is also the order in which they are listed.

# The unit of correlation: the picture as it is.
add_kernel("identity", "0 0 0; 0 1 0; 0 0 0", 1, "definition", "the picture as it is")

# The three of the lesson, with exactly its numbers.
_LESSON = "the lesson's own kernel"
_EDGE = add_kernel("vertical_edge", "-1 0 1; " * 3, 1, _LESSON, "edges that run up and down")
_turn(_EDGE, "horizontal_edge", "edges that run left and right")
add_kernel("blur", "1 1 1; " * 3, 9, _LESSON, "softens: the mean of 3x3 pixels")

# Means over a square window (moving average).
for _n in (3, 5, 7):
    _mean = f"mean of {_n}x{_n} pixels"
    add_kernel(f"box{_n}", np.ones((_n, _n)), _n * _n, "definition: mean", _mean)

# Binomial weights, the integer Gaussian: variance (n - 1) / 4 along each axis.
# Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, use the row 1 4 6 4 1.
_BURT = "binomial weights (Burt and Adelson 1983)"
for _n in (3, 5, 7):
    _row = [comb(_n - 1, _i) for _i in range(_n)]
    _blur = f"smooth blur, sigma {((_n - 1) / 4) ** 0.5:.2f}"
    add_kernel(f"gaussian{_n}", np.outer(_row, _row), 4 ** (_n - 1), _BURT, _blur)

# Identity plus the negative Laplacian: Gonzalez and Woods, "Digital Image Processing", 3.6.2.
_WOODS = "Gonzalez and Woods, Digital Image Processing, 3.6.2"
add_kernel("sharpen", "0 -1 0; -1 5 -1; 0 -1 0", 1, _WOODS, "crisper details")

# Twice the picture minus gaussian5: unsharp masking with amount 1.
_TWICE = 512 * np.pad([[1]], 2) - FILTERS["gaussian5"].weights
_MASKING = "unsharp masking: 2 * identity - gaussian5"
add_kernel("unsharp", _TWICE, 256, _MASKING, "crisper edges, gentler on noise than sharpen")

# Relief as if lit from the lower right: a diagonal difference plus the picture itself.
_RELIEF = "traditional: diagonal difference + identity"
add_kernel("emboss", "-2 -1 0; -1 1 1; 0 1 2", 1, _RELIEF, "relief, lit along the diagonal")

# Second differences in all eight directions, bright lines for bright detail.
_NEGATIVE = "traditional: negative 8-neighbour Laplacian"
add_kernel("outline", "-1 -1 -1; -1 8 -1; -1 -1 -1", 1, _NEGATIVE, "outlines in every direction")

# Discrete Laplacians with 4 and 8 neighbours: Gonzalez and Woods, 3.6.2.
add_kernel("laplacian", "0 1 0; 1 -4 1; 0 1 0", 1, _WOODS, "second derivative, 4 neighbours")
add_kernel("laplacian8", "1 1 1; 1 -8 1; 1 1 1", 1, _WOODS, "second derivative, 8 neighbours")

# Laplacian of Gaussian, the usual 5x5 approximation: Marr and Hildreth, "Theory of Edge
# Detection", 1980; numbers as in Gonzalez and Woods, 10.2.6, with the sign of a bright blob.
_MARR = "Marr and Hildreth 1980; Gonzalez and Woods 10.2.6"
_BLOB = "0 0 -1 0 0; 0 -1 -2 -1 0; -1 -2 16 -2 -1; 0 -1 -2 -1 0; 0 0 -1 0 0"
add_kernel("log", _BLOB, 1, _MARR, "Laplacian of Gaussian: blobs and edges, less noise")

# First derivative times smoothing (1 2 1): Sobel and Feldman 1968. Divided by the positive sum,
# so that the steepest edge just fills the range of a pixel; likewise the two below.
_SOBEL = "-1 0 1; -2 0 2; -1 0 1"
_FELDMAN = "Sobel and Feldman 1968"
_SOBEL_X = add_kernel("sobel_x", _SOBEL, 4, _FELDMAN, "slope to the right, smoothed")
_SOBEL_Y = _turn(_SOBEL_X, "sobel_y", "slope downwards, smoothed")

# Prewitt, "Object Enhancement and Extraction", 1970.
_PREWITT_X = add_kernel("prewitt_x", "-1 0 1; " * 3, 3, "Prewitt 1970", "slope to the right")
_PREWITT_Y = _turn(_PREWITT_X, "prewitt_y", "slope downwards")

# Scharr, "Optimal Operators in Digital Image Processing", 2000: better rotational symmetry.
_EVEN = "most even in all directions"
_SCHARR = "-3 0 3; -10 0 10; -3 0 3"
_SCHARR_X = add_kernel("scharr_x", _SCHARR, 16, "Scharr 2000", f"slope to the right, {_EVEN}")
_SCHARR_Y = _turn(_SCHARR_X, "scharr_y", f"slope downwards, {_EVEN}")

# Roberts, "Machine Perception of Three-Dimensional Solids", 1963: the smallest edge kernels.
_ROBERTS_X = add_kernel("roberts_x", "1 0; 0 -1", 1, "Roberts 1963", "slope on one diagonal")
_ROBERTS_Y = add_kernel("roberts_y", "0 1; -1 0", 1, "Roberts 1963", "slope on the other diagonal")

# Kirsch, "Computer Determination of the Constituent Structure of Biological Images", 1971:
# the ring 5 5 5 -3 -3 -3 -3 -3 around a centre of 0, turned by 45 degrees at a time.
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # clockwise from NW
_KIRSCH = []
for _turns, _point in enumerate(("n", "ne", "e", "se", "s", "sw", "w", "nw")):
    _weights = np.zeros((3, 3))
    for _place, _cell in enumerate(_RING):
        _weights[_cell] = 5 if (_place - _turns) % 8 < 3 else -3
    _brighter = f"brighter towards {_point.upper()}"
    _KIRSCH.append(add_kernel(f"kirsch_{_point}", _weights, 15, "Kirsch 1971", _brighter))

# A straight move during the exposure, from the upper left to the lower right.
_LINE = "definition: mean along a line"
add_kernel("motion_blur", np.eye(9), 9, _LINE, "streaks along the diagonal")

# Filters of several kernels.
_STRENGTH = "strength of edges in every direction"
_combine("sobel", (_SOBEL_X, _SOBEL_Y), "magnitude", _STRENGTH)
_combine("prewitt", (_PREWITT_X, _PREWITT_Y), "magnitude", _STRENGTH)
_combine("scharr", (_SCHARR_X, _SCHARR_Y), "magnitude", _STRENGTH)
_combine("roberts", (_ROBERTS_X, _ROBERTS_Y), "magnitude", _STRENGTH)
_combine("kirsch", _KIRSCH, "max", "strongest edge of eight compass directions")


def get_filter(name: str) -> Kernel:
    """Return the named filter.

    Raises
    ------
    KernelError
        If there is none of that name; the message lists the names and the nearest ones.

    Examples
    --------
    >>> get_filter("vertical_edge").weights.tolist()
    [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
    """
    key = name.strip().lower().replace("-", "_")
    if key in FILTERS:
        return FILTERS[key]
    import difflib  # 6 ms that only a wrong name costs

    near = difflib.get_close_matches(key, FILTERS, n=3)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    raise KernelError(f"filter {name!r} is unknown; {guess}known filters: {', '.join(FILTERS)}")
