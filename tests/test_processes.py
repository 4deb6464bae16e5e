"""Work in other processes keeps order, bounds what waits, and survives the end of any of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from cnncli.batch.processes import map_in_processes
from tests.sessions import check_nobody_is_left

ITEMS = list(range(100))


def chunks(items: Sequence[int]) -> list[Sequence[int]]:
    return [items[first : first + 8] for first in range(0, len(items), 8)]


def mapped(
    work: Callable[[Sequence[int]], list[int]], items: Sequence[int], workers: int = 2
) -> list[int]:
    return list(chain.from_iterable(map_in_processes(work, chunks(items), workers, lost)))


def squared(numbers: Sequence[int]) -> list[int]:
    time.sleep(0.004 * (numbers[0] % 3 == 0))
    return [number * number for number in numbers]


def where(numbers: Sequence[int]) -> list[int]:
    time.sleep(0.02)
    return [os.getpid()] * len(numbers)


def noted(folder: Path, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        (folder / str(number)).touch()
    return list(numbers)


def fatal(deadly: Sequence[int], numbers: Sequence[int]) -> list[int]:
    if set(deadly) & set(numbers):
        os._exit(1)
    return list(numbers)


def slow(folder: Path, numbers: Sequence[int]) -> list[int]:
    noted(folder, numbers)
    if numbers[0]:
        time.sleep(60)
    return list(numbers)


def lost(number: int) -> int:
    return -number


def test_results_come_in_order() -> None:
    assert mapped(squared, ITEMS) == [n * n for n in ITEMS]


def test_work_is_shared_out_among_other_processes() -> None:
    found = set(mapped(where, ITEMS))
    assert len(found) == 2
    assert os.getpid() not in found


def test_what_waits_to_be_taken_is_bounded_and_the_rest_never_begins(tmp_path: Path) -> None:
    results = map_in_processes(partial(noted, tmp_path), chunks(range(400)), 2, lost)
    for taken in range(1, 6):
        assert next(results)[0] == 8 * (taken - 1)
        time.sleep(0.01)
        assert len(list(tmp_path.iterdir())) <= 8 * (taken + 2 * 2)
    results.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) < 400


def test_a_worker_that_dies_loses_what_it_had_and_no_more() -> None:
    found = mapped(partial(fatal, [20]), ITEMS)
    assert [abs(number) for number in found] == ITEMS
    assert [number for number in found if number < 0] == [-n for n in range(16, 24)]


def test_where_every_worker_dies_all_is_lost_and_the_end_comes() -> None:
    assert mapped(partial(fatal, ITEMS[:40]), ITEMS[:40]) == [-n for n in ITEMS[:40]]


def test_closing_does_not_wait_for_work_in_hand(tmp_path: Path) -> None:
    results = map_in_processes(partial(slow, tmp_path), chunks(range(100)), 2, lost)
    assert next(results) == list(range(8))
    while len(list(tmp_path.iterdir())) < 16:
        time.sleep(0.01)
    start = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 20


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_end_with_a_caller_that_is_killed(tmp_path: Path) -> None:
    program = (
        "from functools import partial; from pathlib import Path\n"
        "from cnncli.batch.processes import map_in_processes\n"
        "from tests.test_processes import lost, noted\n"
        f"work = partial(noted, Path({str(tmp_path)!r}))\n"  # no guard: it is not run again
        "for _ in map_in_processes(work, ([n] for n in range(100_000)), 2, lost):\n"
        "    print(flush=True)\n"
    )
    script = tmp_path / "caller.py"
    script.write_text(program)
    caller = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    assert caller.stdout is not None
    caller.stdout.readline()
    caller.kill()
    caller.communicate()
    check_nobody_is_left(caller.pid, patience=20)
