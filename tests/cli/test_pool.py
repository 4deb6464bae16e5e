"""``cnncli pool``, run as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import RunHere, pixels
from tests.conftest import CliRunner

PIXELS = np.random.default_rng(4).integers(0, 256, (5, 8, 3), np.uint8)


def test_defaults_keep_a_ragged_last_row(cli: CliRunner, photo: Path) -> None:
    run = cli("pool", photo)
    target = photo.with_name("photo_max_pool.png")
    assert (run.returncode, run.stdout) == (0, f"{target}\n")
    assert "8x5 RGB -> 4x3 RGB; max of windows of 2, edge partial" in run.stderr
    padded = np.vstack([PIXELS, PIXELS[-1:]])
    assert (pixels(target) == padded.reshape(3, 2, 4, 2, 3).max(axis=(1, 3))).all()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (["--edge", "drop"], (2, 4)),
        (["--size", "3", "--stride", "2"], (2, 4)),
        (["--size", "2x4"], (3, 2)),
        (["--size", "3", "--edge", "pad", "--padding", "1"], (2, 3)),
        (["--global", "--mode", "avg"], (1, 1)),
    ],
)
def test_sizes(options: list[str], shape: tuple[int, int], photo: Path, run_here: RunHere) -> None:
    assert run_here("pool", "photo.png", "-o", "o.png", "-q", *options) == 0
    assert pixels(photo.with_name("o.png")).shape[:2] == shape


@pytest.mark.parametrize("mode", ["max", "avg", "min", "median", "l2", "sum"])
def test_modes(mode: str, photo: Path, run_here: RunHere) -> None:
    assert run_here("pool", "photo.png", "--mode", mode, "--edge", "drop", "-q") == 0
    blocks = PIXELS[:4].reshape(2, 2, 4, 2, 3).astype(float)
    expected = {
        "max": blocks.max((1, 3)),
        "min": blocks.min((1, 3)),
        "avg": blocks.mean((1, 3)),
        "sum": blocks.sum((1, 3)),
        "l2": np.sqrt((blocks**2).sum((1, 3))),
        "median": np.median(blocks.transpose(0, 2, 4, 1, 3).reshape(2, 4, 3, 4), axis=-1),
    }[mode]
    result = pixels(photo.with_name(f"photo_{mode}_pool.png"))
    assert (result == np.floor(expected + 0.5).clip(0, 255)).all()


def test_json(cli: CliRunner, photo: Path) -> None:
    record = json.loads(cli("pool", photo, "--json", "-q", "-o", "p.png").stdout)
    assert record.pop("seconds") > 0
    assert record == {
        "path": str(photo),
        "output": "p.png",
        "width": 4,
        "height": 3,
        "mode": "RGB",
        "pool": "max",
        "size": "2",
        "error": None,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none.png"], 1, "none.png: no such file"),
        (["photo.png", "--mode", "mean"], 2, "'mean' is not one of 'max', 'avg'"),
        (["photo.png", "--size", "0"], 2, "size is '0'"),
        (["photo.png", "--size", "9" * 30], 2, "give whole numbers from 1 to 1000000"),
        (["photo.png", "--size", "9", "--edge", "drop"], 1, "does not fit"),
        (["photo.png", "--padding", "1"], 2, "padding 1 needs --edge pad"),
        (["photo.png", "-o", "photo.png"], 1, "photo.png is an input"),
        ([], 2, "no picture is named"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: list[str],
    code: int,
    words: str,
    photo: Path,
    run_here: RunHere,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert photo.exists()
    assert run_here("pool", *arguments) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1


def test_explain(cli: CliRunner, photo: Path) -> None:
    run = cli("pool", photo, "--mode", "avg", "--explain", "1,0")
    assert run.returncode == 0
    assert run.stdout.startswith("avg of columns 2 to 3, rows 0 to 1: column 1, row 0 of the")
    window = PIXELS[:2, 2:4, 0]
    terms = " + ".join(str(v) for v in window.ravel())
    assert f"avg = ({terms}) / 4 = {window.mean():g}" in run.stdout
    assert not list(photo.parent.glob("*pool*"))


def test_explain_json(cli: CliRunner, photo: Path) -> None:
    explained = json.loads(cli("pool", photo, "--explain", "1,2", "--json").stdout)
    assert explained["count"] == 2  # the ragged last row
    assert [c["pixel"] for c in explained["channels"]] == PIXELS[4:, 2:4].max((0, 1)).tolist()
