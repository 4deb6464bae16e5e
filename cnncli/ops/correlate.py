"""Correlation and convolution of signals and images.

*Correlation* slides the kernel as it is written and sums the products: what CNN layers call
convolution. *Convolution* rotates the kernel by 180 degrees first, so that an impulse turns into
a copy of the kernel.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError
from cnncli.ops.dtypes import as_kernel
from cnncli.ops.run import Windows, apply_kernel
from cnncli.ops.windows import Border, Pair, as_image, check_real

Array = npt.NDArray[Any]


def correlate2d(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    border: str | Border = "valid",
    stride: Pair = 1,
    dilation: Pair = 1,
) -> Array:
    """Slide a kernel over an image and sum the products of each window.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``; each channel is filtered by itself.
    kernel
        ``(kh, kw)``, any size.
    border
        ``valid`` for whole windows only, or what lies outside: ``reflect``, ``symmetric``,
        ``edge``, ``constant[:V]``, ``wrap``, with NumPy's meanings.
    stride, dilation
        Steps between windows and between taps, one number or ``(rows, columns)``.

    Returns
    -------
    ndarray
        ``(OH, OW[, C])`` with ``OH = floor((H + pads - d*(kh - 1) - 1) / s) + 1``: exact integers
        (int32, or int64 where needed) for integers, else float32 (float64 for float64).

    Raises
    ------
    ShapeError
        If sizes do not fit.
    KernelError
        If the kernel is empty or not finite.

    Examples
    --------
    >>> correlate2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0, 1], [2, 0]]).tolist()
    [[10, 13], [19, 22]]
    """
    windows = Windows.of(border, stride, dilation)
    return apply_kernel(as_image(image), as_kernel(kernel), windows, None, None)[0]


def convolve2d(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    border: str | Border = "valid",
    stride: Pair = 1,
    dilation: Pair = 1,
) -> Array:
    """Convolve an image: :func:`correlate2d` with the kernel rotated by 180 degrees.

    Parameters, results and errors are those of :func:`correlate2d`.

    Examples
    --------
    >>> convolve2d([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    rotated = as_kernel(kernel)[::-1, ::-1]
    return correlate2d(image, rotated, border=border, stride=stride, dilation=dilation)


def correlate1d(
    signal: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    border: str | Border = "valid",
    stride: int = 1,
    dilation: int = 1,
) -> Array:
    """Slide a kernel over a signal and sum the products of each window.

    Parameters
    ----------
    signal, kernel
        ``(N,)`` and ``(k,)``.
    border, stride, dilation
        As for :func:`correlate2d`.

    Returns
    -------
    ndarray
        ``(floor((N + pads - d*(k - 1) - 1) / s) + 1,)``; types as for :func:`correlate2d`.

    Raises
    ------
    ShapeError
        If the signal has more than one axis or is shorter than the kernel.
    KernelError
        If the kernel is empty or not finite.

    Examples
    --------
    >>> correlate1d([1, 0, 2, 3, 1, 0, 1], [1, 0, -1]).tolist()
    [-1, -3, 1, 3, 0]
    """
    values = check_real(np.asarray(signal), "signal")
    if values.ndim != 1 or values.size == 0:
        raise ShapeError(f"signal has shape {values.shape}; give one row of at least one number")
    row = as_kernel(kernel, ndim=1)[np.newaxis]
    steps = {"stride": (1, stride), "dilation": (1, dilation)}
    return correlate2d(values[np.newaxis], row, border=border, **steps)[0]  # type: ignore[no-any-return]


def convolve1d(
    signal: npt.ArrayLike,
    kernel: npt.ArrayLike,
    *,
    border: str | Border = "valid",
    stride: int = 1,
    dilation: int = 1,
) -> Array:
    """Convolve a signal: :func:`correlate1d` with the kernel reversed.

    Parameters, results and errors are those of :func:`correlate1d`.

    Examples
    --------
    >>> convolve1d([1, 0, 2, 3, 1, 0, 1], [1, 0, -1]).tolist()
    [1, 3, -1, -3, 0]
    """
    reverse = as_kernel(kernel, ndim=1)[::-1]
    return correlate1d(signal, reverse, border=border, stride=stride, dilation=dilation)
