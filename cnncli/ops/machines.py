"""Recorded work on tiles of one size, kept for the next image of the kind."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnncli.ops.engines import Engine
from cnncli.ops.loading import Loader
from cnncli.ops.program import Arena, Program
from cnncli.ops.sinks import PixelSink, Place, Sink
from cnncli.ops.source import Source

Array = npt.NDArray[Any]
# Records the last steps on a response, which it may overwrite, and returns the result's array.
Recorder = Callable[[Program, Array], Array]


class Machine:
    """Buffers and steps for the tiles of an image, in the hands of one thread at a time.

    Recording the steps costs a small image as much as taking them, so that idle machines wait for
    the next image that asks for the same.

    Parameters
    ----------
    engine, finish
        What to do with a tile.
    shape
        Rows and pixels of the largest tile.
    channels
        Samples of a pixel: 1 where they come one by one.
    direct
        Type of the image that results may be written into at once, or None.
    """

    _idle: ClassVar[list["Machine"]] = []
    _MOST = 4  # that wait: two filters in a row on two threads

    def __init__(
        self,
        engine: Engine,
        finish: Recorder,
        shape: Place,
        channels: int,
        direct: Any,
        arena: Arena,
    ) -> None:
        self._engine, self._finish = engine, finish
        self._task = shape, channels, direct
        self._shape, self._channels, self._arena = shape, channels, arena
        self._program = Program(arena)
        self._recorded = engine.record(self._program, *shape, channels)
        flat = finish(self._program, self._recorded.response)
        size = shape[0], shape[1] * channels
        at_once = direct is not None and flat.dtype == direct  # None would equal float64
        self._write = self._last_step(flat, size) if at_once else None
        self._result = _in_rows(flat, size, self._recorded.stride)
        down, across = engine.halo
        buffer = self._recorded.buffer
        self._area = buffer[: shape[0] + down, : (shape[1] + across) * channels]
        self._loader = Loader(self._recorded.summed)

    @classmethod
    def borrow(
        cls, engine: Engine, finish: Recorder, shape: Place, channels: int, direct: Any
    ) -> "Machine":
        """Return a machine that waited for this task, or a new one; hand it back when done."""
        for machine in reversed(cls._idle):
            task = machine._task == (shape, channels, direct)
            if task and machine._engine is engine and machine._finish is finish:
                try:
                    cls._idle.remove(machine)
                except ValueError:  # another thread was faster
                    continue
                return machine
        return cls(engine, finish, shape, channels, direct, cls._spare_arena())

    @classmethod
    def _spare_arena(cls) -> Arena:
        """Return the memory of the machine that waited longest, if many wait; else new memory."""
        try:
            arena = cls._idle.pop(0)._arena if len(cls._idle) >= cls._MOST else Arena()
        except IndexError:  # other threads were faster
            arena = Arena()
        arena.rewind()
        return arena

    def give_back(self) -> None:
        """Wait for the next image, unless that would keep much memory."""
        self._loader.end()
        if self._arena.may_wait:
            self._idle.append(self)

    def work(
        self,
        planes: Sequence[tuple[int | None, Source]],
        sink: Sink,
        size: tuple[int, int],
        place: Place,
    ) -> None:
        """Do one tile.

        Parameters
        ----------
        planes
            Channel number (None for all) and pixels of each.
        sink
            Takes the results.
        size
            Rows and columns of all tiles together.
        place
            First row and pixel of the tile.
        """
        (y, x), (tall, wide), (down, across) = place, self._shape, self._engine.halo
        rows, columns = min(tall, size[0] - y), min(wide, size[1] - x)
        whole = (rows, columns) == self._shape
        for channel, plane in planes:
            buffer = self._area
            if not whole:
                self._recorded.buffer.fill(0)  # what lies beside must not depend on earlier tiles
                buffer = buffer[: rows + down, : (columns + across) * self._channels]
            self._loader.load(plane, buffer, y, x)
            self._program.run()
            if self._write is not None and isinstance(sink, PixelSink):
                self._write(sink.area(place, (rows, columns * self._channels)))
            else:
                tile = self._result if whole else self._result[:rows, : columns * self._channels]
                sink.write(tile, place, channel)

    def _last_step(self, result: Array, size: Place) -> Callable[[Array], object] | None:
        """Take the last step off the program if its result can go to the output at once, or None.

        So it can where the step is element by element: one pass less over the tile.
        """
        if not self._program.steps:
            return None
        function, arguments = self._program.steps[-1]
        if not isinstance(function, np.ufunc) or arguments[-1] is not result:
            return None
        self._program.steps.pop()
        operands = [
            _in_rows(each, size, self._recorded.stride) if isinstance(each, np.ndarray) else each
            for each in arguments[:-1]
        ]

        def write(area: Array) -> None:
            if area.shape == size:
                function(*operands, area)
                return
            part = slice(area.shape[0]), slice(area.shape[1])
            tiles = [each[part] if isinstance(each, np.ndarray) else each for each in operands]
            function(*tiles, out=area)

        return write


def _in_rows(flat: Array, shape: Place, stride: int) -> Array:
    """Return a flat tile as rows that start `stride` samples apart: a view."""
    steps = stride * flat.itemsize, flat.itemsize
    return np.ndarray(shape, flat.dtype, flat, strides=steps)
