"""Steps that need no word from the processor: the same training, as the CPU can show."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnncli.config import RECIPES, ModelConfig, OptimizerName
from cnncli.nn.datasets import DataSet, open_data
from cnncli.nn.evaluation import Metrics, normalise
from cnncli.nn.replay import WARM_UP, Plan, Recorded
from cnncli.nn.resume import read_state, restore, write_state
from cnncli.nn.training import StoppedError, TrainingRun

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return open_data("digits", Path()).split_validation(0.1, 0, 300)


def start(
    data: DataSet, recipe: str = "fast", model: str = "simple", **changes: object
) -> TrainingRun:
    given = {"epochs": 2, "batch_size": 64, "precision": "fp32", **changes}
    return TrainingRun(ModelConfig(model), data, replace(RECIPES[recipe], **given), CPU)


def count(step: Callable[[], None], calls: list[int]) -> Callable[[], None]:
    def counted() -> None:
        calls.append(1)
        step()

    return counted


@pytest.mark.parametrize(
    ("recipe", "model", "optimizer"),
    [
        ("fast", "simple", "adamw"),
        ("fast", "simple", "muon"),
        ("plain", "simple", "sgd"),
        ("fast", "deep", "adam"),
    ],
)
def test_planned_steps_train_as_others_do(
    digits: DataSet,
    recipe: str,
    model: str,
    optimizer: OptimizerName,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In float64, as Adam turns a gradient of almost 0 into a full step; rates stay float32."""
    monkeypatch.setattr("cnncli.nn.training.normalise", lambda *given: normalise(*given).double())
    plain, planned = (start(digits, recipe, model, optimizer=optimizer, lr=1e-3) for _ in range(2))
    for run in (plain, planned):
        run.network.double()
        run.averaged.double()
        monkeypatch.setattr(run, "evaluate", lambda *_: Metrics(0.0, 0.0, 1))
    calls: list[int] = []
    planned.plan_ahead(lambda step: count(step, calls))
    expected, found = list(plain.epochs()), list(planned.epochs())
    assert len(calls) == 2 * (len(planned.train) // 64)  # all batches but each epoch's last one
    assert planned.steps == plain.steps
    for one, other in zip(expected, found, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-6)
    for name, tensor in plain.averaged.state_dict().items():
        torch.testing.assert_close(planned.averaged.state_dict()[name], tensor, rtol=0, atol=1e-6)


def test_a_planned_run_goes_on_in_the_middle_of_an_epoch(digits: DataSet, tmp_path: Path) -> None:
    whole = start(digits)
    whole.plan_ahead(lambda step: step)
    list(whole.epochs())

    stopped = start(digits)
    stopped.plan_ahead(lambda step: step)
    asked = iter([False, True])
    with pytest.raises(StoppedError):
        list(stopped.epochs(should_stop=lambda: next(asked)))
    write_state(tmp_path / "state", stopped, {})
    resumed = start(digits)
    resumed.plan_ahead(lambda step: step)
    restore(resumed, *read_state(tmp_path / "state"))
    list(resumed.epochs())
    for name, tensor in whole.averaged.state_dict().items():
        assert torch.equal(resumed.averaged.state_dict()[name], tensor), name


def test_a_plan_says_rows_rates_and_shares_by_the_step() -> None:
    plan = Plan(10, 3, [0.1, 0.2, 0.3, 0.4], [1.0, 0.5, 0.25, 0.0], CPU)
    plan.begin(torch.arange(9, -1, -1), None, position=3, step=1)
    assert plan.order.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert plan.rows.tolist() == [3, 4, 5]
    assert plan.rate.item() == pytest.approx(0.2)
    averaged = [torch.tensor([0.0, 8.0])]
    plan.average(averaged, [torch.tensor([4.0, 8.0])])
    assert averaged[0].tolist() == [2.0, 8.0]
    plan.advance()
    assert plan.rows.tolist() == [6, 7, 8]
    assert plan.rate.item() == pytest.approx(0.3)


class FakeStream:
    def wait_stream(self, other: "FakeStream") -> None:
        pass


class FakeGraph:
    """Remembers what was done while it recorded, as a count, and counts replays."""

    replays = 0

    def replay(self) -> None:
        FakeGraph.replays += 1


def test_a_step_is_recorded_once_after_its_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU here: what is called when, on stand-ins for torch's streams and graphs."""
    said: list[str] = []

    @contextmanager
    def noting(word: str) -> Iterator[None]:
        said.append(word)
        yield

    FakeGraph.replays = 0
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "current_stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: noting("alone"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", lambda _: noting("recording"))
    step = Recorded(lambda: said.append("step"))
    for _ in range(WARM_UP + 4):
        step()
    assert said == ["alone", "step"] * WARM_UP + ["recording", "step"]
    assert FakeGraph.replays == 4
