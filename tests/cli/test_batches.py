"""What all commands that take IMAGES promise of a batch, whichever runs it."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.resources import sample_image
from cnncli.show.progress import batch_progress
from tests.conftest import CliRunner

COMMANDS = [["convolve", "-f", "blur"], ["pool"], ["predict"]]
COUNT = 13


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a picture, one without any, and one whose sub-folder has some."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    digit = sample_image("digit-1-28x28.png").read_bytes()
    for name in ("a.png", "outer/inner/b.png", "outer/inner/c.png"):
        (tmp_path / name).write_bytes(digit)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_what_holds_no_picture_fails_alone(command: list[str], cli: CliRunner) -> None:
    run = cli(*command, "empty", "a.png", "*.bmp", "outer", "--json", "-j", "1")
    assert run.returncode == 3
    records = [json.loads(line) for line in run.stdout.splitlines()]
    assert [record["path"] for record in records] == ["empty", "a.png", "*.bmp", "outer"]
    assert [record["error"] is None for record in records] == [False, True, False, False]
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: empty holds no pictures; name a folder that does",
        "error: *.bmp matches no file; check the pattern",
        "error: outer holds no pictures; add --recursive for those of its sub-folders",
        "error: 3 of 4 pictures failed; the lines above say why",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_folder_of_folders_is_read_with_recursive(command: list[str], cli: CliRunner) -> None:
    run = cli(*command, "outer", "--json")
    assert run.returncode == 1
    assert run.stderr.startswith("error: outer holds no pictures; add --recursive")
    run = cli(*command, "outer", "--recursive", "--json")
    assert run.returncode == 0, run.stderr
    paths = [Path(json.loads(line)["path"]) for line in run.stdout.splitlines()]
    assert paths == [Path("outer/inner/b.png"), Path("outer/inner/c.png")]


def test_outside_a_terminal_progress_says_little_between_results(
    cli: CliRunner, tmp_path: Path
) -> None:
    for number in range(COUNT):
        Image.fromarray(np.full((9, 9), number, np.uint8)).save(tmp_path / f"{number}.png")
    run = cli("pool", ".", "-j", "1")
    assert run.returncode == 0
    said = [line for line in run.stderr.splitlines() if line.startswith("pooling: ")]
    assert len(said) <= 2  # the last one, and another on a slow machine
    assert said[-1] == f"pooling: {COUNT} of {COUNT} (100 %)"


def test_a_long_batch_says_how_far_it_is_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with batch_progress(100, "waiting", quiet=False) as progress:
        for _ in range(100):
            now += 0.5
            progress.advance()
    counts = [int(line.split()[1]) for line in capsys.readouterr().err.splitlines()]
    assert counts == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]  # five seconds apart


def test_a_value_that_is_no_choice_is_named_with_the_choices(cli: CliRunner) -> None:
    run = cli("pool", "a.png", "--edge", "round")
    assert run.returncode == 2
    assert run.stderr == (
        "error: Invalid value for '--edge': 'round' is not one of 'partial', 'drop', 'pad'; "
        "see cnncli pool --help\n"
    )
