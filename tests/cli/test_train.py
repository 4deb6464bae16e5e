"""``cnncli train`` run for real, on few pictures."""

import json
from pathlib import Path

import pytest

from cnncli.checkpoint import read_checkpoint
from tests.conftest import CliRunner
from tests.nn.test_datasets import picture_folder, write_idx

TINY = ("--data", "digits", "--limit", "200", "--epochs", "1")


def test_a_run_shows_the_network_and_leaves_four_things(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("train", *TINY)
    assert run.returncode == 0, run.stderr
    assert "206,922" in run.stderr
    assert "epoch 1/1, train loss" in run.stderr
    assert run.stdout.startswith("test accuracy ")
    assert "weights weights/last.safetensors" in run.stdout
    saved = read_checkpoint(tmp_path / "weights" / "last.safetensors")
    assert saved.card["command"].startswith("cnncli train --data digits")
    assert saved.card["data"] == "digits"
    assert saved.card["test"]["pictures"] == 359
    assert (tmp_path / "weights" / "last.history.csv").read_text().count("\n") == 2
    assert (tmp_path / "weights" / "last.curves.png").read_bytes().startswith(b"\x89PNG")


def test_json_events_and_another_place(cli: CliRunner, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "mine.safetensors"
    run = cli("train", *TINY, "--json", "--recipe", "plain", "--out", out)
    assert run.returncode == 0, run.stderr
    epoch, result = map(json.loads, run.stdout.splitlines())
    assert set(epoch) == {
        "event", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr",
        "images_per_second", "seconds",
    }  # fmt: skip
    assert set(result) == {"event", "test_accuracy", "test_loss", "weights", "seconds"}
    assert result["weights"] == str(out)
    assert epoch["lr"] == 0.001
    assert read_checkpoint(out).card["recipe"]["optimizer"] == "adam"
    assert run.stderr == ""


def test_a_dry_run_writes_nothing(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("train", "--data", "digits", "--dry-run", "-q")
    assert run.returncode == 0, run.stderr
    assert "dry run: nothing was written" in run.stdout
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_pictures(cli: CliRunner, tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 8, "test": 3})
    run = cli("train", "--data", folder, "--epochs", "2", "--json")
    assert run.returncode == 0, run.stderr
    saved = read_checkpoint(tmp_path / "weights" / "last.safetensors")
    assert saved.classes == ("bright10", "dark2")
    assert (saved.model.in_channels, saved.model.height) == (3, 12)


def test_a_folder_of_idx_files(cli: CliRunner, tmp_path: Path) -> None:
    write_idx(tmp_path / "idx", packed=True)
    run = cli("train", "--data", tmp_path / "idx", "--epochs", "1", "-q")
    assert run.returncode == 0, run.stderr
    assert "on 10 pictures" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--epochs", "0"], 2, "--epochs"),
        (["--batch-size", "0"], 2, "--batch-size"),
        (["--recipe", "slow"], 2, "slow"),
        (["--val-split", "2"], 2, "--val-split"),
        (["--data", "no-such-folder"], 1, "--data no-such-folder is neither a folder nor"),
        (["--data", "digits", "--device", "warp"], 1, "device 'warp' is unknown"),
        (["--data", "."], 1, "has pictures of 0 classes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line(
    cli: CliRunner, arguments: list[str], code: int, message: str
) -> None:
    run = cli("train", *arguments)
    assert run.returncode == code
    assert message in run.stderr
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""


def test_a_folder_with_one_class_is_one_line(cli: CliRunner, tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 3})
    for path in (folder / "train" / "dark2").iterdir():
        path.unlink()
    run = cli("train", "--data", folder)
    assert run.returncode == 1
    assert "1 class (bright10); a classifier needs two or more sub-folders" in run.stderr
    assert run.stderr.count("\n") == 1
