"""Sliding windows: sizes, strides, dilations and borders, checked once and in one place."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError, UsageError

Array = npt.NDArray[Any]
BorderMode = Literal["valid", "reflect", "symmetric", "edge", "constant", "wrap"]
Pair = int | Sequence[int]

BORDER_MODES: tuple[str, ...] = get_args(BorderMode)

# What SciPy, OpenCV and torch call the same borders, so that the error can name the right one.
_FOREIGN_NAMES = {
    "mirror": "reflect",
    "reflect_101": "reflect",
    "reflect101": "reflect",
    "grid-mirror": "symmetric",
    "nearest": "edge",
    "replicate": "edge",
    "circular": "wrap",
    "grid-wrap": "wrap",
    "zeros": "constant",
    "zero": "constant",
}


FARTHEST = 1e12  # of a constant around a picture: its products with weights stay in 64 bits


class Border(NamedTuple):
    """What lies outside the picture.

    Parameters
    ----------
    mode
        NumPy's name (:func:`numpy.pad`), or ``"valid"`` for whole windows only. With pixels
        ``a b c d`` the left side reads ``c b | a`` for reflect, ``b a | a`` for symmetric,
        ``a a | a`` for edge, ``c d | a`` for wrap and ``V V | a`` for constant.
    value
        The constant ``V`` of ``"constant"``, in units of pixels.
    """

    mode: BorderMode = "valid"
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
    if name not in BORDER_MODES:
        hint = _FOREIGN_NAMES.get(name)
        advice = f"here it is called {hint}" if hint else "use " + ", ".join(BORDER_MODES)
        raise UsageError(f"border {border!r} is unknown; {advice} (constant takes :V)")
    if not colon:
        return Border(name)  # type: ignore[arg-type]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if name != "constant" or not np.isfinite(value):
        raise UsageError(f"border {border!r} is unknown; only constant takes a number, as :128")
    if abs(value) > FARTHEST:
        raise UsageError(f"border {border!r} is out of reach; give a number up to {FARTHEST:g}")
    return Border("constant", value)


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
    parts: Sequence[Any]
    if isinstance(value, str):
        parts = value.lower().split("x")
    elif isinstance(value, Sequence):
        parts = value
    else:
        parts = (value,)
    try:
        numbers = [int(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    whole = all(isinstance(part, str) or number == part for part, number in zip(parts, numbers))  # noqa: B905 (an unreadable part has left `numbers` empty)
    if len(numbers) not in (1, 2) or not whole or min(numbers) < least:
        raise ShapeError(
            f"{name} is {value!r}; give one whole number N or two as NxM, each at least {least}"
        )
    return numbers[0], numbers[-1]


def as_image(image: npt.ArrayLike) -> Array:
    """Return the image as an array ``(H, W)`` or ``(H, W, C)`` of bool, integers or floats.

    Raises
    ------
    ShapeError
        If it has another number of axes, an axis of length 0, or values that are no real numbers.
    """
    array = np.asarray(image)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ShapeError(
            f"image has shape {array.shape}; give (height, width) or (height, width, channels), "
            "each at least 1"
        )
    return check_real(array, "image")


def check_real(array: Array, name: str) -> Array:
    """Return the array if its type is bool, integer or a float of at most 64 bits.

    Raises
    ------
    ShapeError
        If the type is another one.
    """
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise ShapeError(
            f"{name} has type {array.dtype}; give bool, integers, float16, float32 or float64"
        )
    return array


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
    size: int, kernel: int, *, stride: int = 1, dilation: int = 1, padding: int = 0, axis: str = ""
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


@lru_cache(maxsize=64)
def border_index(size: int, before: int, after: int, mode: str) -> npt.NDArray[np.intp]:
    """Return, for each padded position, the pixel that stands there (-1: the constant); read-only.

    NumPy's own :func:`numpy.pad` makes the index, so its meaning holds here also where the
    padding exceeds the picture.

    Examples
    --------
    >>> border_index(4, 2, 1, "reflect").tolist()
    [2, 1, 0, 1, 2, 3, 2]
    """
    index = np.arange(size, dtype=np.intp)
    if mode == "constant":
        index = np.pad(index, (before, after), mode="constant", constant_values=-1)
    elif before or after:
        index = np.pad(index, (before, after), mode=mode)  # type: ignore[call-overload]
    index.flags.writeable = False
    return index


def pad_image(
    image: Array, rows: tuple[int, int], columns: tuple[int, int], border: Border, dtype: Any
) -> Array:
    """Return the image as `dtype` with pixels added above, below, left and right.

    Unlike :func:`numpy.pad` it converts first, so that a constant outside the range of the
    image's own type keeps its value.
    """
    wide = image.astype(dtype, copy=False)
    if not any((*rows, *columns)):
        return wide
    widths = (rows, columns) + ((0, 0),) * (image.ndim - 2)
    if border.mode == "constant":
        return np.pad(wide, widths, mode="constant", constant_values=border.value)
    return np.pad(wide, widths, mode=border.mode)  # type: ignore[arg-type]
