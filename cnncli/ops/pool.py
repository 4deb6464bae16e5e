"""Pooling: one number for each window of pixels."""

from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError, UsageError
from cnncli.ops.dtypes import result_dtype
from cnncli.ops.windows import Pair, as_image, output_size, parse_pair

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
    (kh, kw), steps = (
        parse_pair(size, "size"),
        parse_pair(size if stride is None else stride, "stride"),
    )
    borders = parse_pair(padding, "padding", least=0)
    if edge != "pad" and any(borders):
        raise UsageError(f"padding {padding!r} needs edge pad, not {edge}; use --edge pad")
    spans = tuple(
        _windows(length, k, s, p, edge, axis)
        for length, k, s, p, axis in zip(
            pixels.shape[:2], (kh, kw), steps, borders, ("height", "width"), strict=True
        )
    )
    if mode == "median":
        return _median(pixels, spans)
    return _reduce(pixels, spans, mode)


def global_pool2d(image: npt.ArrayLike, mode: str = "max") -> Array:
    """Return :func:`pool2d` with one window that is the whole image: ``(1, 1[, C])``."""
    pixels = as_image(image)
    return pool2d(pixels, pixels.shape[:2], mode=mode)


def _check_names(mode: str, edge: str) -> None:
    if mode not in POOL_MODES:
        raise UsageError(f"mode {mode!r} is unknown; use one of {', '.join(POOL_MODES)}")
    if edge not in POOL_EDGES:
        raise UsageError(f"edge {edge!r} is unknown; use one of {', '.join(POOL_EDGES)}")


class _Span:
    """The windows along one axis: `count` of them, `size` long, `stride` apart, from -`pad`."""

    def __init__(self, length: int, size: int, stride: int, pad: int, count: int) -> None:
        self.length, self.size, self.stride, self.pad, self.count = length, size, stride, pad, count

    def bounds(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return first and past-the-last real pixel of each window."""
        starts = np.arange(self.count) * self.stride - self.pad
        return np.maximum(starts, 0), np.minimum(starts + self.size, self.length)

    def counts(self) -> npt.NDArray[np.intp]:
        """Return how many real pixels each window has."""
        starts, stops = self.bounds()
        return stops - starts

    def runs(self) -> list[tuple[slice, int, int]]:
        """Return (outputs, first pixel, length) for each run of equal windows a stride apart."""
        starts, stops = self.bounds()
        counts = stops - starts
        breaks = (np.diff(counts) != 0) | (np.diff(starts) != self.stride)
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), self.count]
        return [(slice(a, b), int(starts[a]), int(counts[a])) for a, b in pairwise(edges)]


def _windows(length: int, size: int, stride: int, pad: int, edge: str, axis: str) -> _Span:
    if pad > size // 2:
        raise ShapeError(
            f"padding {pad} exceeds half the window of {size}; use at most {size // 2}"
        )
    if edge != "partial":
        count = output_size(length, size, stride=stride, padding=2 * pad, axis=axis)
        return _Span(length, size, stride, pad, count)
    count = -(-max(length - size, 0) // stride) + 1
    if (count - 1) * stride >= length:
        count -= 1  # with steps longer than windows the last one may start beyond the edge
    return _Span(length, min(size, length), stride, 0, count)


def _neutral(dtype: np.dtype[Any], mode: str) -> Any:
    """Return the value that changes no result."""
    if mode not in ("max", "min"):
        return 0
    if dtype.kind == "b":
        return mode == "min"
    if dtype.kind == "f":
        return -np.inf if mode == "max" else np.inf
    info = np.iinfo(dtype)
    return info.min if mode == "max" else info.max


def _reduce(image: Array, spans: tuple[_Span, ...], mode: str) -> Array:
    """Reduce rows, then columns: the windows are rectangles and the reductions separable."""
    operation = {"max": np.maximum, "min": np.minimum}.get(mode, np.add)
    work = image
    if mode in ("sum", "avg", "l2"):
        ones = np.ones((spans[0].size, spans[1].size), np.int64)
        work = image.astype(np.float64) if mode == "l2" else image.astype(result_dtype(image, ones))
        if mode == "l2":
            work *= work
    for axis, span in enumerate(spans):
        work = _reduce_axis(work, span, axis, operation, _neutral(work.dtype, mode))
    real = result_dtype(image, np.ones((1, 1)))
    if mode == "l2":
        return np.sqrt(work).astype(real)
    if mode == "avg":
        shape = (-1, spans[1].count, *(1,) * (image.ndim - 2))
        counts = np.multiply.outer(spans[0].counts(), spans[1].counts()).reshape(shape)
        return np.divide(work, counts, dtype=np.float64).astype(real)
    return work


def _reduce_axis(image: Array, span: _Span, axis: int, operation: np.ufunc, neutral: Any) -> Array:
    last = (span.count - 1) * span.stride + 1
    after = last - 1 + span.size - span.length - span.pad
    work = np.moveaxis(image, axis, 0)
    if span.pad or after > 0:
        widths = ((span.pad, max(after, 0)),) + ((0, 0),) * (image.ndim - 1)
        work = np.pad(work, widths, constant_values=neutral)
    total = work[: last : span.stride].copy()
    for i in range(1, span.size):
        operation(total, work[i : i + last : span.stride], out=total)
    return np.moveaxis(total, 0, axis)


def _median(image: Array, spans: tuple[_Span, ...]) -> Array:
    rows, columns = spans
    odd = bool((rows.counts() % 2).all() and (columns.counts() % 2).all())
    dtype = image.dtype if odd else result_dtype(image, np.ones((1, 1)))
    out = np.empty((rows.count, columns.count, *image.shape[2:]), dtype)
    for out_rows, top, height in rows.runs():
        for out_columns, left, width in columns.runs():
            views = np.lib.stride_tricks.sliding_window_view(
                image[top:, left:], (height, width), axis=(0, 1)
            )[:: rows.stride, :: columns.stride]
            target = out[out_rows, out_columns]
            views = views[: target.shape[0], : target.shape[1]]
            for row, view in zip(target, views, strict=True):  # one row at a time bounds memory
                row[...] = np.median(view, axis=(-2, -1))
    return out
