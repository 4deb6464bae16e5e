"""What lies outside a picture, and where windows lie in it: checked once and in one place."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError, UsageError

Index = npt.NDArray[np.intp]
Pair = int | Sequence[int]

FARTHEST = 1e12  # of a constant around a picture: its products with weights stay in 64 bits


def _reflect(place: Index, size: int) -> Index:
    turn = place % max(2 * size - 2, 1)
    return np.minimum(turn, 2 * size - 2 - turn)


def _symmetric(place: Index, size: int) -> Index:
    turn = place % (2 * size)
    return np.minimum(turn, 2 * size - 1 - turn)


# A border is one row: for places from below 0 to beyond `size`, the pixel that stands there, or -1
# for the constant. The names and meanings are those of numpy.pad.
BORDERS: Mapping[str, Callable[[Index, int], Index]] = MappingProxyType(
    {
        "valid": lambda place, size: place,  # noqa: ARG005 (whole windows only: nothing outside)
        "reflect": _reflect,
        "symmetric": _symmetric,
        "edge": lambda place, size: np.clip(place, 0, size - 1),
        "constant": lambda place, size: np.where((place < 0) | (place >= size), -1, place),
        "wrap": lambda place, size: place % size,
    }
)

# What SciPy, OpenCV and torch call the same borders, so that the error can name the right one.
_FOREIGN_NAMES = {
    "reflect": ("mirror", "reflect_101", "reflect101"),
    "symmetric": ("grid-mirror",),
    "edge": ("nearest", "replicate"),
    "wrap": ("circular", "grid-wrap"),
    "constant": ("zeros", "zero"),
}


class Border(NamedTuple):
    """What lies outside the picture.

    Parameters
    ----------
    mode
        A name of :data:`BORDERS`; ``"valid"`` keeps whole windows only.
    value
        The constant ``V`` of ``"constant"``, in units of pixels.
    """

    mode: str = "valid"
    value: float = 0.0

    def __str__(self) -> str:
        """Return the text that :func:`parse_border` reads."""
        return f"constant:{self.value:g}" if self.mode == "constant" else self.mode


def parse_border(border: str | Border) -> Border:
    """Return the border that a text such as ``reflect`` or ``constant:128`` names.

    Raises
    ------
    UsageError
        If the name is unknown or the constant is no finite number.

    Examples
    --------
    >>> parse_border("constant:128")
    Border(mode='constant', value=128.0)
    """
    if isinstance(border, Border):
        return border
    name, colon, text = str(border).strip().lower().partition(":")
    if name not in BORDERS:
        hint = next((ours for ours, others in _FOREIGN_NAMES.items() if name in others), None)
        advice = f"here it is called {hint}" if hint else "use " + ", ".join(BORDERS)
        raise UsageError(f"border {border!r} is unknown; {advice} (constant takes :V)")
    if not colon:
        return Border(name)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if name != "constant" or not np.isfinite(value):
        raise UsageError(f"border {border!r} is unknown; only constant takes a number, as :128")
    if abs(value) > FARTHEST:
        raise UsageError(f"border {border!r} is out of reach; give a number up to {FARTHEST:g}")
    return Border("constant", value)


def describe_borders() -> str:
    """Return each border with what it puts to the left of a picture ``a b c d``.

    Examples
    --------
    >>> describe_borders()
    'valid (whole windows only), reflect (c b|a), symmetric (b a|a), edge (a a|a), \
constant[:V] (V V|a), wrap (c d|a)'
    """
    words = ["valid (whole windows only)"]
    for name, rule in BORDERS.items():
        if name != "valid":
            far, near = ("abcdV"[i] for i in rule(np.array([-2, -1]), 4))
            words.append(f"{name}{'[:V]' * (name == 'constant')} ({far} {near}|a)")
    return ", ".join(words)


def border_index(size: int, before: int, after: int, mode: str) -> Index:
    """Return, for each padded position, the pixel that stands there (-1: the constant); read-only.

    Examples
    --------
    >>> border_index(4, 2, 1, "reflect").tolist()
    [2, 1, 0, 1, 2, 3, 2]
    """
    index = BORDERS[mode](np.arange(-before, size + after, dtype=np.intp), size)
    index.flags.writeable = False
    return index


def parse_pair(value: str | Pair, name: str, least: int = 1) -> tuple[int, int]:
    """Return ``(rows, columns)`` from ``2``, ``(2, 3)``, ``"2"`` or ``"2x3"``.

    Raises
    ------
    ShapeError
        If it is not one or two whole numbers of at least `least`.

    Examples
    --------
    >>> parse_pair("2x3", "stride")
    (2, 3)
    """
    if type(value) is int and value >= least:
        return value, value  # at once: a small image is filtered in the time of a few checks
    parts: Sequence[Any] = (value,)
    if isinstance(value, str):
        parts = value.lower().split("x")
    elif isinstance(value, Sequence):
        parts = value
    try:
        numbers = [int(part) for part in parts]
        whole = all(isinstance(a, str) or a == b for a, b in zip(parts, numbers, strict=True))
    except (TypeError, ValueError):
        numbers, whole = [], False
    if len(numbers) not in (1, 2) or not whole or min(numbers) < least:
        raise ShapeError(
            f"{name} is {value!r}; give one whole number N or two as NxM, each at least {least}"
        )
    return numbers[0], numbers[-1]


def parse_windows(
    border: str | Border, stride: Pair, dilation: Pair
) -> tuple[Border, tuple[int, int], tuple[int, int]]:
    """Return border, stride and dilation, the last two as ``(rows, columns)``."""
    return parse_border(border), parse_pair(stride, "stride"), parse_pair(dilation, "dilation")


def extent(size: int, dilation: int) -> int:
    """Return how many pixels a window of `size` taps spans: ``d * (size - 1) + 1``."""
    return dilation * (size - 1) + 1


def pads(size: int, dilation: int, border: Border) -> tuple[int, int]:
    """Return how many pixels are added before and after one axis.

    ``d * (k - 1)`` in all, so that stride 1 keeps the size; an odd one goes after. The anchor of
    a kernel is thus tap ``(k - 1) // 2``, the upper left of the middle four of an even kernel:
    what torch does with ``padding="same"`` (SciPy and OpenCV anchor at ``k // 2``).
    """
    if border.mode == "valid":
        return 0, 0
    total = dilation * (size - 1)
    return total // 2, total - total // 2


def output_size(
    size: int, kernel: int, stride: int = 1, dilation: int = 1, padding: int = 0, axis: str = ""
) -> int:
    """Return how many windows fit: ``floor((n + pads - d*(k - 1) - 1) / s) + 1``.

    Parameters
    ----------
    size, kernel
        Length ``n`` of the axis and number ``k`` of taps.
    stride, dilation
        Step ``s`` between windows and ``d`` between taps.
    padding
        Pixels added on both sides together.
    axis
        Name of the axis for the error.

    Raises
    ------
    ShapeError
        If not one window fits.

    Examples
    --------
    >>> output_size(7, 3)
    5
    """
    room = size + padding - extent(kernel, dilation)
    if room < 0:
        raise ShapeError(
            f"a kernel of {kernel} (dilation {dilation}, extent {extent(kernel, dilation)}) does "
            f"not fit the {axis or 'axis'} of {size} + {padding} padding: output size "
            f"floor(({size} + {padding} - {dilation}*({kernel} - 1) - 1)/{stride}) + 1 is below 1; "
            "use a smaller kernel or a border other than valid"
        )
    return room // stride + 1
