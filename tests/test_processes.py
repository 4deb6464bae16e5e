"""Work in other processes keeps order, bounds what waits, and survives the end of any of them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from cnncli.processes import map_in_processes
from tests.sessions import check_nobody_is_left

ITEMS = list(range(100))


def squared(number: int) -> int:
    time.sleep(0.002 * (number % 3 == 0))
    return number * number


def where(_: int) -> int:
    time.sleep(0.002)
    return os.getpid()


def noted(folder: Path, number: int) -> int:
    (folder / str(number)).touch()
    return number


def fatal(numbers: Sequence[int], number: int) -> int:
    if number in numbers:
        os._exit(1)
    return number


def lost(number: int) -> int:
    return -number


def test_results_come_in_order() -> None:
    assert list(map_in_processes(squared, ITEMS, 2, lost)) == [n * n for n in ITEMS]


def test_work_is_shared_out_among_other_processes() -> None:
    found = set(map_in_processes(where, ITEMS, 2, lost))
    assert len(found) == 2
    assert os.getpid() not in found


def test_what_waits_to_be_taken_is_bounded_and_the_rest_never_begins(tmp_path: Path) -> None:
    items = list(range(400))
    results = map_in_processes(partial(noted, tmp_path), items, 2, lost)
    for taken in range(1, 20):
        assert next(results) == taken - 1
        time.sleep(0.01)
        assert len(list(tmp_path.iterdir())) <= taken + 8 * 8  # eight chunks of eight
    results.close()  # type: ignore[attr-defined]
    assert len(list(tmp_path.iterdir())) < 400


def test_a_worker_that_dies_loses_what_it_had_and_no_more() -> None:
    found = list(map_in_processes(partial(fatal, [20]), ITEMS, 2, lost))
    assert [abs(number) for number in found] == ITEMS
    assert found[20] == -20
    missing = [number for number in found if number < 0]
    assert 1 <= len(missing) <= 16  # the chunk in hand and the one after it


def test_without_workers_the_rest_is_lost() -> None:
    found = list(map_in_processes(partial(fatal, ITEMS), ITEMS, 2, lost))
    assert found == [-number for number in ITEMS]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_workers_end_with_a_caller_that_is_killed(tmp_path: Path) -> None:
    program = (
        "from functools import partial; from pathlib import Path\n"
        "from cnncli.processes import map_in_processes\n"
        "from tests.test_processes import lost, noted\n"
        f"work = partial(noted, Path({str(tmp_path)!r}))\n"  # no guard: it is not run again
        "for _ in map_in_processes(work, range(100_000), 2, lost):\n"
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
