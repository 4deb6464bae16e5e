"""Many inputs, several processes, results in order: for work that Python's lock would hold up."""

import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any, TypeVar

from cnncli.files import remove_unfinished

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_CHUNK = 8  # items that travel together: waking a process costs as much as a small picture's part
_AHEAD = 2  # chunks that each worker has: one in hand, one to go on with
_SIGNALS = [  # whichever this system has
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


def map_in_processes(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    workers: int,
    lost: Callable[[Item], Outcome],
) -> Iterator[Outcome]:
    """Apply `work` to every item in other processes and yield the results in the items' order.

    As :func:`cnncli.pipeline.ordered_map` with its bound on what waits, in processes that begin
    anew (fork would copy locks that other threads hold): starting them takes as long as a hundred
    small pictures. They end with the caller, however it ends, and leave no unfinished file then; a
    worker that is killed by itself may leave the one that it was writing.

    Parameters
    ----------
    work
        Picklable; an exception ends its worker.
    items
        Picklable inputs.
    workers
        Number of processes.
    lost
        Gives the result of an item whose process ended before its work was done.

    Yields
    ------
    Outcome
        ``work(item)`` for each item.
    """
    crew = _Crew(work, items, workers, lost)
    try:
        yield from crew.results()
    finally:
        crew.dismiss()


class _Crew:
    """Processes with a pipe each.

    ``concurrent.futures`` would do, but its processes wait for ever where the caller was killed.
    """

    def __init__(
        self,
        work: Callable[[Any], Any],
        items: Sequence[Any],
        workers: int,
        lost: Callable[[Any], Any],
    ) -> None:
        self._chunks = [items[first : first + _CHUNK] for first in range(0, len(items), _CHUNK)]
        self._lost = lost
        self._next, self._taken, self._room = 0, 0, 2 * _AHEAD * workers
        self._done: dict[int, list[Any]] = {}
        context = multiprocessing.get_context("spawn")
        self._under_way: dict[Connection, list[int]] = {}
        self._processes = []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=_labour, args=(theirs, work), daemon=True)
            with _nothing_to_run_again(), _signals_wait():
                process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            self._under_way[ours] = []
            self._processes.append(process)

    def results(self) -> Iterator[Any]:
        """Yield the outcomes in order."""
        while self._taken < len(self._chunks):
            self._hand_out()
            if self._taken in self._done:
                outcomes = self._done.pop(self._taken)
                self._taken += 1
                yield from outcomes
            else:
                for connection in wait(list(self._under_way)):
                    self._receive(connection)  # type: ignore[arg-type]

    def dismiss(self) -> None:
        """End the processes, in the midst of their work if need be."""
        for connection in self._under_way:
            connection.close()
        for process in self._processes:
            process.join()

    def _hand_out(self) -> None:
        """Give chunks to whoever has few; what nobody is left to work on is lost."""
        most = min(len(self._chunks), self._taken + self._room)
        if not self._under_way:
            self._lose(range(self._next, most))
            self._next = most
        for connection in tuple(self._under_way):
            while self._next < most and len(self._under_way.get(connection, ())) < _AHEAD:
                try:
                    connection.send((self._next, self._chunks[self._next]))
                except OSError:
                    self._strike_off(connection)
                else:
                    self._under_way[connection].append(self._next)
                    self._next += 1

    def _receive(self, connection: Connection) -> None:
        try:
            number, outcomes = connection.recv()
        except (EOFError, OSError):
            self._strike_off(connection)
        else:
            self._under_way[connection].remove(number)
            self._done[number] = outcomes

    def _strike_off(self, connection: Connection) -> None:
        self._lose(self._under_way.pop(connection))
        connection.close()

    def _lose(self, chunks: Sequence[int]) -> None:
        for number in chunks:
            self._done[number] = [self._lost(item) for item in self._chunks[number]]


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
    """Let signals reach this process a moment later, and one that begins meanwhile not at all.

    They would break off its imports, with a traceback. (Windows has no such mask.)
    """
    mask = getattr(signal, "pthread_sigmask", None)
    before = mask(signal.SIG_BLOCK, _SIGNALS) if mask else ()
    try:
        yield
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)


def _labour(connection: Connection, work: Callable[[Any], Any]) -> None:
    """Work until the pipe ends; what a worker process runs.

    Signals are the caller's business: a terminal sends them to all of its processes at once.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    tasks: queue.SimpleQueue[tuple[int, Sequence[Any]]] = queue.SimpleQueue()
    threading.Thread(target=_take_in, args=(connection, tasks), daemon=True).start()
    while True:
        number, items = tasks.get()
        connection.send((number, [work(item) for item in items]))


def _take_in(connection: Connection, tasks: "queue.SimpleQueue[tuple[int, Sequence[Any]]]") -> None:
    """Put tasks into the queue; once there is nobody to send any, end this process at once."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        remove_unfinished()
        os._exit(0)
