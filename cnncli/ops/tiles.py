"""Runs an engine over the tiles of an image, on several threads, and writes what comes out."""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cnncli.ops.engines import Engine
from cnncli.ops.program import Arena, Program
from cnncli.ops.source import Source

Array = npt.NDArray[Any]
Place = tuple[int, int]
# Records the last steps on a response, which it may overwrite, and returns the result's array.
Recorder = Callable[[Program, Array], Array]

_SMALL = 200_000  # samples below which a second thread costs more than it saves


class Sink(Protocol):
    """Takes finished tiles."""

    def write(self, tile: Array, place: Place, channel: int | None) -> None:
        """Take a tile ``(rows, samples)`` whose first row and pixel are at `place`.

        The tile is one channel, or all of them interleaved where `channel` is None.
        """


class PixelSink(NamedTuple):
    """Writes tiles into the output, keeping one row and column in `stride`.

    Parameters
    ----------
    out
        ``(OH, OW, C)``.
    stride
        Rows and columns between kept windows.
    """

    out: Array
    stride: tuple[int, int]

    def write(self, tile: Array, place: Place, channel: int | None) -> None:
        """Copy the tile to its place, converting; the tile's values fit the output's type."""
        if self.stride == (1, 1) and channel is None:
            np.copyto(self.area(place, tile.shape), tile, "unsafe")
            return
        (y, x), (sy, sx) = place, self.stride
        pixels = _kept(tile, self.out.shape[2] if channel is None else 1, self.stride)
        area = self.out[y // sy :, x // sx :][: len(pixels), : pixels.shape[1]]
        np.copyto(area if channel is None else area[..., channel : channel + 1], pixels, "unsafe")

    def area(self, place: Place, shape: tuple[int, ...]) -> Array:
        """Return where a tile ``(rows, samples)`` of all channels goes at stride 1."""
        rows = self.out.reshape(len(self.out), -1)
        y, x = place[0], place[1] * self.out.shape[2]
        return rows[y : y + shape[0], x : x + shape[1]]


class RangeSink:
    """Finds the smallest and the largest kept value, NaN aside.

    Parameters
    ----------
    channels
        Samples of a pixel where they come interleaved.
    stride
        Rows and columns between kept windows.
    """

    def __init__(self, channels: int, stride: tuple[int, int]) -> None:
        self._channels, self._stride = channels, stride
        self._lows: list[Any] = []
        self._highs: list[Any] = []

    def write(self, tile: Array, place: Place, channel: int | None) -> None:  # noqa: ARG002 (a place changes no bound)
        """Take a tile into account."""
        kept = _kept(tile, self._channels if channel is None else 1, self._stride)
        self._lows.append(np.fmin.reduce(kept, axis=None).item())
        self._highs.append(np.fmax.reduce(kept, axis=None).item())

    def bounds(self) -> tuple[Any, Any]:
        """Return the smallest and the largest value of all tiles."""
        return np.fmin.reduce(self._lows).item(), np.fmax.reduce(self._highs).item()


def _kept(tile: Array, channels: int, stride: tuple[int, int]) -> Array:
    """Return a tile's pixels ``(rows, columns, channels)`` at every stride."""
    return tile.reshape(len(tile), -1, channels)[:: stride[0], :: stride[1]]


def run_tiles(
    engine: Engine,
    source: Source,
    size: tuple[int, int],
    finish: Recorder,
    sink: Sink,
    *,
    stride: tuple[int, int] = (1, 1),
    threads: int | None = None,
) -> int:
    """Run an engine over all tiles and return how many threads worked.

    Parameters
    ----------
    engine, source
        What to do and with which pixels.
    size
        Rows and columns at stride 1.
    finish
        Records the steps after the response.
    sink
        Takes the results.
    stride
        Tiles start at multiples of it.
    threads
        At most so many; all processors that this process may use by default.
    """
    rows, columns = size
    workers = min(threads or processors(), max(1, rows * columns * source.channels // _SMALL))
    tall, wide = engine.tile(rows, columns, source.channels, workers)
    tall, wide = _multiple(tall, stride[0], rows), _multiple(wide, stride[1], columns)
    places = [(y, x) for y in range(0, rows, tall) for x in range(0, columns, wide)]
    workers = min(workers, len(places))

    def make(arena: Arena) -> Callable[[Place], None]:
        return _worker(engine, source, size, (tall, wide), finish, sink, Program(arena))

    share(make, places, workers)
    return workers


def _multiple(length: int, step: int, most: int) -> int:
    """Return `length`, or the multiple of `step` above it that tiles of more than one need."""
    return length if length >= most else -(-length // step) * step


def _worker(
    engine: Engine,
    source: Source,
    size: tuple[int, int],
    tile: tuple[int, int],
    finish: Recorder,
    sink: Sink,
    program: Program,
) -> Callable[[Place], None]:
    """Return a function that does one tile, with buffers of its own."""
    planar = engine.planar(source.channels)
    channels = 1 if planar else source.channels
    recorded = engine.record(program, *tile, channels)
    result = finish(program, recorded.response)
    shape = (tile[0], tile[1] * channels)
    write = _last_step(program, result, shape, recorded.stride, sink) if not planar else None
    result = _in_rows(result, shape, recorded.stride)
    planes: Sequence[tuple[Source, int | None]] = [(source, None)]
    if planar and source.channels > 1:
        planes = [(plane, c) for c, plane in enumerate(source.planes())]
    down, across = engine.halo

    def work(place: Place) -> None:
        y, x = place
        rows, columns = min(tile[0], size[0] - y), min(tile[1], size[1] - x)
        needed = recorded.buffer[: rows + down, : (columns + across) * channels]
        for plane, channel in planes:
            if (rows, columns) != tile:
                recorded.buffer.fill(0)  # what lies beside must not depend on the tile before
            plane.load(needed, y, x)
            program.run()
            if write is not None:
                write(place, (rows, columns * channels))
            else:
                sink.write(result[:rows, : columns * channels], place, channel)

    return work


def _last_step(
    program: Program, result: Array, shape: tuple[int, int], stride: int, sink: Sink
) -> Callable[[Place, tuple[int, int]], object] | None:
    """Take the last step off a program if its result can go to the output at once, or None.

    So it can where the step is element by element and types agree: one pass less over the tile.
    """
    if not program.steps or not isinstance(sink, PixelSink):
        return None
    function, arguments = program.steps[-1]
    if not isinstance(function, np.ufunc) or arguments[-1] is not result:
        return None
    if sink.stride != (1, 1) or sink.out.dtype != result.dtype:
        return None
    program.steps.pop()
    operands = [
        _in_rows(each, shape, stride) if isinstance(each, np.ndarray) else each
        for each in arguments[:-1]
    ]

    def write(place: Place, size: tuple[int, int]) -> None:
        part = slice(size[0]), slice(size[1])
        tiles = [each[part] if isinstance(each, np.ndarray) else each for each in operands]
        function(*tiles, out=sink.area(place, size))

    return write


def _in_rows(flat: Array, shape: tuple[int, int], stride: int) -> Array:
    """Return a flat tile as rows that start `stride` samples apart: a view."""
    steps = stride * flat.itemsize, flat.itemsize
    return np.ndarray(shape, flat.dtype, flat, strides=steps)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(
    make: Callable[[Arena], Callable[[Any], None]], items: Sequence[Any], threads: int
) -> None:
    """Call workers on all items, each thread with a worker of its own, this thread included.

    Plain threads: importing :mod:`concurrent.futures` takes longer than starting them. The first
    error of any thread stops the others and is raised here.
    """
    claim = itertools.count()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            # NumPy's error state belongs to a thread; infinities in float images are legitimate.
            quiet = np.errstate(over="ignore", invalid="ignore", under="ignore")
            with quiet, Arena.borrowed() as arena:
                worker = make(arena)
                while not errors and (i := next(claim)) < len(items):
                    worker(items[i])
        except BaseException as error:
            errors.append(error)

    others = [threading.Thread(target=loop) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    loop()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
