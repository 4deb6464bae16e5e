"""Runs an engine over the tiles of an image, on several threads, and writes what comes out."""

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from cnncli.ops.engines import Engine
from cnncli.ops.machines import Machine, Recorder
from cnncli.ops.sinks import PixelSink, Sink
from cnncli.ops.source import Source

# Does one item, and what to call when there are no more.
Worker = tuple[Callable[[Any], None], Callable[[], None]]


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
    samples = rows * columns * source.channels
    workers = min(threads or processors(), max(1, samples // engine.alone))
    tall, wide = engine.tile(rows, columns, source.channels, workers)
    tall, wide = _multiple(tall, stride[0], rows), _multiple(wide, stride[1], columns)
    places = [(y, x) for y in range(0, rows, tall) for x in range(0, columns, wide)]
    workers = min(workers, len(places))

    direct = sink.out.dtype if isinstance(sink, PixelSink) and sink.stride == (1, 1) else None
    planar = engine.planar(source.channels)
    channels = 1 if planar else source.channels
    planes: list[tuple[int | None, Source]] = [(None, source)]
    if planar:
        planes = list(enumerate(source.planes()))

    def borrow() -> Worker:
        machine = Machine.borrow(engine, finish, (tall, wide), channels, None if planar else direct)
        return partial(machine.work, planes, sink, size), machine.give_back

    share(borrow, places, workers)
    return workers


def _multiple(length: int, step: int, most: int) -> int:
    """Return `length`, or the multiple of `step` above it that tiles of more than one need."""
    return length if length >= most else -(-length // step) * step


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(borrow: Callable[[], Worker], items: Sequence[Any], threads: int) -> None:
    """Call workers on all items, each thread with one lent to it, this thread included.

    Plain threads: importing :mod:`concurrent.futures` takes longer than starting them. The first
    error of any thread stops the others and is raised here.
    """
    claim = itertools.count()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            # NumPy's error state belongs to a thread; infinities in float images are legitimate.
            quiet = np.errstate(over="ignore", invalid="ignore", under="ignore")
            with quiet:
                work, give_back = borrow()
                try:
                    while not errors and (i := next(claim)) < len(items):
                        work(items[i])
                finally:
                    give_back()
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
