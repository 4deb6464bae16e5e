"""A band of pooled windows: rows first, then neighbours, then one pixel a stride.

Rows are reduced from the image itself, neighbours along the flat row, where the next pixel is one
pixel's samples away. Interleaved channels are never taken apart.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.program import Arena, Program, neighbours
from cnncli.ops.ranges import to_pixels
from cnncli.ops.spans import Run, Span

Array = npt.NDArray[Any]

# Takes the lines of windows, and where the results go: (rows, pixels, channels).
Reduction = Callable[[list[Array], Array], None]
_LITTLE_ENDIAN = sys.byteorder == "little"


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
    def width(self) -> int:
        """Samples of a row that windows read."""
        line, pad = self.line * self.channels, self.spans[1].pad * self.channels
        return min(int(self.rows.shape[1]), line - pad)

    @property
    def line(self) -> int:
        """Pixels of a band's row: whole strides that hold padding, image and last window."""
        across = self.spans[1]
        last = (across.count - 1) * across.stride + across.size
        return -(-max(last, across.count * across.stride) // across.stride) * across.stride


class BandWork:
    """Does bands one by one; buffers, views and calls are made once for bands of one height.

    Parameters
    ----------
    bands
        What the bands share.
    arena
        Gives the memory, and takes it back before bands of another height.
    """

    def __init__(self, bands: Bands, arena: Arena) -> None:
        self._bands, self._arena = bands, arena
        self._size: tuple[int, int] | None = None

    def work(self, band: Band) -> None:
        """Do one band."""
        size = band.stop - band.first, band.run.length
        if size != self._size:
            self._arena.rewind()
            self._reduce = _recorded(self._bands, *size, self._arena)
            self._size = size
        self._reduce(_lines(self._bands, band), self._bands.out[band.first : band.stop])


def _lines(bands: Bands, band: Band) -> list[Array]:
    """Return, for each row of the windows, that row of all windows of the band: views."""
    step = bands.spans[0].stride
    start = band.run.start + (band.first - band.run.first) * step
    stop = start + (band.stop - band.first - 1) * step + 1
    width = bands.width
    return [bands.rows[start + i : stop + i : step, :width] for i in range(band.run.length)]


def _recorded(bands: Bands, count: int, length: int, arena: Arena) -> Reduction:
    """Return what makes `count` rows of results of windows with `length` rows."""
    record = _recorded_pairs if _pairs_up(bands) else _recorded_windows
    return record(bands, count, length, arena)


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


def _recorded_pairs(bands: Bands, count: int, length: int, arena: Arena) -> Reduction:
    """Return sums of windows two bytes wide: each pair is a 16-bit word, its halves are added.

    The halves of a word w with the upper half h sum up to w - 255 * h: words and upper halves may
    be added first, as only the end result has to fit.
    """
    shape = (count, bands.spans[1].count)
    total, high, other = (arena.empty(shape, np.uint16) for _ in range(3))
    values, eight, most = total.reshape(*shape, 1), np.uint16(8), np.uint16(255)

    def reduce(lines: list[Array], target: Array) -> None:
        first, *rest = (line.view(np.uint16) for line in lines)
        np.right_shift(first, eight, high)
        for words in rest:
            np.right_shift(words, eight, other)
            np.add(high, other, high)
            np.add(first, words, total)
            first = total
        np.multiply(high, most, high)
        np.subtract(first, high, total)
        _finish(bands, values, 2 * length, target)

    return reduce


def _recorded_windows(bands: Bands, count: int, length: int, arena: Arena) -> Reduction:
    """Return the reduction of lines, neighbours and strides.

    The buffer is long enough for the windows of the last pixels to be read past the last row.
    """
    across, c = bands.spans[1], bands.channels
    line, left, step = bands.line * c, across.pad * c, across.stride * c
    program = Program(arena)
    flat = program.empty(count * line + across.size * c, bands.sums)
    flat.fill(bands.neutral)  # what lies beside the image stays so
    inside = flat[: count * line].reshape(count, line)[:, left : left + bands.width]
    reduce_lines = _line_reduction(bands, inside, arena)
    wide = neighbours(
        program, flat, count * line, c, across.size, bands.operation, spare=bands.width == line
    )
    shape = count, across.count, c
    if bands.mode in ("max", "min") and bands.sums == bands.out.dtype:
        keep = _keeping(wide, shape, step)

        def extreme(lines: list[Array], target: Array) -> None:
            reduce_lines(lines)
            program.run()
            keep(target)

        return extreme
    kept, runs = program.empty(shape, bands.sums), across.runs()
    keep = _keeping(wide, shape, step)

    def total(lines: list[Array], target: Array) -> None:
        reduce_lines(lines)
        program.run()
        keep(kept)
        for run in runs:
            columns = slice(run.first, run.stop)
            _finish(bands, kept[:, columns], length * run.length, target[:, columns])

    return total


def _line_reduction(bands: Bands, inside: Array, arena: Arena) -> Callable[[list[Array]], None]:
    """Return what reduces lines to one, into `inside`."""
    if bands.mode == "l2":
        return partial(_sum_squares, inside, arena.empty(inside.shape, inside.dtype))
    return partial(_reduce_lines, bands.operation, inside)


def _reduce_lines(operation: np.ufunc, inside: Array, lines: list[Array]) -> None:
    if len(lines) == 1:
        np.copyto(inside, lines[0], "unsafe")
        return
    # NumPy converts and adds a few thousand samples at a time: they stay in the nearest cache.
    how: dict[str, Any] = {"out": inside, "dtype": inside.dtype, "casting": "unsafe"}
    operation(lines[0], lines[1], **how)
    for one in lines[2:]:
        operation(inside, one, **how)


def _sum_squares(inside: Array, wide: Array, lines: list[Array]) -> None:
    np.copyto(inside, lines[0], "unsafe")
    np.multiply(inside, inside, out=inside)
    for one in lines[1:]:
        np.copyto(wide, one, "unsafe")
        np.multiply(wide, wide, out=wide)
        np.add(inside, wide, out=inside)


def _keeping(flat: Array, shape: tuple[int, int, int], step: int) -> Callable[[Array], None]:
    """Return what copies the first pixel of every `step` samples into ``(rows, pixels, channels)``.

    Where the pixel and the step are as long as machine words, a narrowing cast does it, many
    times faster than a strided copy; two or three samples are copied one channel at a time.
    """
    rows, pixels, c = shape
    word, pixel = step * flat.itemsize, c * flat.itemsize
    if word in (2, 4, 8) and 2 * pixel <= word and word % pixel == 0 and _LITTLE_ENDIAN:
        wide = flat.reshape(rows, -1).view(f"u{word}")[:, :pixels]
        kind = f"u{pixel}"
        return lambda target: np.copyto(target.reshape(rows, -1).view(kind), wide, "unsafe")
    groups = flat.reshape(rows, -1, step)[:, :pixels, :c]
    if c not in (2, 3):
        return lambda target: np.copyto(target, groups)
    planes = [groups[..., channel] for channel in range(c)]

    def by_channel(target: Array) -> None:
        for channel, plane in enumerate(planes):
            np.copyto(target[..., channel], plane)

    return by_channel


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
