"""A bounded pipeline: many inputs, several threads, results in order (standard library only)."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def core_count() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ordered_map(
    work: Callable[[Item], Outcome], items: Iterable[Item], jobs: int
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

    Returns
    -------
    iterator
        ``work(item)`` for each item.
    """
    return map(work, items) if jobs == 1 else _in_threads(work, items, jobs)


def _in_threads(
    work: Callable[[Item], Outcome], items: Iterable[Item], jobs: int
) -> Iterator[Outcome]:
    from concurrent.futures import ThreadPoolExecutor  # 2 ms and more that one job does not need

    pool = ThreadPoolExecutor(jobs)
    waiting: deque[Any] = deque()  # of futures
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
