"""A run that was interrupted lands on the same bits as one that was not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cnncli.config import RECIPES, ModelConfig
from cnncli.errors import CheckpointError
from cnncli.nn.datasets import DataSet, open_data
from cnncli.nn.loop import StoppedError
from cnncli.nn.resume import read_state, restore, write_state
from cnncli.nn.training import TrainingRun


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return open_data("digits", Path()).split_validation(0.1, 0, limit=400)


def start(data: DataSet, recipe: str, model: str = "simple", **changes: object) -> TrainingRun:
    config = replace(RECIPES[recipe], **{"epochs": 3, "batch_size": 64, **changes})
    return TrainingRun(ModelConfig(model), data, config, torch.device("cpu"))


def stop_after(steps: int, run: TrainingRun) -> None:
    with pytest.raises(StoppedError):
        list(run.epochs(should_stop=lambda: run.steps >= steps))


def assert_same(one: TrainingRun, other: TrainingRun) -> None:
    for a, b in ((one.network, other.network), (one.ema, other.ema)):
        for name, tensor in a.state_dict().items():
            assert torch.equal(tensor, b.state_dict()[name]), name
    assert one.best.keys() == other.best.keys()
    assert all(torch.equal(one.best[name], other.best[name]) for name in one.best)
    timeless = {"images_per_second": 0, "seconds": 0}
    assert [report.to_dict() | timeless for report in one.reports] == [
        report.to_dict() | timeless for report in other.reports
    ]


# 360 pictures in batches of 64: six steps an epoch; 6 and 12 lie on the borders of epochs.
@pytest.mark.parametrize("steps", [1, 5, 6, 7, 17])
@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("fast", {}),
        ("plain", {}),
        ("fast", {"optimizer": "sgd", "precision": "fp32"}),
        ("fast", {"optimizer": "muon"}),
    ],
    ids=["fast", "plain", "sgd", "muon"],
)
def test_bits_are_equal_wherever_it_stopped(
    steps: int, recipe: str, changes: dict[str, object], digits: DataSet, tmp_path: Path
) -> None:
    whole = start(digits, recipe, **changes)
    list(whole.epochs())
    broken = start(digits, recipe, **changes)
    stop_after(steps, broken)
    write_state(tmp_path / "s", broken, {"data": "digits"})
    record, tensors = read_state(tmp_path / "s")
    again = start(digits, recipe, **changes)
    restore(again, record, tensors)
    assert again.steps == steps
    list(again.epochs())
    assert_same(whole, again)
    assert record["request"] == {"data": "digits"}


@pytest.mark.parametrize("name", ["deep", "mobilenet_v3_small"])
def test_batch_norm_comes_back_too(name: str, digits: DataSet, tmp_path: Path) -> None:
    small = replace(digits, train=digits.train.take(torch.arange(96)))
    whole = start(small, "fast", name, epochs=2)
    list(whole.epochs())
    broken = start(small, "fast", name, epochs=2)
    stop_after(3, broken)
    write_state(tmp_path / "s", broken, {})
    again = start(small, "fast", name, epochs=2)
    restore(again, *read_state(tmp_path / "s"))
    list(again.epochs())
    assert_same(whole, again)


def test_other_pictures_are_refused(digits: DataSet, tmp_path: Path) -> None:
    run = start(digits, "fast")
    write_state(tmp_path / "s", run, {})
    other = start(open_data("digits", Path()).split_validation(0.1, 1, limit=400), "fast")
    with pytest.raises(CheckpointError, match="not the ones that the interrupted run had"):
        restore(other, *read_state(tmp_path / "s"))


@pytest.mark.parametrize("kind", ["missing", "text", "weights", "version", "cut"])
def test_what_is_no_state_is_refused_in_one_line(
    kind: str, digits: DataSet, tmp_path: Path
) -> None:
    path = tmp_path / "last.resume"
    if kind == "text":
        path.write_text("hello")
    elif kind == "weights":
        save_file({"a": torch.zeros(1)}, path)
    elif kind == "version":
        save_file({"a": torch.zeros(1)}, path, {"cnncli-resume": json.dumps({"format": 99})})
    elif kind == "cut":
        write_state(path, start(digits, "fast"), {})
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="train without --resume") as caught:
        read_state(path)
    assert "\n" not in str(caught.value)


def test_an_incomplete_state_is_refused(digits: DataSet, tmp_path: Path) -> None:
    write_state(tmp_path / "s", start(digits, "fast"), {})
    record, tensors = read_state(tmp_path / "s")
    del tensors["averaged.fc1.weight"]
    with pytest.raises(CheckpointError, match="incomplete"):
        restore(start(digits, "fast"), record, tensors)
