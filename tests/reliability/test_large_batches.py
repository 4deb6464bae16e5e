"""Batches large enough for processes of their own do what small ones do."""

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CliRunner
from tests.reliability.test_streams import interrupted, names

RNG = np.random.default_rng(11)
COUNT = 520  # more than the number from which processes are started
WIDE = RNG.integers(0, 256, (30, 40 + COUNT, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(COUNT):
        Image.fromarray(WIDE[:, number : number + 40]).save(tmp_path / "in" / f"{number:03}.png")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["convolve", "in", "-f", "gaussian5", "-f", "sobel"],
        ["convolve", "in", "-k", "1 2; 3 4.5", "--stride", "2", "--border", "wrap"],
        ["pool", "in", "--mode", "avg"],
    ],
)
def test_processes_write_what_one_thread_writes(
    command: Sequence[str], cli: CliRunner, folder: Path
) -> None:
    for jobs, out in (("2", "many"), ("1", "one")):
        run = cli(*command, "-j", jobs, "-o", f"{out}/", "--json", fresh=True)
        assert run.returncode == 0, run.stderr
        said = [json.loads(line) for line in run.stdout.splitlines()]
        assert [Path(each["path"]).stem for each in said] == [f"{n:03}" for n in range(COUNT)]
        assert {Path(each["output"]).parent.name for each in said} == {out}
        assert f"{COUNT} of {COUNT} (100 %)" in run.stderr
    assert names(folder / "many") == names(folder / "one")
    for name in names(folder / "one"):
        assert (folder / "many" / name).read_bytes() == (folder / "one" / name).read_bytes()


def test_broken_pictures_fail_alone_and_in_their_place(cli: CliRunner, folder: Path) -> None:
    for number in (7, 300):
        (folder / "in" / f"{number:03}.png").write_bytes(b"no picture")
    run = cli("pool", "in", "-o", "out/", "-j", "2", "--max-pixels", "1200", fresh=True)
    assert run.returncode == 3
    errors = [line for line in run.stderr.splitlines() if line.startswith("error")]
    assert len(errors) == 3
    assert "007.png is not a picture" in errors[0]
    assert "300.png is not a picture" in errors[1]
    assert f"2 of {COUNT} pictures failed" in errors[2]
    assert len(run.stdout.splitlines()) == COUNT - 2 == len(names(folder / "out"))


@pytest.mark.usefixtures("folder")
def test_the_pixel_limit_reaches_the_processes(cli: CliRunner) -> None:
    run = cli("pool", "in", "-o", "out/", "-j", "2", "--max-pixels", "1199", fresh=True)
    assert run.returncode == 1
    assert f"all {COUNT} pictures failed" in run.stderr
    assert run.stderr.count("has 40x30 pixels and the limit is 1199") == COUNT


def test_results_that_would_share_a_name_are_still_refused(cli: CliRunner, folder: Path) -> None:
    # Neither format holds real numbers: both results would be one file of another format.
    Image.fromarray(WIDE[:, :40]).save(folder / "in" / "000.webp", lossless=True)
    run = cli(
        "convolve", "in", "-f", "sobel", "--range", "raw", "-o", "out/", "-j", "2", fresh=True
    )
    assert run.returncode == 3
    assert run.stderr.count("is already the result of") == 1
    assert len(names(folder / "out")) == COUNT


def test_a_signal_ends_processes_and_leaves_no_rests(folder: Path) -> None:
    large = np.tile(WIDE[:, :600], (20, 1, 1))
    for number in range(20, COUNT):
        (folder / "in" / f"{number:03}.png").unlink()
        os.link(folder / "in" / "019.png", folder / "in" / f"{number:03}.png")
    Image.fromarray(large).save(folder / "in" / "019.png")  # and all that share its file
    command = ["convolve", "in", "-k", "1 2 3 4 5 4 3 2 1.5", "-o", "out/", "-q", "-j", "3"]
    status, said = interrupted(command, folder, signal.SIGINT, results=12, patience=5)
    assert (status, said) == (130, "error: interrupted\n")
    new = names(folder / "out")
    assert 12 <= len(new) < COUNT
    assert not [name for name in new if name.endswith(".tmp")]
    time.sleep(0.2)
    assert names(folder / "out") == new
    for name in new:
        assert (folder / "out" / name).read_bytes()[-8:-4] == b"IEND"
