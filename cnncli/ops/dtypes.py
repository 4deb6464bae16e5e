"""One policy for number types: what comes out of an image and a kernel, and why it cannot overflow.

* Integer image and integer kernel: exact integers.
* Anything else: float32, or float64 where the image's own values need it (float64, 32- and
  64-bit integers). A kernel's type alone never widens the result: Python floats are float64.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError, ShapeError
from cnncli.rows import Rows

Array = npt.NDArray[Any]


def as_image(image: npt.ArrayLike | Rows) -> Any:
    """Return the image as an array ``(H, W)`` or ``(H, W, C)`` of bool, integers or floats.

    :class:`~cnncli.rows.Rows` stay rows.

    Raises
    ------
    ShapeError
        If it has another number of axes, an axis of length 0, or values that are no real numbers.
    """
    array: Any = image if isinstance(image, Rows) else np.asarray(image)
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


def as_kernel(kernel: npt.ArrayLike, ndim: int = 2) -> Array:
    """Return the kernel as int64 or float64.

    Raises
    ------
    KernelError
        If it has not `ndim` axes, is empty, or holds anything but finite real numbers.
    """
    array = np.asarray(kernel)
    shape = "(rows, columns)" if ndim == 2 else "(taps,)"
    if array.ndim != ndim or array.size == 0:
        raise KernelError(f"kernel has shape {array.shape}; give {shape}, each at least 1")
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise KernelError(f"kernel has type {array.dtype}; give integers or floats")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise KernelError("kernel holds a NaN or an infinity; give finite numbers")
        return array.astype(np.float64, copy=False)
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise KernelError(f"kernel reaches {array.max()}; the limit is 2**63 - 1")
    return array.astype(np.int64, copy=False)


def is_finite(image: Array) -> bool:
    """Return whether an image has neither NaN nor infinity; False also where its sum overflows.

    One pass that needs no memory: a NaN or an infinity survives every sum.
    """
    if image.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.add.reduce(image, axis=None)))


def value_range(image: Array) -> tuple[int, int]:
    """Return bounds of an integer image's values.

    The type's own range up to 16 bits, so that the result's type follows from types alone;
    beyond, the smallest and the largest value that are there.
    """
    if image.dtype.kind == "b":
        return 0, 1
    if image.dtype.itemsize <= 2:
        return integer_range(image.dtype)
    return int(image.min()), int(image.max())


@cache
def integer_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


_NARROWEST = [np.dtype(kind) for kind in (np.uint16, np.int16, np.uint32, np.int32, np.int64)]


def narrowest(low: int, high: int) -> np.dtype[Any] | None:
    """Return the first of uint16, int16, uint32, int32, int64 that holds [low, high], or None."""
    for kind in _NARROWEST:
        least, most = integer_range(kind)
        if least <= low and high <= most:
            return kind
    return None


def real_dtype(image: Array) -> np.dtype[Any]:
    """Return the type of real results: float64 for images that float32 does not hold exactly."""
    most = 4 if image.dtype.kind == "f" else 2
    wide = image.dtype.kind != "b" and image.dtype.itemsize > most
    return np.dtype(np.float64 if wide else np.float32)


def exact_dtype(image: Array, least: int, largest: int) -> np.dtype[Any]:
    """Return the type of exact sums of an integer image between two bounds.

    int32 where it holds every possible sum, else int64. The final sum alone decides: a partial sum
    that leaves the type wraps modulo 2**32 or 2**64 and comes back, because addition is exact in
    that ring.

    Raises
    ------
    KernelError
        If even int64 could overflow.
    """
    for kind, widest in ((np.int32, 2), (np.int64, 8)):
        low, high = integer_range(np.dtype(kind))
        if image.dtype.itemsize <= widest and low <= least and largest <= high:
            return np.dtype(kind)
    raise KernelError(
        f"the products reach {max(-least, largest):.3g}, beyond 64-bit integers; "
        "convert the image to float64"
    )
