"""The bounded pipeline keeps order and bounds what waits."""

import threading
import time

import pytest

from cnncli.pipeline import core_count, ordered_map


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_order(jobs: int) -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number * number

    assert list(ordered_map(work, range(20), jobs)) == [n * n for n in range(20)]


def test_no_more_than_twice_the_jobs_wait_to_be_taken() -> None:
    started: list[int] = []
    results = ordered_map(lambda n: started.append(n) or n, range(100), 3)
    for taken in range(1, 50):
        next(results)
        time.sleep(0.001)
        assert len(started) <= taken + 6
    results.close()  # type: ignore[attr-defined]
    assert len(started) < 100


def test_work_runs_in_several_threads_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert list(ordered_map(lambda _: both.wait() >= 0, range(4), 2)) == [True] * 4


def test_an_error_ends_the_whole() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        list(ordered_map(work, range(50), 2))


def test_there_is_a_core() -> None:
    assert core_count() >= 1
