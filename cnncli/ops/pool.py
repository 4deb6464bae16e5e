"""Pooling: one number for each window of pixels."""

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import UsageError
from cnncli.ops.dtypes import result_dtype
from cnncli.ops.pool_bands import pool_bands
from cnncli.ops.ranges import to_pixels
from cnncli.ops.spans import Span
from cnncli.ops.windows import Pair, as_image, parse_pair

Array = npt.NDArray[Any]
PoolMode = Literal["max", "avg", "min", "median", "l2", "sum"]
PoolEdge = Literal["partial", "drop", "pad"]
POOL_MODES: tuple[str, ...] = get_args(PoolMode)
POOL_EDGES: tuple[str, ...] = get_args(PoolEdge)


def max_pool2d(
    image: npt.ArrayLike,
    size: Pair = 2,
    *,
    stride: Pair | None = None,
    edge: str = "partial",
    padding: Pair = 0,
) -> Array:
    """Return the largest value of each window: :func:`pool2d` with mode ``max``.

    Examples
    --------
    >>> max_pool2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).tolist()
    [[5, 6], [8, 9]]
    """
    return pool2d(image, size, stride=stride, mode="max", edge=edge, padding=padding)


def average_pool2d(
    image: npt.ArrayLike,
    size: Pair = 2,
    *,
    stride: Pair | None = None,
    edge: str = "partial",
    padding: Pair = 0,
) -> Array:
    """Return the mean of each window: :func:`pool2d` with mode ``avg``.

    Examples
    --------
    >>> average_pool2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).tolist()
    [[3.0, 4.5], [7.5, 9.0]]
    """
    return pool2d(image, size, stride=stride, mode="avg", edge=edge, padding=padding)


def pool2d(
    image: npt.ArrayLike,
    size: Pair = 2,
    *,
    stride: Pair | None = None,
    mode: str = "max",
    edge: str = "partial",
    padding: Pair = 0,
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
) -> Array:
    """Reduce each window of an image to one number.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``; each channel is pooled by itself.
    size, stride
        Window and step, one number or ``(rows, columns)``; the step is the window by default.
    mode
        ``max``, ``min``, ``median``; ``avg``: the sum over the count of real pixels; ``sum``;
        ``l2``: the root of the sum of squares. NaN in a window makes its result NaN.
    edge
        ``partial``: a last window that reaches over the edge pools the pixels that it has (torch's
        ``ceil_mode``); ``drop``: only whole windows; ``pad``: as torch with `padding`.
    padding
        For ``pad``: virtual pixels on each side, at most half a window; they never win a maximum
        or minimum and never count in a mean.
    dtype
        Type of the result, if not the natural one: integers are rounded half up, once, and
        clipped; a mean of integers is exact.
    threads
        At most so many; all processors by default. The result is the same for every number.

    Returns
    -------
    ndarray
        ``(OH, OW[, C])``, ``OH = floor((H + 2*p - k) / s) + 1``; for ``partial`` rounded up, less
        windows that start beyond the edge. ``max`` and ``min`` keep the image's type, so does
        ``median`` where every window has an odd count; ``sum`` of integers is exact; the rest is
        float32 (float64 for float64 and for integers wider than 16 bits).

    Raises
    ------
    ShapeError
        If no window fits, or the padding exceeds half a window.
    UsageError
        If the mode or edge is unknown, or `padding` is given without ``pad``.
    """
    pixels = as_image(image)
    _check_names(mode, edge)
    sizes = parse_pair(size, "size")
    steps = parse_pair(size if stride is None else stride, "stride")
    borders = parse_pair(padding, "padding", least=0)
    if edge != "pad" and any(borders):
        raise UsageError(f"padding {padding!r} needs edge pad, not {edge}; use --edge pad")
    if dtype is not None and np.dtype(dtype).kind not in "iuf":
        raise UsageError(f"pixels of type {dtype} are not possible; use integers or floats")
    down, across = (
        Span.of(pixels.shape[axis], sizes[axis], steps[axis], borders[axis], edge, name)
        for axis, name in enumerate(("height", "width"))
    )
    if mode != "median":
        return pool_bands(pixels, (down, across), mode, dtype, threads)
    middle = _median(pixels, down, across)
    return middle if dtype is None else to_pixels(middle, dtype)


def global_pool2d(image: npt.ArrayLike, mode: str = "max") -> Array:
    """Return :func:`pool2d` with one window that is the whole image: ``(1, 1[, C])``."""
    pixels = as_image(image)
    return pool2d(pixels, pixels.shape[:2], mode=mode)


def _check_names(mode: str, edge: str) -> None:
    if mode not in POOL_MODES:
        raise UsageError(f"mode {mode!r} is unknown; use one of {', '.join(POOL_MODES)}")
    if edge not in POOL_EDGES:
        raise UsageError(f"edge {edge!r} is unknown; use one of {', '.join(POOL_EDGES)}")


def _median(image: Array, down: Span, across: Span) -> Array:
    odd = bool((down.counts() % 2).all() and (across.counts() % 2).all())
    dtype = image.dtype if odd else result_dtype(image, np.ones((1, 1)))
    out = np.empty((down.count, across.count, *image.shape[2:]), dtype)
    for rows in down.runs():
        for columns in across.runs():
            views = np.lib.stride_tricks.sliding_window_view(
                image[rows.start :, columns.start :], (rows.length, columns.length), axis=(0, 1)
            )[:: down.stride, :: across.stride]
            target = out[rows.first : rows.stop, columns.first : columns.stop]
            views = views[: target.shape[0], : target.shape[1]]
            for row, view in zip(target, views, strict=True):  # one row at a time bounds memory
                row[...] = np.median(view, axis=(-2, -1))
    return out
