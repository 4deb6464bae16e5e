"""Pooling: one number for each window of pixels."""

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from cnncli.errors import ShapeError, UsageError
from cnncli.ops.bands import Scratch
from cnncli.ops.borders import Pair, output_size, parse_pair
from cnncli.ops.dtypes import (
    as_image,
    exact_dtype,
    integer_range,
    narrowest,
    real_dtype,
    value_range,
)
from cnncli.ops.pixels import Exact, to_pixels
from cnncli.ops.taps import box_sums
from cnncli.pipeline import core_count, ordered_map
from cnncli.rows import Rows

Array = npt.NDArray[Any]
POOL_MODES = ("max", "avg", "min", "median", "l2", "sum")
POOL_EDGES = ("partial", "drop", "pad")

_BAND = 3_000_000  # bytes of a band's reduced rows
_ALONE = 10_000_000  # samples for one thread, below which another costs more than it saves
_OPERATIONS: dict[str, np.ufunc] = {"max": np.maximum, "min": np.minimum}


class Run(NamedTuple):
    """Windows ``first`` to ``stop - 1``, each of `length` pixels, the first one at `start`."""

    first: int
    stop: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Span:
    """The windows along one axis.

    Parameters
    ----------
    length
        Pixels of the axis.
    size, stride
        Of the windows.
    pad
        Virtual pixels before the first real one.
    count
        Number of windows.
    """

    length: int
    size: int
    stride: int
    pad: int
    count: int

    @classmethod
    def of(cls, length: int, size: int, stride: int, pad: int, edge: str, axis: str) -> "Span":
        """Return the windows for an edge rule, or raise a ShapeError."""
        if pad > size // 2:
            raise ShapeError(
                f"padding {pad} exceeds half the window of {size}; use at most {size // 2}"
            )
        if edge != "partial":
            count = output_size(length, size, stride=stride, padding=2 * pad, axis=axis)
            return cls(length, size, stride, pad, count)
        count = -(-max(length - size, 0) // stride) + 1
        if (count - 1) * stride >= length:
            count -= 1  # with steps longer than windows the last one may start beyond the edge
        return cls(length, min(size, length), stride, 0, count)

    @property
    def line(self) -> int:
        """Pixels of whole strides that hold padding, image and last window."""
        last = (self.count - 1) * self.stride + self.size
        return -(-max(last, self.count * self.stride) // self.stride) * self.stride

    def bounds(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return first and past-the-last real pixel of each window."""
        starts = np.arange(self.count) * self.stride - self.pad
        return np.maximum(starts, 0), np.minimum(starts + self.size, self.length)

    def part(self, start: int, stop: int) -> tuple["Span", int, int]:
        """Return some of the windows, on pixels of their own: their first and past-the-last."""
        starts, stops = self.bounds()
        first, last = int(starts[start]), int(stops[stop - 1])
        pad = first + self.pad - start * self.stride
        return replace(self, length=last - first, pad=pad, count=stop - start), first, last

    def runs(self) -> list[Run]:
        """Return the windows in runs of equal lengths, a stride apart."""
        if not self.pad and (self.count - 1) * self.stride + self.size <= self.length:
            return [Run(0, self.count, 0, self.size)]
        starts, stops = self.bounds()
        counts = stops - starts
        breaks = (np.diff(counts) != 0) | (np.diff(starts) != self.stride)
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), self.count]
        return [Run(a, b, int(starts[a]), int(counts[a])) for a, b in pairwise(edges)]


def max_pool2d(image: npt.ArrayLike, size: Pair = 2, **options: Any) -> Array:
    """Return the largest value of each window: :func:`pool2d` with mode ``max``.

    Examples
    --------
    >>> max_pool2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).tolist()
    [[5, 6], [8, 9]]
    """
    return pool2d(image, size, mode="max", **options)


def average_pool2d(image: npt.ArrayLike, size: Pair = 2, **options: Any) -> Array:
    """Return the mean of each window: :func:`pool2d` with mode ``avg``.

    Examples
    --------
    >>> average_pool2d([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).tolist()
    [[3.0, 4.5], [7.5, 9.0]]
    """
    return pool2d(image, size, mode="avg", **options)


def pool2d(
    image: npt.ArrayLike | Rows,
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
        ``(H, W)`` or ``(H, W, C)``; each channel is pooled by itself. Of
        :class:`~cnncli.rows.Rows` the result is rows too, but for the median.
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
    if mode not in POOL_MODES:
        raise UsageError(f"mode {mode!r} is unknown; use one of {', '.join(POOL_MODES)}")
    if edge not in POOL_EDGES:
        raise UsageError(f"edge {edge!r} is unknown; use one of {', '.join(POOL_EDGES)}")
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
    if isinstance(pixels, Rows) and mode != "median":
        natural = _types(pixels, down.size * across.size, mode)[0]

        def make(start: int, stop: int) -> Array:
            part, first, last = down.part(start, stop)
            return _pool(pixels[first:last], (part, across), mode, dtype, 1)

        shape = down.count, across.count, *pixels.shape[2:]
        taken = down.stride * pixels.row_bytes
        return Rows(shape, dtype or natural, make, taken)  # type: ignore[return-value]
    if mode != "median":
        return _pool(pixels, (down, across), mode, dtype, threads)
    middle = _median(np.asarray(pixels), down, across)
    return middle if dtype is None else to_pixels(middle, dtype)


class _Pooling(NamedTuple):
    """What the bands share: rows ``(H, W * channels)``, windows, mode and types.

    ``sums`` is the type that windows are reduced in, ``natural`` holds results as they are.
    """

    rows: Array
    channels: int
    down: Span
    across: Span
    mode: str
    sums: np.dtype[Any]
    natural: np.dtype[Any]


def _pool(
    image: Array, spans: tuple[Span, Span], mode: str, dtype: Any, threads: int | None
) -> Array:
    """Return the reduced windows as `dtype`, rounded half up and clipped for integers.

    Rows are reduced from the image itself, then neighbours along the flat rows, where the next
    pixel is one pixel's samples away; then one pixel a stride is kept.
    """
    down, across = spans
    natural, sums = _types(image, down.size * across.size, mode)
    size = down.count, across.count
    out = np.empty((*size, *image.shape[2:]), natural if dtype is None else dtype)
    rows, pixels = np.ascontiguousarray(image).reshape(len(image), -1), out.reshape(*size, -1)
    pooling = _Pooling(rows, pixels.shape[2], down, across, mode, sums, natural)

    def do(band: Run) -> None:
        with Scratch.lent() as scratch:
            target = pixels[band.first : band.stop]
            flat = _reduce_rows(pooling, band, scratch)
            kept = scratch.empty(target.shape, sums)
            _reduce_columns(pooling, flat, kept, scratch)
            for run in across.runs():
                part = np.s_[:, run.first : run.stop]
                _finish(pooling, kept[part], band.length * run.length, target[part])

    used = min(threads or core_count(), max(1, image.size // _ALONE))
    bands = _cut(down, across.line * pixels.shape[2] * sums.itemsize, used)
    deque(ordered_map(do, bands, min(used, len(bands))), maxlen=0)
    return out


def _reduce_rows(pooling: _Pooling, band: Run, scratch: Scratch) -> Array:
    """Return each column of the windows reduced to one value: lines of samples, one after another.

    A line has whole strides that hold padding, image and last window; what lies beside the image
    changes no result. So many samples follow the last line that windows may be read past it.
    """
    rows, channels, down, across, mode, sums, _ = pooling
    line, left, count = across.line * channels, across.pad * channels, band.stop - band.first
    width = min(rows.shape[1], line - left)
    flat = scratch.empty(count * line + across.size * channels, sums)
    (flat if width < line else flat[count * line :]).fill(_neutral(mode, sums))
    total = flat[: count * line].reshape(count, line)[:, left : left + width]
    stop = band.start + (count - 1) * down.stride + 1
    lines = [rows[band.start + i : stop + i : down.stride, :width] for i in range(band.length)]
    if mode == "l2":
        square = scratch.empty(total.shape, sums)
        total.fill(0)
        for each in lines:
            np.copyto(square, each, "unsafe")
            np.multiply(square, square, out=square)
            np.add(total, square, out=total)
        return flat
    # NumPy converts and adds a few thousand samples at a time: they stay in the nearest cache.
    how: dict[str, Any] = {"out": total, "dtype": sums, "casting": "unsafe"}
    operation = _OPERATIONS.get(mode, np.add)
    if len(lines) == 1:
        np.copyto(total, lines[0], "unsafe")
    for i, each in enumerate(lines[1:]):
        operation(total if i else lines[0], each, **how)
    return flat


def _reduce_columns(pooling: _Pooling, flat: Array, out: Array, scratch: Scratch) -> None:
    """Reduce neighbours along the lines; keep one pixel a stride ``(rows, pixels, channels)``."""
    across, c = pooling.across, pooling.channels
    n = len(out) * across.line * c
    if pooling.mode in _OPERATIONS:
        wide = _extremes(flat, n, c, across.size, _OPERATIONS[pooling.mode], scratch)
    else:
        wide = box_sums(flat, n, c, across.size, scratch)
    _keep(wide, across.stride * c, out)


def _extremes(
    source: Array, n: int, step: int, k: int, operation: np.ufunc, scratch: Scratch
) -> Array:
    """Return the extremes of k neighbours in about log2(k) calls: windows may overlap."""
    size = 1
    while size < k:
        further = min(size, k - size)
        m = n + (k - size - further) * step
        ahead = source[further * step : further * step + m]
        source = operation(source[:m], ahead, out=scratch.empty(m, source.dtype))
        size += further
    return source[:n]


def _keep(flat: Array, step: int, out: Array) -> None:
    """Copy the first pixel of every `step` samples into ``(rows, pixels, channels)``.

    Where the pixel and the step are as long as machine words, a narrowing cast does it, many
    times faster than a strided copy; two or three samples are copied one channel at a time.
    """
    rows, pixels, c = out.shape
    word, pixel = step * flat.itemsize, c * flat.itemsize
    if word in (2, 4, 8) and 2 * pixel <= word and word % pixel == 0:
        wide = flat.reshape(rows, -1).view(f"<u{word}")[:, :pixels]
        np.copyto(out.reshape(rows, -1).view(f"<u{pixel}"), wide, "unsafe")
        return
    groups = flat.reshape(rows, -1, step)[:, :pixels, :c]
    for channel in range(c) if c in (2, 3) else (slice(None),):
        np.copyto(out[..., channel], groups[..., channel])


def _finish(pooling: _Pooling, values: Array, count: int, out: Array) -> None:
    """Turn reduced windows of `count` pixels, which are overwritten, into results."""
    mode = pooling.mode
    if mode == "l2":
        np.sqrt(values, out=values)
    if mode == "avg" and values.dtype.kind in "iu" and out.dtype == pooling.rows.dtype:
        Exact(1, 0, count, False, 0, 0, out.dtype, values.dtype).apply(values)
        np.copyto(out, values, "unsafe")  # a mean lies between the smallest and the largest
    elif out.dtype.kind in "iu" and out.dtype != pooling.natural:
        out[...] = to_pixels(values, out.dtype, scale=count if mode == "avg" else 1)
    elif mode == "avg":
        np.divide(values, out.dtype.type(count), out=out, dtype=out.dtype, casting="unsafe")
    else:
        np.copyto(out, values, "unsafe")


def _neutral(mode: str, dtype: np.dtype[Any]) -> Any:
    """Return the value that changes no result."""
    if mode not in _OPERATIONS:
        return 0
    ends: Any = {"b": (False, True), "f": (-np.inf, np.inf)}.get(dtype.kind)
    return (ends or integer_range(dtype))[mode == "min"]


def _types(image: Any, size: int, mode: str) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Return the type that holds results as they are, and the one to reduce windows in."""
    if mode in ("max", "min"):
        return image.dtype, image.dtype
    real = real_dtype(image)
    if image.dtype.kind == "f":
        return real, np.dtype(np.float64) if mode == "l2" else real
    low, high = value_range(image)
    exact = exact_dtype(image, min(low * size, 0), max(high * size, 0))
    half = size // 2 + 1  # for the rounding of a mean
    narrow = narrowest(min(low, 0) * size, max(high, 0) * size + half)
    sums = np.dtype(np.float64) if mode == "l2" else narrow or exact
    return (exact if mode == "sum" else real), sums


def _cut(down: Span, line: int, threads: int) -> list[Run]:
    """Cut the outputs into bands of about equal work, each of windows of one length."""
    count = max(-(-down.count // max(1, _BAND // line)), 4 * threads if threads > 1 else 1)
    each, bands = -(-down.count // count), []
    for run in down.runs():
        for first in range(run.first, run.stop, each):
            start = run.start + (first - run.first) * down.stride
            bands.append(Run(first, min(first + each, run.stop), start, run.length))
    return bands


def _median(image: Array, down: Span, across: Span) -> Array:
    odd = all(run.length % 2 for span in (down, across) for run in span.runs())
    size, step = (down.count, across.count), (down.stride, across.stride)
    out = np.empty((*size, *image.shape[2:]), image.dtype if odd else real_dtype(image))
    for rows in down.runs():
        for columns in across.runs():
            seen, window = image[rows.start :, columns.start :], (rows.length, columns.length)
            views = sliding_window_view(seen, window, axis=(0, 1))[:: step[0], :: step[1]]
            target = out[rows.first : rows.stop, columns.first : columns.stop]
            for row, view in zip(target, views[: len(target)], strict=True):  # bounds memory
                row[...] = np.median(view[: len(row)], axis=(-2, -1))
    return out
