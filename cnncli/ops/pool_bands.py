"""Maxima, minima, sums and means of windows, band by band on several threads.

A band reduces rows first, from the image itself, then neighbours along the flat row, where the
next pixel is one pixel's samples away, and last keeps one pixel a stride. Interleaved channels are
never taken apart.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.caches import second_level_cache
from cnncli.ops.dtypes import result_dtype, value_range
from cnncli.ops.engines import ROOMY
from cnncli.ops.finish import narrowest
from cnncli.ops.program import Arena, Program, neighbours
from cnncli.ops.ranges import to_pixels
from cnncli.ops.spans import Run, Span
from cnncli.ops.tiles import processors, share

Array = npt.NDArray[Any]

_LITTLE_ENDIAN = sys.byteorder == "little"
# Bytes of a band's reduced rows. Small ones stay in a roomy second-level cache; large ones let
# memory reach its full speed, and threads meet seldom: see `engines.SMALL_TILE`.
_SMALL_BAND, _LARGE_BAND = 250_000, 3_000_000
_ALONE = 1_500_000  # samples for one thread, below which another costs more than it saves


class Band(NamedTuple):
    """Outputs ``first`` to ``stop - 1`` down the image, whose windows are rows of a `run`."""

    first: int
    stop: int
    run: Run


class Bands(NamedTuple):
    """What bands share.

    Parameters
    ----------
    rows
        The image, ``(H, W * channels)``.
    channels
        Samples of a pixel.
    spans
        Windows down and across.
    mode
        ``max``, ``min``, ``sum``, ``avg`` or ``l2``.
    sums
        Type that the windows are reduced in.
    out
        ``(OH, OW, channels)``.
    natural
        Whether `out` has the type that holds the results as they are.
    """

    rows: Array
    channels: int
    spans: tuple[Span, Span]
    mode: str
    sums: np.dtype[Any]
    out: Array
    natural: bool

    @property
    def operation(self) -> np.ufunc:
        """The reduction of two values."""
        return {"max": np.maximum, "min": np.minimum}.get(self.mode, np.add)

    @property
    def neutral(self) -> Any:
        """The value that changes no result."""
        if self.mode not in ("max", "min"):
            return 0
        if self.sums.kind == "b":
            return self.mode == "min"
        if self.sums.kind == "f":
            return -np.inf if self.mode == "max" else np.inf
        info = np.iinfo(self.sums)
        return info.min if self.mode == "max" else info.max

    @property
    def line(self) -> int:
        """Pixels of a band's row: whole strides that hold padding, image and last window."""
        across = self.spans[1]
        last = (across.count - 1) * across.stride + across.size
        return -(-max(last, across.count * across.stride) // across.stride) * across.stride


def pool_bands(
    image: Array,
    spans: tuple[Span, Span],
    mode: str,
    dtype: npt.DTypeLike | None,
    threads: int | None,
) -> Array:
    """Return the reduced windows as `dtype`, rounded half up and clipped for integers.

    Without a `dtype` they are as :func:`natural_dtype` says.
    """
    height, width = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else 1
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    natural = natural_dtype(image, spans, mode)
    kind = natural if dtype is None else np.dtype(dtype)
    out = np.empty((spans[0].count, spans[1].count, channels), kind)
    sums = _sums_type(image, spans, mode)
    bands = Bands(rows, channels, spans, mode, sums, out, kind == natural)
    crew = min(threads or processors(), max(1, image.size // _ALONE))
    work = _cut(bands, crew)
    crew = min(crew, len(work))

    @contextmanager
    def lend() -> Iterator[Callable[[Band], None]]:
        with Arena.borrowed() as arena:

            def pool(band: Band) -> None:
                _pool(bands, band, Program(arena))
                arena.rewind()

            yield pool

    share(lend, work, crew)
    return out.reshape(spans[0].count, spans[1].count, *image.shape[2:])


def natural_dtype(image: Array, spans: tuple[Span, Span], mode: str) -> np.dtype[Any]:
    """Return the type that holds results as they are."""
    if mode in ("max", "min"):
        return image.dtype
    if mode == "sum":
        return result_dtype(image, np.ones((spans[0].size, spans[1].size), np.int64))
    return result_dtype(image, np.ones((1, 1)))


def _sums_type(image: Array, spans: tuple[Span, Span], mode: str) -> np.dtype[Any]:
    """Return the type to reduce in: sums of integers in the narrowest that holds them all."""
    if mode in ("max", "min"):
        return image.dtype
    if mode == "l2":
        return np.dtype(np.float64)
    exact = natural_dtype(image, spans, "sum")
    if exact.kind == "f":
        return exact
    low, high = value_range(image)
    size = spans[0].size * spans[1].size
    half = size // 2 + 1  # for the rounding of a mean
    return narrowest(min(low, 0) * size, max(high, 0) * size + half) or exact


def _cut(bands: Bands, threads: int) -> list[Band]:
    """Cut the outputs into bands of about equal work, each within one run of windows."""
    down = bands.spans[0]
    small = threads == 1 and second_level_cache() >= ROOMY
    size = _SMALL_BAND if small else _LARGE_BAND
    each = max(1, size // (bands.line * bands.channels * bands.sums.itemsize))
    count = -(-down.count // each)
    if threads > 1:
        count = max(count, 4 * threads)
    each = -(-down.count // count)
    return [
        Band(first, min(first + each, run.stop), run)
        for run in down.runs()
        for first in range(run.first, run.stop, each)
    ]


def _pool(bands: Bands, band: Band, program: Program) -> None:
    """Do one band: rows, neighbours, one pixel a stride, and what the mode asks for at the end."""
    count, across, c = band.stop - band.first, bands.spans[1], bands.channels
    if _pairs_up(bands):
        _finish(
            bands,
            _pair_sums(bands, band, program),
            2 * band.run.length,
            bands.out[band.first : band.stop],
        )
        return
    line = bands.line * c
    flat = _reduced_rows(bands, band, program, line)
    n = count * line
    wide = neighbours(program, flat, n, c, across.size, bands.operation, spare=True)
    program.run()
    if bands.mode in ("max", "min") and bands.sums == bands.out.dtype:
        _keep(wide, bands.out[band.first : band.stop], across.stride * c)
        return
    kept = program.empty((count, across.count, c), bands.sums)
    _keep(wide, kept, across.stride * c)
    for run in across.runs():
        target = bands.out[band.first : band.stop, run.first : run.stop]
        _finish(bands, kept[:, run.first : run.stop], band.run.length * run.length, target)


def _pairs_up(bands: Bands) -> bool:
    """Whether windows are pairs of grey bytes, whole ones, in a row that is made of pairs."""
    across = bands.spans[1]
    return (
        bands.mode in ("sum", "avg")
        and bands.rows.dtype == np.uint8
        and bands.sums == np.uint16
        and (across.size, across.stride, across.pad, bands.channels) == (2, 2, 0, 1)
        and bands.rows.shape[1] == 2 * across.count
    )


def _pair_sums(bands: Bands, band: Band, program: Program) -> Array:
    """Return sums of windows two bytes wide: each pair is a 16-bit word, its halves are added."""
    shape = (band.stop - band.first, bands.spans[1].count)
    total, high = program.empty(shape, np.uint16), program.empty(shape, np.uint16)
    for i, line in enumerate(_lines(bands, band)):
        words = line.view(np.uint16)
        np.right_shift(words, 8, out=high)
        if i:
            np.add(total, high, out=total)
            np.bitwise_and(words, 255, out=high)
            np.add(total, high, out=total)
        else:
            np.bitwise_and(words, 255, out=total)
            np.add(total, high, out=total)
    return total.reshape(*shape, 1)


def _lines(bands: Bands, band: Band) -> list[Array]:
    """Return, for each row of the windows, that row of all windows of the band: views."""
    step = bands.spans[0].stride
    start = band.run.start + (band.first - band.run.first) * step
    stop = start + (band.stop - band.first - 1) * step + 1
    return [bands.rows[start + i : stop + i : step] for i in range(band.run.length)]


def _reduced_rows(bands: Bands, band: Band, program: Program, line: int) -> Array:
    """Return the windows' rows reduced to one, flat, with neutral pixels around them.

    The buffer is long enough for the windows of the last pixels to be read past the last row.
    """
    count, across, c = band.stop - band.first, bands.spans[1], bands.channels
    flat = program.empty(count * line + across.size * c, bands.sums)
    flat[count * line :] = bands.neutral
    rows = flat[: count * line].reshape(count, line)
    left = across.pad * c
    width = min(bands.rows.shape[1], line - left)
    if width < line:
        rows[:, :left] = bands.neutral
        rows[:, left + width :] = bands.neutral
    inside = rows[:, left : left + width]
    lines = [line[:, :width] for line in _lines(bands, band)]
    _reduce_lines(bands, lines, inside, program)
    return flat


def _reduce_lines(bands: Bands, lines: list[Array], inside: Array, program: Program) -> None:
    if bands.mode == "l2":
        _sum_squares(lines, inside, program)
        return
    if len(lines) == 1:
        np.copyto(inside, lines[0], "unsafe")
        return
    # NumPy converts and adds a few thousand samples at a time: they stay in the nearest cache.
    how: dict[str, Any] = {"out": inside, "dtype": bands.sums, "casting": "unsafe"}
    bands.operation(lines[0], lines[1], **how)
    for one in lines[2:]:
        bands.operation(inside, one, **how)


def _sum_squares(lines: list[Array], inside: Array, program: Program) -> None:
    np.copyto(inside, lines[0], "unsafe")
    np.multiply(inside, inside, out=inside)
    wide = program.empty(inside.shape, inside.dtype)
    for one in lines[1:]:
        np.copyto(wide, one, "unsafe")
        np.multiply(wide, wide, out=wide)
        np.add(inside, wide, out=inside)


def _keep(flat: Array, target: Array, step: int) -> None:
    """Copy the first pixel of every `step` samples into `target` ``(rows, pixels, channels)``.

    Where the pixel and the step are as long as machine words, a narrowing cast does it, many
    times faster than a strided copy; two or three samples are copied one channel at a time.
    """
    rows, pixels, c = target.shape
    word, pixel = step * flat.itemsize, c * flat.itemsize
    groups = flat.reshape(rows, -1, step)[:, :pixels]
    if word in (2, 4, 8) and 2 * pixel <= word and word % pixel == 0 and _LITTLE_ENDIAN:
        wide = flat.reshape(rows, -1).view(f"u{word}")
        np.copyto(target.reshape(rows, -1).view(f"u{pixel}"), wide[:, :pixels], "unsafe")
    elif c in (2, 3):
        for channel in range(c):
            target[..., channel] = groups[..., channel]
    else:
        target[...] = groups[..., :c]


def _finish(bands: Bands, values: Array, count: int, target: Array) -> None:
    """Turn reduced windows of `count` pixels into results."""
    kind = target.dtype
    if bands.mode == "l2":
        values = np.sqrt(values)
    if bands.mode == "avg" and values.dtype.kind in "iu" and kind == bands.rows.dtype:
        values += values.dtype.type(count // 2)
        _divide(values, count)
        np.copyto(target, values, "unsafe")  # a mean lies between the smallest and the largest
    elif kind.kind in "iu" and not bands.natural:
        target[...] = to_pixels(values, kind, scale=count if bands.mode == "avg" else 1)
    elif bands.mode == "avg":
        np.divide(values, kind.type(count), out=target, dtype=kind, casting="unsafe")
    else:
        np.copyto(target, values, "unsafe")


def _divide(values: Array, count: int) -> None:
    one: Any = values.dtype.type
    if count & (count - 1) == 0:
        np.right_shift(values, one(count.bit_length() - 1), out=values)
    else:
        np.floor_divide(values, one(count), out=values)
