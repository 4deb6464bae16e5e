"""Correlation and convolution of images and signals: here the kernel slides.

*Correlation* slides the kernel as it is written and sums the products: what CNN layers call
convolution. *Convolution* rotates the kernel by 180 degrees first, so that an impulse turns into
a copy of the kernel.
"""

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError, UsageError
from cnncli.ops.bands import Band, Layout, Scratch
from cnncli.ops.borders import Border, Pair, parse_windows
from cnncli.ops.choose import Algorithm, Choice, choose
from cnncli.ops.dtypes import as_image, as_kernel, check_real
from cnncli.ops.kernels import Kernel, Scale
from cnncli.ops.pixels import RESPONSE, Epilogue, extremes, resolve_range
from cnncli.pipeline import core_count, ordered_map
from cnncli.rows import Rows

Array = npt.NDArray[Any]

# Samples of a band of 16 bits each, fewer of wider ones: several buffers of it stay in a
# second-level cache of 2 MiB (12 megapixels in memory: 0.85 of the time of bands of 700,000, whole
# commands the same). Several threads need Python's lock for each call, and take twice as many to
# meet seldom.
_BAND = 300_000
_ALONE = 1.5e6  # nanoseconds for one thread, below which another costs more than it saves


def filter_image(  # noqa: PLR0913 (one argument for each option of the command)
    image: npt.ArrayLike | Rows,
    kernel: npt.ArrayLike | Kernel,
    *,
    op: str = "correlate",
    border: str | Border = "reflect",
    stride: Pair = 1,
    dilation: Pair = 1,
    scale: Scale = None,
    bias: float = 0.0,
    range: str = "auto",  # noqa: A002 (the name of the command's option)
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Algorithm]:
    """Filter an image and return pixels: ``response / scale + bias``, mapped and rounded once.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``; channels are filtered by themselves, so colour that is to be
        weighted by alpha comes in premultiplied. Of :class:`~cnncli.rows.Rows` the result is rows
        too, each filtered when it is asked for, where it can be made without all the others.
    kernel
        An array ``(kh, kw)``, or a :class:`~cnncli.ops.kernels.Kernel`, such as a named one: what
        is derived from it is then worked out once for all images.
    op
        ``correlate``, or ``convolve`` to rotate kernels by 180 degrees first.
    border, stride, dilation
        As for :func:`~cnncli.ops.correlate.correlate2d`.
    scale
        Divisor; ``"sum"`` for the sum of the weights; ``None`` for the kernel's own.
        Several kernels keep their own scales and divides by this one on top.
    bias
        Added after the division.
    range
        How real numbers become pixels: see :func:`~cnncli.ops.pixels.to_pixels`; ``auto`` is
        ``abs`` for kernels that sum to 0, else ``clip``.
    dtype
        Type of the pixels; the image's by default, uint8 for bool.
    threads
        At most so many; all processors by default. The result is the same for every number.
    out
        Where the pixels go, if given: an array of the result's shape and type, apart from the
        image. Fresh memory can cost more than the filter.

    Returns
    -------
    pixels
        ``(OH, OW[, C])`` of type `dtype`, or float32 for ``raw``.
    plan
        What was done and why.

    Raises
    ------
    KernelError, ShapeError, UsageError
        If kernel, sizes or names do not fit.

    Examples
    --------
    >>> pixels, plan = filter_image([[0, 0, 9, 9]], [[-1, 0, 1]], dtype="uint8")
    >>> pixels.tolist()
    [[0, 9, 9, 0]]
    """
    pixels, kernel = as_image(image), Kernel.of(kernel)
    if op not in ("correlate", "convolve"):
        raise UsageError(f"op {op!r} is unknown; use correlate or convolve")
    kind = dtype if dtype is not None else np.uint8 if pixels.dtype.kind == "b" else pixels.dtype
    epilogue = Epilogue.of(kind, resolve_range(range, kernel)[0], kernel.divisor(scale), bias)
    layout = Layout.of(pixels.shape, kernel.shape, *parse_windows(border, stride, dilation))
    kernel = kernel.rotated if op == "convolve" else kernel
    work = choose(kernel, pixels, layout, epilogue)
    if epilogue.mode == "minmax":
        ends: list[Any] = []  # the smallest response becomes black and the largest white
        pixels, look = np.asarray(pixels), lambda sums: ends.extend(extremes(sums))
        _slide(work, pixels, layout, threads=threads, look=look)
        epilogue = epilogue.stretched(*extremes(ends)).times(Fraction(1, work.divisor))
        work = choose(kernel, pixels, layout, epilogue)
    elif isinstance(pixels, Rows) and work.tile is None:
        rows = Rows(layout.shape, work.dtype, partial(_slide, work, pixels, layout, threads=1))
        return rows, work.plan  # type: ignore[return-value]
    return _slide(work, np.asarray(pixels), layout, threads=threads, out=out), work.plan


def _slide(
    work: Choice,
    image: Array | Rows,
    layout: Layout,
    start: int = 0,
    stop: int | None = None,
    *,
    threads: int | None = None,
    out: Array | None = None,
    look: Callable[[Array], None] | None = None,
) -> Array:
    """Pad each band, sum the products, make pixels of the sums: here a pixel is computed.

    Of some rows of the result, or all; on as many threads as pay. What finds extremes may `look`
    at each band, and no output is made.
    """
    if stop is not None:
        layout, first, last = layout.part(start, stop)
        image = image[first:last]
    image = np.ascontiguousarray(image)
    nothing = np.empty((0, 0, layout.channels))
    out = nothing if look else _output(out, image, layout.shape, work.dtype)
    pixels = out.reshape(*out.shape[:2], layout.channels)
    (sy, sx), (rows, columns), c = layout.stride, layout.full, layout.channels
    used = min(threads or core_count(), max(1, int(rows * columns * c * work.cost / _ALONE)))
    samples = _BAND * (2 if used == 1 else 4) // (work.padded.itemsize * len(work.correlate))
    bands = layout.cut(samples, used, work.tile)

    def do(band: Band) -> None:
        with Scratch.lent() as scratch:
            padded = layout.pad(image, band, work.padded, scratch)
            shape = band.tall, band.wide * c
            sums: list[Array] = []
            for correlate in work.correlate:
                sums += [correlate(padded, scratch, shape)]
            finished = band.view(work.finish(sums, scratch), padded.shape[1], c)[::sy, ::sx]
            if look is None:
                y, x = band.y // sy, band.x // sx
                area = pixels[y : y + finished.shape[0], x : x + finished.shape[1]]
                np.copyto(area, finished, "unsafe")
            else:
                look(finished)

    deque(ordered_map(do, bands, min(used, len(bands))), maxlen=0)
    return out


def _output(out: Array | None, image: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array, or `out` if it fits."""
    if out is None:
        return np.empty(shape, dtype)
    alike = out.shape == shape and out.dtype == dtype and out.flags.carray
    if not alike or np.may_share_memory(out, image):
        raise ShapeError(
            f"out is {out.dtype} {out.shape}; give a contiguous, writeable array of {dtype} "
            f"{shape} that shares no memory with the image"
        )
    return out


def correlate2d(
    image: npt.ArrayLike,
    kernel: npt.ArrayLike | Kernel,
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
        ``(kh, kw)``, any size; a :class:`~cnncli.ops.kernels.Kernel` counts without its scale.
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
    pixels, kernel = as_image(image), Kernel.of(kernel)
    layout = Layout.of(pixels.shape, kernel.shape, *parse_windows(border, stride, dilation))
    return _slide(choose(kernel, pixels, layout, RESPONSE), pixels, layout)


def convolve2d(image: npt.ArrayLike, kernel: npt.ArrayLike | Kernel, **windows: Any) -> Array:
    """Convolve an image: :func:`correlate2d` with the kernel rotated by 180 degrees.

    Parameters, results and errors are those of :func:`correlate2d`.

    Examples
    --------
    >>> convolve2d([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    return correlate2d(image, Kernel.of(kernel).rotated, **windows)


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
    steps: dict[str, Any] = {"stride": (1, stride), "dilation": (1, dilation)}
    found: Array = correlate2d(values[np.newaxis], row, border=border, **steps)[0]
    return found


def convolve1d(signal: npt.ArrayLike, kernel: npt.ArrayLike, **windows: Any) -> Array:
    """Convolve a signal: :func:`correlate1d` with the kernel reversed.

    Parameters, results and errors are those of :func:`correlate1d`.

    Examples
    --------
    >>> convolve1d([1, 0, 2, 3, 1, 0, 1], [1, 0, -1]).tolist()
    [1, 3, -1, -3, 0]
    """
    return correlate1d(signal, as_kernel(kernel, ndim=1)[::-1], **windows)
