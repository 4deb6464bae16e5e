"""``cnncli train`` killed, starved of disk, resumed, and shared between processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cnncli.checkpoint import read_checkpoint
from tests.conftest import CliRunner

# Enough epochs to be killed in, few enough to run to the end.
RUN = ("train", "--data", "digits", "--limit", "400", "--epochs", "6", "--batch-size", "32")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def weights(folder: Path) -> dict[str, np.ndarray]:
    return read_checkpoint(folder / "weights" / "last.safetensors").tensors


def test_resume_refuses_other_options_and_starts_where_nothing_is(
    cli: CliRunner, tmp_path: Path
) -> None:
    first = cli(*RUN[:-2], "--resume", "--epochs", "1", "--precision", "fp32")
    assert first.returncode == 0, first.stderr
    assert "last.resume does not exist: nothing to resume" in first.stderr
    other = cli("train", "--resume", "--lr", "0.5")
    assert other.returncode == 2
    assert other.stderr == (
        "error: --resume goes on with --lr 0.003, not 0.5; "
        "leave out --lr, or train anew without --resume\n"
    )
    other = cli("train", "--resume", "--precision", "bf16")
    assert "goes on with --precision fp32, not bf16" in other.stderr
    left_open = cli("train", "--resume", "--precision", "auto")
    assert left_open.returncode == 0, left_open.stderr
    (tmp_path / "weights" / "last.resume").write_text("broken")
    broken = cli("train", "--resume")
    assert broken.returncode == 1
    assert "holds no state to resume from" in broken.stderr


def kill_at(folder: Path, epoch: int, delay: float) -> None:
    """Start the run (or go on with it), and kill it `delay` seconds after an epoch's line."""
    with subprocess.Popen(
        [sys.executable, "-m", "cnncli", *RUN, "--resume"],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"epoch {epoch}/"):
                break
        time.sleep(delay)
        process.kill()
        process.wait()


@pytest.mark.slow
def test_five_kills_and_the_bits_are_equal(cli: CliRunner, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    straight = cli(*RUN, "-q", cwd=whole, env={"OMP_NUM_THREADS": "1"})
    assert straight.returncode == 0, straight.stderr
    for epoch, delay in ((1, 0.0), (3, 0.05), (5, 0.1), (7, 0.02), (10, 0.07)):
        kill_at(tmp_path, epoch, delay)
        assert weights(tmp_path)  # what lies there can always be read
    last = cli(*RUN, "--resume", "-q", env={"OMP_NUM_THREADS": "1"})
    assert last.returncode == 0, last.stderr
    assert last.stdout.split(",")[0] == straight.stdout.split(",")[0]
    expected, found = weights(whole), weights(tmp_path)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file-size limit of the shell")
def test_a_full_disk_is_one_line_and_earlier_weights_stay(cli: CliRunner, tmp_path: Path) -> None:
    tiny = ("train", "--data", "digits", "--limit", "200", "--epochs", "1", "-q")
    assert cli(*tiny).returncode == 0
    before = (tmp_path / "weights" / "last.safetensors").read_bytes()
    # A limit of 100 KB on a file stands for the full disk: the same error path of write().
    run = subprocess.run(
        ["bash", "-c", 'ulimit -f 100; trap "" XFSZ; exec "$@"', "-",
         sys.executable, "-m", "cnncli", *tiny],
        cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert "File too large" in run.stderr
    assert (tmp_path / "weights" / "last.safetensors").read_bytes() == before
    assert not list((tmp_path / "weights").glob(".*"))  # nothing half-written stays


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no SIGINT for one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_then_resume_goes_on(cli: CliRunner, tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cnncli", *RUN],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(number)
                break
        rest = process.stderr.read()
        code = process.wait(timeout=60)
    assert code == 128 + number
    assert "with --resume goes on" in rest
    again = cli("train", "--resume")
    assert again.returncode == 0, again.stderr
    assert "going on after step" in again.stderr
    history = (tmp_path / "weights" / "last.history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in history[1:]] == [str(n) for n in range(1, 7)]


def test_a_stop_that_another_process_asked_for_is_an_interruption(tmp_path: Path) -> None:
    """With torchrun a signal may reach one process only; the others hear of it after the step."""
    program = (
        "import sys\nfrom cnncli.cli import main\nfrom cnncli.nn.distributed import World\n"
        "World.any = lambda *_: True\nmain(sys.argv[1:])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *RUN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert run.returncode == 130, run.stderr
    assert "with --resume goes on" in run.stderr
    assert "--max-minutes" not in run.stderr


def test_a_time_limit_ends_with_a_result(cli: CliRunner) -> None:
    run = cli("train", "--data", "digits", "--epochs", "5000", "--max-minutes", "0.02")
    assert run.returncode == 0, run.stderr
    assert "--max-minutes 0.02 is over in epoch" in run.stderr
    assert run.stdout.startswith("test accuracy")


def events(run: subprocess.CompletedProcess[str]) -> list[dict[str, float]]:
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("torchrun", path=str(Path(sys.executable).parent)) is None,
                    reason="no torchrun beside this Python")  # fmt: skip
def test_two_processes_follow_one(cli: CliRunner, tmp_path: Path) -> None:
    arguments = ["train", "--data", "digits", "--epochs", "2", "--precision", "fp32", "--json"]
    one = cli(*arguments, "--out", "one.safetensors", env={"OMP_NUM_THREADS": "1"})
    assert one.returncode == 0, one.stderr
    two = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
         "-m", "cnncli", *arguments, "--out", "two.safetensors"],
        cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=240,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr
    alone, shared = events(one), events(two)
    assert [e["event"] for e in shared] == ["epoch", "epoch", "result"]  # one writer only
    assert shared[0]["train_loss"] == pytest.approx(alone[0]["train_loss"], abs=1e-3)
    assert shared[0]["val_loss"] == pytest.approx(alone[0]["val_loss"], abs=1e-3)
    assert shared[2]["test_accuracy"] == pytest.approx(alone[2]["test_accuracy"], abs=0.01)
    saved = read_checkpoint(tmp_path / "two.safetensors")
    for name, array in read_checkpoint(tmp_path / "one.safetensors").tensors.items():
        np.testing.assert_allclose(saved.tensors[name], array, atol=0.02)
