"""Kernels as values, and the named ones: constants with their sources.

Kernels are written for correlation. The sign of an edge kernel is positive where the picture
grows brighter to the right, or downwards.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError
from cnncli.ops.dtypes import as_kernel
from cnncli.ops.factors import (
    Pass,
    Product,
    as_pass,
    nearest_fraction,
    over_one_denominator,
    product,
    sum_of_products,
)

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]


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
    def matrix(self) -> Array:
        """The kernel as it acts: ``weights / scale``, whole numbers where the scale is 1."""
        return self.weights if self.scale == 1 else self.weights / self.scale

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
    def _product(self) -> Product | None:
        return product(self.weights)

    @property
    def centre(self) -> int:
        """What is added on the middle tap to a column times a row."""
        return self._product.centre if self._product else 0

    @cached_property
    def passes(self) -> tuple[Pass, ...]:
        """How its products are summed: down and across where that is less, or all at once."""
        if self._product is None:
            return (as_pass(self.weights),)
        return as_pass(self._product.column[:, np.newaxis]), as_pass(self._product.row[np.newaxis])

    @cached_property
    def calls(self) -> int:
        """How many calls sum the products of a band tap by tap."""
        return sum(each.calls for each in self.passes) + 2 * bool(self.centre)

    @cached_property
    def terms(self) -> list[tuple[Array, Array]] | None:
        """At most four (column, row) pairs whose products add up to the kernel, or None."""
        return sum_of_products(self.weights, most=4)

    @cached_property
    def whole(self) -> "tuple[Kernel, int] | None":
        """The kernel in whole numbers, and the divisor that makes it so again; or None."""
        found = over_one_denominator(self.weights)
        if found is None or self.is_whole:
            return (self, 1) if self.is_whole else None
        return Kernel(found[0], name=self.name), found[1]

    @cached_property
    def rotated(self) -> Self:
        """The kernel turned by 180 degrees, for convolution."""
        turned = tuple(each.rotated for each in self.partners)
        return replace(self, weights=self.weights[::-1, ::-1].copy(), partners=turned)

    def divisor(self, scale: float | str | None) -> Fraction:
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
            own = 1 if self.partners else self.scale
            return _nonzero(own if scale is None else scale)
        if self.partners:
            raise KernelError(f"{self.name} has several kernels and no sum; give --scale a number")
        if self.sum == 0:
            raise KernelError("the kernel sums to 0 and cannot be scaled by its sum; give a number")
        return nearest_fraction(self.sum)


def _nonzero(scale: float | str) -> Fraction:
    try:
        number = float(scale)
    except ValueError:
        number = float("nan")
    if number == 0 or not math.isfinite(number):
        raise KernelError(f"scale is {scale!r}; give a number other than 0, or sum")
    return nearest_fraction(number)


def named_kernel(name: str, rows: npt.ArrayLike, scale: int, source: str, purpose: str) -> Kernel:
    """Return a constant of whole numbers over a scale; KernelError for any other number."""
    weights = np.asarray(rows)
    if not np.array_equal(weights, np.rint(weights)):
        raise KernelError(f"{name} has fractions; write whole numbers, and a scale that divides")
    return Kernel(weights.astype(np.int64), scale, name, source, purpose)


def _turned(kernel: Kernel, name: str, purpose: str) -> Kernel:
    return named_kernel(name, kernel.weights.T, kernel.scale, kernel.source, purpose)


def _combined(name: str, kernels: Sequence[Kernel], combine: str, purpose: str) -> Kernel:
    first, *partners = kernels
    return replace(first, name=name, purpose=purpose, partners=tuple(partners), combine=combine)


def _binomial(size: int) -> IntArray:
    """Return the outer product of a row of Pascal's triangle with itself."""
    row = np.array([1], dtype=np.int64)
    for _ in range(size - 1):
        row = np.convolve(row, [1, 1])
    return np.outer(row, row)


# The three of the lesson, with exactly its numbers.
_LESSON = "the lesson's own kernel"
VERTICAL_EDGE = named_kernel(
    "vertical_edge", [[-1, 0, 1]] * 3, 1, _LESSON, "edges that run up and down"
)
HORIZONTAL_EDGE = _turned(VERTICAL_EDGE, "horizontal_edge", "edges that run left and right")
BLUR = named_kernel("blur", np.ones((3, 3)), 9, _LESSON, "softens: the mean of 3x3 pixels")

# The unit of correlation: the picture as it is.
IDENTITY = named_kernel(
    "identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1, "definition", "the picture as it is"
)

# Means over a square window (moving average).
_BOXES = tuple(
    named_kernel(f"box{n}", np.ones((n, n)), n * n, "definition: mean", f"mean of {n}x{n} pixels")
    for n in (3, 5, 7)
)

# Binomial weights, the integer Gaussian: variance (n - 1) / 4 along each axis.
# Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, use the row 1 4 6 4 1.
_GAUSSIANS = tuple(
    named_kernel(
        f"gaussian{n}",
        _binomial(n),
        4 ** (n - 1),
        "binomial weights (Burt and Adelson 1983)",
        f"smooth blur, sigma {((n - 1) / 4) ** 0.5:.2f}",
    )
    for n in (3, 5, 7)
)

# Identity plus the negative Laplacian: Gonzalez and Woods, "Digital Image Processing", 3.6.2.
SHARPEN = named_kernel(
    "sharpen",
    [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "crisper details",
)

# Twice the picture minus gaussian5: unsharp masking with amount 1.
UNSHARP = named_kernel(
    "unsharp",
    512 * np.pad([[1]], 2) - _binomial(5),
    256,
    "unsharp masking: 2 * identity - gaussian5",
    "crisper edges, gentler on noise than sharpen",
)

# Relief as if lit from the lower right: a diagonal difference plus the picture itself.
EMBOSS = named_kernel(
    "emboss",
    [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    1,
    "traditional: diagonal difference + identity",
    "relief, lit along the diagonal",
)

# Second differences in all eight directions, bright lines for bright detail.
OUTLINE = named_kernel(
    "outline",
    [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    1,
    "traditional: negative 8-neighbour Laplacian",
    "outlines in every direction",
)

# Discrete Laplacians with 4 and 8 neighbours: Gonzalez and Woods, 3.6.2.
LAPLACIAN = named_kernel(
    "laplacian",
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "second derivative, 4 neighbours",
)
LAPLACIAN8 = named_kernel(
    "laplacian8",
    [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "second derivative, 8 neighbours",
)

# Laplacian of Gaussian, the usual 5x5 approximation: Marr and Hildreth, "Theory of Edge
# Detection", 1980; numbers as in Gonzalez and Woods, 10.2.6, with the sign of a bright blob.
LOG = named_kernel(
    "log",
    [
        [0, 0, -1, 0, 0],
        [0, -1, -2, -1, 0],
        [-1, -2, 16, -2, -1],
        [0, -1, -2, -1, 0],
        [0, 0, -1, 0, 0],
    ],
    1,
    "Marr and Hildreth 1980; Gonzalez and Woods 10.2.6",
    "Laplacian of Gaussian: blobs and edges, less noise",
)

# First derivative times smoothing (1 2 1): Sobel and Feldman 1968. Divided by the positive sum,
# so that the steepest edge just fills the range of a pixel; likewise the two below.
SOBEL_X = named_kernel(
    "sobel_x",
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    4,
    "Sobel and Feldman 1968",
    "slope to the right, smoothed",
)
SOBEL_Y = _turned(SOBEL_X, "sobel_y", "slope downwards, smoothed")

# Prewitt, "Object Enhancement and Extraction", 1970.
PREWITT_X = named_kernel("prewitt_x", [[-1, 0, 1]] * 3, 3, "Prewitt 1970", "slope to the right")
PREWITT_Y = _turned(PREWITT_X, "prewitt_y", "slope downwards")

# Scharr, "Optimal Operators in Digital Image Processing", 2000: better rotational symmetry.
SCHARR_X = named_kernel(
    "scharr_x",
    [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    16,
    "Scharr 2000",
    "slope to the right, most even in all directions",
)
SCHARR_Y = _turned(SCHARR_X, "scharr_y", "slope downwards, most even in all directions")

# Roberts, "Machine Perception of Three-Dimensional Solids", 1963: the smallest edge kernels.
ROBERTS_X = named_kernel("roberts_x", [[1, 0], [0, -1]], 1, "Roberts 1963", "slope on one diagonal")
ROBERTS_Y = named_kernel(
    "roberts_y", [[0, 1], [-1, 0]], 1, "Roberts 1963", "slope on the other diagonal"
)

# Kirsch, "Computer Determination of the Constituent Structure of Biological Images", 1971:
# the ring 5 5 5 -3 -3 -3 -3 -3 around a centre of 0, turned by 45 degrees at a time.
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # clockwise from NW
_KIRSCH_POINTS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")


def _kirsch(turn: int) -> Kernel:
    weights = np.zeros((3, 3), dtype=np.int64)
    for place, (row, column) in enumerate(_RING):
        weights[row, column] = 5 if (place - turn) % 8 < 3 else -3
    point = _KIRSCH_POINTS[turn]
    return named_kernel(
        f"kirsch_{point}", weights, 15, "Kirsch 1971", f"brighter towards {point.upper()}"
    )


_KIRSCH = tuple(_kirsch(turn) for turn in range(8))

# A straight move during the exposure, from the upper left to the lower right.
MOTION_BLUR = named_kernel(
    "motion_blur", np.eye(9), 9, "definition: mean along a line", "streaks along the diagonal"
)

_MAGNITUDES = tuple(
    _combined(name, pair, "magnitude", "strength of edges in every direction")
    for name, pair in {
        "sobel": (SOBEL_X, SOBEL_Y),
        "prewitt": (PREWITT_X, PREWITT_Y),
        "scharr": (SCHARR_X, SCHARR_Y),
        "roberts": (ROBERTS_X, ROBERTS_Y),
    }.items()
)
KIRSCH = _combined("kirsch", _KIRSCH, "max", "strongest edge of eight compass directions")

_ALL: tuple[Kernel, ...] = (
    IDENTITY,
    VERTICAL_EDGE,
    HORIZONTAL_EDGE,
    BLUR,
    *_BOXES,
    *_GAUSSIANS,
    SHARPEN,
    UNSHARP,
    EMBOSS,
    OUTLINE,
    LAPLACIAN,
    LAPLACIAN8,
    LOG,
    SOBEL_X,
    SOBEL_Y,
    PREWITT_X,
    PREWITT_Y,
    SCHARR_X,
    SCHARR_Y,
    ROBERTS_X,
    ROBERTS_Y,
    *_KIRSCH,
    MOTION_BLUR,
    *_MAGNITUDES,
    KIRSCH,
)

FILTERS: Mapping[str, Kernel] = MappingProxyType({each.name: each for each in _ALL})


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
