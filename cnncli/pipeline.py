"""A bounded pipeline: many inputs, several threads, results in order (standard library only)."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def core_count() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ordered_map(
    work: Callable[[Item], Outcome], items: Sequence[Item], jobs: int
) -> Iterator[Outcome]:
    """Apply `work` to every item in threads and yield the results in the items' order.

    At most ``2 * jobs`` items are under way or waiting to be taken, so that memory stays the same
    however many items there are. Decoders, encoders and NumPy release Python's lock, which is
    what lets one item be decoded while another one is filtered or encoded.

    Parameters
    ----------
    work
        Called in several threads at once; an exception ends the whole.
    items
        Inputs.
    jobs
        Number of threads; 1 works in the caller's own.

    Yields
    ------
    Outcome
        ``work(item)`` for each item.
    """
    if jobs == 1 or len(items) == 1:
        yield from map(work, items)
        return
    team = _Team(work, items, jobs)
    try:
        yield from team.results()
    finally:
        team.dismiss()


class _Team:
    """Threads that take items in turn, and hold on while too many results wait.

    ``concurrent.futures`` would do, but for the 14 ms that importing it takes.
    """

    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any], jobs: int) -> None:
        self._work, self._items = work, items
        self._next, self._taken, self._room = 0, 0, 2 * jobs
        self._done: dict[int, tuple[Any, BaseException | None]] = {}
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._labour, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[Any]:
        """Yield the outcomes in order; raise what the work raised."""
        for number in range(len(self._items)):
            with self._changed:
                self._changed.wait_for(lambda n=number: n in self._done)  # type: ignore[misc]
                outcome, error = self._done.pop(number)
                self._taken += 1
                self._changed.notify_all()
            if error is not None:
                raise error
            yield outcome

    def dismiss(self) -> None:
        """Start no more items, and wait for those under way."""
        with self._changed:
            self._next = len(self._items)
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _labour(self) -> None:
        while (number := self._draw()) is not None:
            try:
                outcome: tuple[Any, BaseException | None] = (self._work(self._items[number]), None)
            except BaseException as error:  # raised again in results()
                outcome = (None, error)
            with self._changed:
                self._done[number] = outcome
                self._changed.notify_all()

    def _draw(self) -> int | None:
        """Return the next item's number, once there is room for its result."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._next >= len(self._items) or self._next < self._taken + self._room
            )
            if self._next >= len(self._items):
                return None
            self._next += 1
            return self._next - 1
