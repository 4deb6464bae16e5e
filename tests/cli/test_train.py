"""``cnncli train`` run for real, on few pictures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.config import IMAGENET_MEAN, ModelConfig
from cnncli.images import Picture, write_picture
from cnncli.nn.networks import build_network
from tests.cli.conftest import RunHere
from tests.conftest import CliRunner
from tests.nn.test_datasets import picture_folder, write_idx

TINY = ("--data", "digits", "--limit", "200", "--epochs", "1")


def test_a_run_shows_the_network_and_leaves_four_things(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("train", *TINY, "--report", "report.html")
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
    report = (tmp_path / "report.html").read_text("utf-8")
    assert f"simple on digits: {saved.card['test']['accuracy']:.2%}" in report
    assert "How it was trained" not in report  # one epoch is no curve


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


def test_a_dry_run_calls_no_class_rare_that_one_batch_has_few_of(cli: CliRunner) -> None:
    run = cli("train", "--data", "digits", "--dry-run", "--batch-size", "16")
    assert run.returncode == 0, run.stderr
    assert "16 pictures to train on" in run.stderr
    assert "rare classes" not in run.stderr


def test_a_folder_of_pictures(cli: CliRunner, tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 8, "test": 3})
    run = cli("train", "--data", folder, "--model", "simple", "--epochs", "2", "--json")
    assert run.returncode == 0, run.stderr
    saved = read_checkpoint(tmp_path / "weights" / "last.safetensors")
    assert saved.classes == ("bright10", "dark2")
    assert (saved.model.in_channels, saved.model.height) == (3, 12)


def small_photographs(root: Path) -> Path:
    """Write 32x32 pictures of two classes: what is brighter, above or below."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 17), ("test", 4)):
        for name, bright in (("below", slice(16, 32)), ("above", slice(0, 16))):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = draw.integers(0, 100, (32, 32, 3))
                pixels[bright] += 150
                write_picture(folder / f"{index}.png", Picture(pixels.astype(np.uint8)))
    return root


def test_torchvisions_networks_learn_from_imagenets_weights(cli: CliRunner, tmp_path: Path) -> None:
    folder, hub = small_photographs(tmp_path / "pictures"), tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    learned = build_network(ModelConfig("mobilenet_v3_small", 3, 32, 32, 1000)).state_dict()
    torch.save(learned, hub / "mobilenet_v3_small-047dcff4.pth")
    arguments = ("--data", folder, "--model", "mobilenet_v3_small", "--pretrained")
    # 32 pictures to learn from: a batch of 31, and one of a single picture.
    sizes = ("--epochs", "1", "--val-split", "0.06", "--batch-size", "31")
    run = cli("train", *arguments, *sizes, "--json", env={"TORCH_HOME": str(tmp_path)})
    assert run.returncode == 0, run.stderr
    saved = read_checkpoint(tmp_path / "weights" / "last.safetensors")
    assert saved.preprocessing.mean == IMAGENET_MEAN
    assert saved.card["started_from"] == "ImageNet weights of mobilenet_v3_small"
    assert saved.card["recipe"]["lr"] == 1e-3
    assert saved.card["training_pictures"] == 32
    picture = folder / "test" / "above" / "0.png"
    answer = cli("predict", picture, "--json")  # where the hub is not named: nothing is fetched
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["label"] in ("above", "below")


def test_drawn_digits_beside_those_of_a_data_set(
    run_here: RunHere,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cnncli.nn.drawn.extra.HELD_OUT", 200)
    out, onward = tmp_path / "mixed.safetensors", tmp_path / "onward"
    assert run_here("train", *TINY, "--extra", "drawn", "--out", str(out)) == 0
    assert "of 200 held out" in capsys.readouterr().out
    card = read_checkpoint(out).card
    digits, others = (
        int(number) for number in re.findall(r"(\d+) (?:digits|other)", card["extra"])
    )
    own = card["training_pictures"] - digits - others
    assert (digits, others) == (round(0.4 * own), round(0.08 * own))
    assert own + card["validation_pictures"] in range(199, 203)  # --limit, by class
    assert card["test"]["pictures"] == 359  # of the data set alone
    assert card["drawn"]["pictures"] == 200
    assert run_here("train", "--resume", "--out", str(out), "--seed", "1") == 2
    assert "--seed 0, not 1" in capsys.readouterr().err
    # From those weights on, instead of from random ones; the file is of before there were views.
    learned = read_checkpoint(out)
    assert learned.model.moved
    write_checkpoint(out, replace(learned, model=replace(learned.model, moved=False)))
    begin = ("--start", str(out))
    assert run_here("train", *TINY, *begin, "--lr", "1e-9", "--out", str(onward)) == 0
    before, after = (read_checkpoint(path).tensors for path in (out, onward))
    assert all(np.allclose(before[name], after[name], atol=1e-4) for name in before)
    assert read_checkpoint(onward).model.moved
    assert run_here("train", *TINY, *begin, "--model", "deep") == 2
    assert "has a network of another kind" in capsys.readouterr().err


def test_drawn_digits_fit_digits_only(cli: CliRunner, tmp_path: Path) -> None:
    picture_folder(tmp_path / "pictures", {"train": 8})
    run = cli("train", "--data", "pictures", "--extra", "drawn")
    assert run.returncode == 2
    assert "--extra drawn has the digits 0 to 9 in 28x28 pixels" in run.stderr


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
        (
            ["--data", "digits", "--model", "resnet19"],
            2,
            "'resnet19' is unknown; the nearest",
        ),
        (["--data", "digits", "--pretrained"], 2, "--pretrained has no weights for --model simple"),
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


def test_pictures_that_are_too_small_for_a_network_are_one_line(
    cli: CliRunner, tmp_path: Path
) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 8})
    run = cli("train", "--data", folder, "--model", "resnet18", "-q")
    assert run.returncode == 1
    assert "12x12 pixels are too few for resnet18; use 17x17 or more" in run.stderr
    assert "error: " in run.stderr
    assert run.stdout == ""


def test_a_folder_with_one_class_is_one_line(cli: CliRunner, tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 3})
    for path in (folder / "train" / "dark2").iterdir():
        path.unlink()
    run = cli("train", "--data", folder)
    assert run.returncode == 1
    assert "1 class (bright10); a classifier needs two or more sub-folders" in run.stderr
    assert run.stderr.count("\n") == 1
