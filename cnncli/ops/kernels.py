"""The named kernels: constants with their sources, and the filters made of several of them.

Kernels are written for correlation. The sign of an edge kernel is positive where the picture
grows brighter to the right, or downwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError

IntArray = npt.NDArray[np.int64]
Combine = Literal["magnitude", "max"]


@dataclass(frozen=True, slots=True, eq=False)
class NamedKernel:
    """A kernel with a name: its response is the sum of products divided by `scale`.

    Parameters
    ----------
    name
        What ``--filter`` takes.
    weights
        ``(kh, kw)`` whole numbers.
    scale
        Divisor of the response.
    source
        Where the numbers come from.
    purpose
        What it is for, in a few words.
    """

    name: str
    weights: IntArray
    scale: int
    source: str
    purpose: str

    @property
    def matrix(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """The kernel as it acts: ``weights / scale``, whole numbers where the scale is 1."""
        return self.weights if self.scale == 1 else self.weights / self.scale


@dataclass(frozen=True, slots=True, eq=False)
class NamedFilter:
    """Several kernels whose responses are combined into one.

    Parameters
    ----------
    name, source, purpose
        As for :class:`NamedKernel`.
    kernels
        What is applied, each with its own scale.
    combine
        ``"magnitude"``: root of the sum of squares; ``"max"``: the largest response.
    """

    name: str
    kernels: tuple[NamedKernel, ...]
    combine: Combine
    source: str
    purpose: str


Filter = NamedKernel | NamedFilter


def _kernel(name: str, rows: object, scale: int, source: str, purpose: str) -> NamedKernel:
    weights = np.array(rows, dtype=np.int64)
    weights.flags.writeable = False
    return NamedKernel(name, weights, scale, source, purpose)


def _turned(kernel: NamedKernel, name: str, purpose: str) -> NamedKernel:
    return _kernel(name, kernel.weights.T, kernel.scale, kernel.source, purpose)


def _binomial(size: int) -> IntArray:
    """Return the outer product of a row of Pascal's triangle with itself."""
    row = np.array([1], dtype=np.int64)
    for _ in range(size - 1):
        row = np.convolve(row, [1, 1])
    return np.outer(row, row)


# The three of the lesson, with exactly its numbers.
_LESSON = "the lesson's own kernel"
VERTICAL_EDGE = _kernel("vertical_edge", [[-1, 0, 1]] * 3, 1, _LESSON, "edges that run up and down")
HORIZONTAL_EDGE = _turned(VERTICAL_EDGE, "horizontal_edge", "edges that run left and right")
BLUR = _kernel("blur", np.ones((3, 3)), 9, _LESSON, "softens: the mean of 3x3 pixels")

# The unit of correlation: the picture as it is.
IDENTITY = _kernel(
    "identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]], 1, "definition", "the picture as it is"
)

# Means over a square window (moving average).
_BOXES = tuple(
    _kernel(f"box{n}", np.ones((n, n)), n * n, "definition: mean", f"mean of {n}x{n} pixels")
    for n in (3, 5, 7)
)

# Binomial weights, the integer Gaussian: variance (n - 1) / 4 along each axis.
# Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, use the row 1 4 6 4 1.
_GAUSSIANS = tuple(
    _kernel(
        f"gaussian{n}",
        _binomial(n),
        4 ** (n - 1),
        "binomial weights (Burt and Adelson 1983)",
        f"smooth blur, sigma {((n - 1) / 4) ** 0.5:.2f}",
    )
    for n in (3, 5, 7)
)

# Identity plus the negative Laplacian: Gonzalez and Woods, "Digital Image Processing", 3.6.2.
SHARPEN = _kernel(
    "sharpen",
    [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "crisper details",
)

# Twice the picture minus gaussian5: unsharp masking with amount 1.
UNSHARP = _kernel(
    "unsharp",
    512 * np.pad([[1]], 2) - _binomial(5),
    256,
    "unsharp masking: 2 * identity - gaussian5",
    "crisper edges, gentler on noise than sharpen",
)

# Relief as if lit from the lower right: a diagonal difference plus the picture itself.
EMBOSS = _kernel(
    "emboss",
    [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    1,
    "traditional: diagonal difference + identity",
    "relief, lit along the diagonal",
)

# Second differences in all eight directions, bright lines for bright detail.
OUTLINE = _kernel(
    "outline",
    [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    1,
    "traditional: negative 8-neighbour Laplacian",
    "outlines in every direction",
)

# Discrete Laplacians with 4 and 8 neighbours: Gonzalez and Woods, 3.6.2.
LAPLACIAN = _kernel(
    "laplacian",
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "second derivative, 4 neighbours",
)
LAPLACIAN8 = _kernel(
    "laplacian8",
    [[1, 1, 1], [1, -8, 1], [1, 1, 1]],
    1,
    "Gonzalez and Woods, Digital Image Processing, 3.6.2",
    "second derivative, 8 neighbours",
)

# Laplacian of Gaussian, the usual 5x5 approximation: Marr and Hildreth, "Theory of Edge
# Detection", 1980; numbers as in Gonzalez and Woods, 10.2.6, with the sign of a bright blob.
LOG = _kernel(
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
SOBEL_X = _kernel(
    "sobel_x",
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    4,
    "Sobel and Feldman 1968",
    "slope to the right, smoothed",
)
SOBEL_Y = _turned(SOBEL_X, "sobel_y", "slope downwards, smoothed")

# Prewitt, "Object Enhancement and Extraction", 1970.
PREWITT_X = _kernel("prewitt_x", [[-1, 0, 1]] * 3, 3, "Prewitt 1970", "slope to the right")
PREWITT_Y = _turned(PREWITT_X, "prewitt_y", "slope downwards")

# Scharr, "Optimal Operators in Digital Image Processing", 2000: better rotational symmetry.
SCHARR_X = _kernel(
    "scharr_x",
    [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
    16,
    "Scharr 2000",
    "slope to the right, most even in all directions",
)
SCHARR_Y = _turned(SCHARR_X, "scharr_y", "slope downwards, most even in all directions")

# Roberts, "Machine Perception of Three-Dimensional Solids", 1963: the smallest edge kernels.
ROBERTS_X = _kernel("roberts_x", [[1, 0], [0, -1]], 1, "Roberts 1963", "slope on one diagonal")
ROBERTS_Y = _kernel(
    "roberts_y", [[0, 1], [-1, 0]], 1, "Roberts 1963", "slope on the other diagonal"
)

# Kirsch, "Computer Determination of the Constituent Structure of Biological Images", 1971:
# the ring 5 5 5 -3 -3 -3 -3 -3 around a centre of 0, turned by 45 degrees at a time.
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # clockwise from NW
_KIRSCH_POINTS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")


def _kirsch(turn: int) -> NamedKernel:
    weights = np.zeros((3, 3), dtype=np.int64)
    for place, (row, column) in enumerate(_RING):
        weights[row, column] = 5 if (place - turn) % 8 < 3 else -3
    point = _KIRSCH_POINTS[turn]
    return _kernel(
        f"kirsch_{point}", weights, 15, "Kirsch 1971", f"brighter towards {point.upper()}"
    )


_KIRSCH = tuple(_kirsch(turn) for turn in range(8))

# A straight move during the exposure, from the upper left to the lower right.
MOTION_BLUR = _kernel(
    "motion_blur", np.eye(9), 9, "definition: mean along a line", "streaks along the diagonal"
)

_MAGNITUDES = tuple(
    NamedFilter(name, pair, "magnitude", pair[0].source, "strength of edges in every direction")
    for name, pair in {
        "sobel": (SOBEL_X, SOBEL_Y),
        "prewitt": (PREWITT_X, PREWITT_Y),
        "scharr": (SCHARR_X, SCHARR_Y),
        "roberts": (ROBERTS_X, ROBERTS_Y),
    }.items()
)
KIRSCH = NamedFilter(
    "kirsch", _KIRSCH, "max", "Kirsch 1971", "strongest edge of eight compass directions"
)

_ALL: tuple[Filter, ...] = (
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

FILTERS: Mapping[str, Filter] = MappingProxyType({each.name: each for each in _ALL})


def get_filter(name: str) -> Filter:
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
