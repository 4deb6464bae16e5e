"""A bounded pipeline: many inputs, several threads, results in order (standard library only)."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

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
    from concurrent.futures import Future, ThreadPoolExecutor

    waiting: deque[Future[Outcome]] = deque()
    executor = ThreadPoolExecutor(jobs)
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) >= 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)
