"""One policy for number types: what comes out of an image and a kernel, and why it cannot overflow.

* Integer image and integer kernel: exact integers.
* Anything else: float32, or float64 where the image's own values need it (float64, 32- and
  64-bit integers). A kernel's type alone never widens the result: Python floats are float64.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError
from cnncli.ops.windows import check_real

Array = npt.NDArray[Any]


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
        info = np.iinfo(image.dtype)
        return info.min, info.max
    return int(image.min()), int(image.max())


def response_range(kernel: Array, low: int, high: int) -> tuple[int, int]:
    """Return bounds of the sum of products of an integer kernel with values in [low, high].

    Each product ``w * x`` is least at ``x = low`` for ``w > 0`` and at ``x = high`` for ``w < 0``,
    so the least sum is ``low * P + high * N`` with ``P`` and ``N`` the sums of the positive and of
    the negative weights; likewise ``high * P + low * N`` is the largest. Python's integers do the
    arithmetic, which cannot overflow, and both bounds are reached by some window.
    """
    weights = kernel.ravel().tolist()
    positive = sum(w for w in weights if w > 0)
    negative = sum(w for w in weights if w < 0)
    return low * positive + high * negative, high * positive + low * negative


def holds(dtype: Any, low: int, high: int) -> bool:
    """Return whether an integer type holds all of [low, high]."""
    info = np.iinfo(dtype)
    return info.min <= low and high <= info.max


def result_dtype(image: Array, kernel: Array, border_value: float = 0.0) -> np.dtype[Any]:
    """Return the type of a correlation's result.

    Integers times integers give int32 where :func:`response_range` proves that it holds every
    possible sum, else int64. The final sum alone decides: a partial sum that leaves the type wraps
    modulo 2**32 or 2**64 and comes back, because addition is exact in that ring.

    Parameters
    ----------
    image
        Checked image.
    kernel
        int64 or float64, from :func:`as_kernel`.
    border_value
        The constant outside the picture, if any; a fraction makes the result a float.

    Raises
    ------
    KernelError
        If even int64 could overflow.
    """
    check_real(image, "image")
    if image.dtype.kind == "f" or kernel.dtype.kind == "f" or border_value != int(border_value):
        wide = image.dtype.kind != "b" and image.dtype.itemsize > (
            4 if image.dtype.kind == "f" else 2
        )
        return np.dtype(np.float64 if wide else np.float32)
    low, high = value_range(image)
    low, high = min(low, int(border_value)), max(high, int(border_value))
    least, largest = response_range(kernel, low, high)
    if image.dtype.itemsize <= 2 and holds(np.int32, least, largest):
        return np.dtype(np.int32)
    if holds(np.int64, least, largest):
        return np.dtype(np.int64)
    raise KernelError(
        f"the products reach {max(-least, largest):.3g}, beyond 64-bit integers; "
        "convert the image to float64"
    )
