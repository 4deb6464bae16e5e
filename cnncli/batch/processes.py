"""Many inputs, several processes, results in order: for work that Python's lock would hold up."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import ModuleType
from typing import Any, TypeVar

from cnncli.files import remove_unfinished
from cnncli.pipeline import ordered_map

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_SIGNALS = [  # whichever this system has
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


def map_in_processes(
    work: Callable[[Sequence[Item]], list[Outcome]],
    chunks: Iterable[Sequence[Item]],
    workers: int,
    lost: Callable[[Item], Outcome],
) -> Iterator[list[Outcome]]:
    """Apply `work` to chunks of items in other processes and yield the results in order.

    A thread for each process hands it chunk after chunk, so that order and bounds are those of
    :func:`~cnncli.pipeline.ordered_map`. The processes begin anew (fork would copy locks that other
    threads hold): starting them takes as long as a hundred small pictures. They end with the
    caller, however it ends, and leave no unfinished file then. One that ends by itself, as when
    the system has no memory left, loses its chunk, and another one takes its place.
    (``concurrent.futures`` would do, but its processes wait for ever where the caller was killed,
    and the end of one is the end of all.)

    Parameters
    ----------
    work
        Picklable.
    chunks
        Picklable inputs that travel together: waking a process costs as much as a small picture's
        part.
    workers
        Number of processes.
    lost
        Gives the result of an item whose process ended before its work was done.

    Yields
    ------
    list of Outcome
        ``work(chunk)`` for each chunk.
    """
    own = threading.local()  # each thread's worker
    started: list[_Worker] = []
    stopping = threading.Event()

    def submit(chunk: Sequence[Item]) -> list[Outcome]:
        try:
            if getattr(own, "worker", None) is None and not stopping.is_set():
                own.worker = _Worker()
                started.append(own.worker)
                own.worker.connection.send(work)
            own.worker.connection.send(chunk)
            done: list[Outcome] = own.worker.connection.recv()
        except (EOFError, OSError):
            own.worker = None
            return [lost(item) for item in chunk]
        return done

    results = ordered_map(submit, chunks, workers)
    try:
        for result in results:  # noqa: UP028 (`yield from` would let it wait for work in hand first)
            yield result
    finally:
        stopping.set()
        for worker in started:
            worker.shutdown()


class _Worker:
    """A process that works on what it is sent: the work first, then chunks."""

    _one_at_a_time = threading.Lock()  # of those that begin

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with self._one_at_a_time, _nothing_to_run_again(), _signals_wait():
            process.start()
        theirs.close()  # so that the end of the process is the end of the pipe

    def shutdown(self) -> None:
        """End the process, in the midst of its work if need be."""
        with suppress(OSError):
            self.connection.send(None)


@contextmanager
def _nothing_to_run_again() -> Iterator[None]:
    """Hide the main program, which a process that begins would import anew.

    Nobody needs it there; and one that calls this package without a guard would start over.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let signals reach this thread a moment later, and a process that begins not at all.

    They would break off its imports, with a traceback. (Windows has no such mask.)
    """
    mask = getattr(signal, "pthread_sigmask", None)
    before = mask(signal.SIG_BLOCK, _SIGNALS) if mask else ()
    try:
        yield
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)


def _serve(connection: Connection) -> None:
    """Work until the pipe ends; what a worker process runs.

    Signals are the caller's business: a terminal sends them to all of its processes at once.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    tasks: SimpleQueue[Any] = SimpleQueue()
    reader = threading.Thread(target=_take_in, args=(connection, tasks), daemon=True)
    reader.start()
    work = tasks.get()
    with suppress(ConnectionError):  # the caller is gone
        while True:
            connection.send(work(tasks.get()))
    reader.join()  # it ends this process


def _take_in(connection: Connection, tasks: "SimpleQueue[Any]") -> None:
    """Put tasks into the queue; once there are no more, end this process at once."""
    with suppress(EOFError, OSError):
        while (task := connection.recv()) is not None:
            tasks.put(task)
    remove_unfinished()
    os._exit(0)
