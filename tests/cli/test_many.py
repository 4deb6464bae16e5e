"""More pictures than one run does: lists, shards, and runs that are killed and go on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.errors import UsageError
from tests.conftest import CliRunner
from tests.reliability.test_load import fill

COUNT = 23


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with 23 pictures in ``in``, two of them broken."""
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (28, 60, 1), np.uint8)
    for number in range(COUNT):
        picture = Image.fromarray(pixels[:, number : number + 28, 0])
        picture.save(tmp_path / "in" / f"{number}.png")
    for number in (5, 17):
        (tmp_path / "in" / f"{number}.png").write_bytes(b"no picture")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


def without_seconds(text: str) -> list[dict]:
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        record.pop("seconds", None)
    return sorted(records, key=lambda record: record["path"])


@pytest.mark.parametrize("command", [["pool", "in", "-o", "out/"], ["predict", "in"]])
def test_shards_together_are_the_whole(command: list[str], cli: CliRunner, folder: Path) -> None:
    run = cli(*command, "--json")
    assert run.returncode == 3
    whole, written = without_seconds(run.stdout), {}
    if command[0] == "pool":
        written = contents(folder / "out")
        (folder / "out").rename(folder / "whole")
    said = ""
    for part in ("1/3", "2/3", "3/3"):
        run = cli(*command, "--json", "--shard", part)
        assert run.returncode in (0, 3)
        assert abs(run.stdout.count("\n") - COUNT / 3) < 1
        said += run.stdout
    assert without_seconds(said) == whole
    if command[0] == "pool":
        assert contents(folder / "out") == written


def test_a_prediction_does_not_depend_on_what_goes_along(cli: CliRunner, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 28, 28), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    run = cli("predict", ".", "--json", "--preprocess", "none", "-j", "1")
    assert run.returncode == 0
    for other in (["-j", "3"], ["--shard", "1/1", "-j", "7"]):
        assert cli("predict", ".", "--json", "--preprocess", "none", *other).stdout == run.stdout
    alone = cli("predict", "7.png", "--json", "--preprocess", "none").stdout
    assert alone in run.stdout.splitlines(keepends=True)


@pytest.mark.usefixtures("folder")
def test_a_shard_may_be_empty(cli: CliRunner) -> None:
    run = cli("pool", "in", "-o", "out/", "--shard", f"{COUNT + 1}/{COUNT + 1}")
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("part", ["0/3", "4/3", "1/0", "a/b", "2", "-1/3"])
def test_what_is_no_shard(part: str, cli: CliRunner) -> None:
    run = cli("pool", "in", "-o", "out/", f"--shard={part}")
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: --shard {part!r} is no part; give I/N")


def test_names_from_a_list_and_from_stdin(cli: CliRunner, folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"in/3.png\r\nin/1.png\n\nin/none.png\nin/3.png\n")
    run = cli("pool", "--from", "list.txt", "-o", "out", "--json")
    assert run.returncode == 3
    paths = [json.loads(line)["path"] for line in run.stdout.splitlines()]
    assert paths == ["in/3.png", "in/1.png", "in/none.png"]
    assert "in/none.png: no such file" in run.stderr
    (folder / "in" / "new\nline.png").write_bytes((folder / "in" / "2.png").read_bytes())
    names = b"in/new\nline.png\0in/2.png\0"
    run = cli("predict", "in/1.png", "--from", "-", "--json", stdin=names)
    assert [json.loads(line)["path"] for line in run.stdout.splitlines()] == [
        "in/1.png",
        "in/new\nline.png",
        "in/2.png",
    ]
    run = cli("pool", "--from", "none.txt")
    assert (run.returncode, run.stderr[:16]) == (1, "error: none.txt:")


def test_resume_does_what_is_left_and_no_more(cli: CliRunner, folder: Path) -> None:
    command = ["convolve", "in", "-f", "blur", "-o", "out/"]
    run = cli(*command, "--resume", "--json")
    assert run.returncode == 3
    whole = contents(folder / "out")
    assert len(whole) == COUNT - 2
    (folder / "out" / "3_blur.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    run = cli(*command, "--resume", "--json")
    assert run.returncode == 3  # the broken ones are tried again
    assert run.stderr.splitlines()[-1] == (
        f"error: 2 of {COUNT} pictures failed; the lines above say why"
    )
    paths = [json.loads(line)["path"] for line in run.stdout.splitlines()]
    assert paths == ["in/3.png", "in/5.png", "in/17.png"]
    assert contents(folder / "out") == whole
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    for other in (["-f", "sharpen"], ["-f", "blur", "--bias", "1"], ["-k", "1 2 1"]):
        run = cli("convolve", "in", *other, "-o", "out/", "--resume")
        assert run.returncode == 2
        assert "out holds results of other settings" in run.stderr
    assert contents(folder / "out") == whole


@pytest.mark.usefixtures("folder")
def test_results_of_unknown_settings_are_not_gone_on_with(cli: CliRunner) -> None:
    assert cli("pool", "in", "-o", "out/").returncode == 3
    run = cli("pool", "in", "-o", "out/", "--resume")
    assert run.returncode == 2
    assert "out holds results of unknown settings" in run.stderr
    run = cli("pool", "in", "--resume")
    assert (run.returncode, "--resume needs a folder" in run.stderr) == (2, True)


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv"])
def test_a_file_of_results_is_mended_and_gone_on_with(
    name: str, cli: CliRunner, folder: Path
) -> None:
    (folder / "in" / 'quo"te,\n.png').write_bytes((folder / "in" / "2.png").read_bytes())
    run = cli("predict", "in", "-o", "whole" + name)
    assert run.returncode == 3
    whole = (folder / ("whole" + name)).read_bytes()
    run = cli("predict", "in", "--csv" if name.endswith("csv") else "--json", text=False)
    assert run.stdout == whole  # type: ignore[comparison-overlap]
    for cut in (1, len(whole) // 3, len(whole) - 20, len(whole)):
        (folder / name).unlink(missing_ok=True)
        (folder / f".{name}.cnncli-settings").unlink(missing_ok=True)
        run = cli("predict", "in/0.png", "-o", name)  # writes down the settings
        (folder / name).write_bytes(whole[:cut])
        run = cli("predict", "in", "-o", name, "--resume")
        assert run.returncode == 3, (cut, run.stderr)
        assert f"2 of {COUNT + 1} pictures failed" in run.stderr
        assert (folder / name).read_bytes() == whole, cut
    run = cli("predict", "in", "-o", name)
    assert (run.returncode, f"{name} exists; add --resume" in run.stderr) == (2, True)
    run = cli("predict", "in", "-o", name, "--resume", "--top", "2")
    assert (run.returncode, "results of other settings" in run.stderr) == (2, True)
    (folder / name).write_text("something else\n")
    assert cli("predict", "in", "-o", name, "--resume").returncode == 1
    assert (folder / name).read_text() == "something else\n"


@pytest.mark.parametrize(
    "words", [["--resume"], ["-o", "a.txt"], ["-o", "a.csv", "--json"]], ids=" ".join
)
def test_options_that_do_not_go_together(words: list[str], cli: CliRunner, folder: Path) -> None:
    assert cli("predict", "in", *words).returncode == UsageError.exit_code
    assert [path.name for path in folder.iterdir()] == ["in"]


def run(command: list[str], folder: Path) -> int:
    whole = [sys.executable, "-m", "cnncli", *command]
    return subprocess.run(whole, cwd=folder, check=False).returncode


def kill_at_some_moment(command: list[str], folder: Path, seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cnncli", *command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("command", ["pool", "predict"])
def test_ten_kills_end_like_one_undisturbed_run(command: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    fill(tmp_path / "in", 2000, 100)
    outputs = {"pool": ("out/", "whole/"), "predict": ("out.jsonl", "whole.jsonl")}[command]
    again = [command, "in", "-o", outputs[0], "--resume", "-q"]
    moments = random.Random(5)
    for _ in range(10):
        kill_at_some_moment(again, tmp_path, moments.uniform(0.3, 1.6))
    assert run(again, tmp_path) == 3
    assert run([command, "in", "-o", outputs[1], "-q"], tmp_path) == 3
    if command == "predict":
        lines = [(tmp_path / name).read_bytes().splitlines() for name in outputs]
        assert lines[0] == lines[1]
        assert len(lines[0]) == 2000
        return
    found = [
        {p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.name[0] != "."}
        for name in outputs
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 1900
