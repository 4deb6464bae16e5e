"""The training loop: it learns, it is reproducible, it stops when told, it keeps the best."""

import copy
import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.config import RECIPES, ModelConfig, Preprocessing, TrainConfig
from cnncli.nn.augmentation import Variations, augment
from cnncli.nn.datasets import DataSet, open_data
from cnncli.nn.evaluation import Metrics, logits_of, measure, normalise
from cnncli.nn.loop import StoppedError, train_epoch
from cnncli.nn.optimizers import Optimizer
from cnncli.nn.results import to_checkpoint, write_history
from cnncli.nn.splits import Split
from cnncli.nn.state_dict import load_network
from cnncli.nn.training import DivergedError, TrainingRun, targets

CPU = torch.device("cpu")


def evaluate(
    network: nn.Module, split: Split, preprocessing: Preprocessing, device: torch.device
) -> Metrics:
    return measure(logits_of(network, split.images, preprocessing, device), split.labels)


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return open_data("digits", Path()).split_validation(0.1, 0)


def start(data: DataSet, recipe: str = "fast", **changes: object) -> TrainingRun:
    config = replace(RECIPES[recipe], **{"epochs": 1, "precision": "fp32", **changes})
    return TrainingRun(ModelConfig(), data, config, CPU)


@pytest.fixture(scope="module")
def trained(digits: DataSet) -> TrainingRun:
    run = start(digits, epochs=6, batch_size=32)
    for _ in run.epochs():
        pass
    return run


def test_it_learns_the_digits(trained: TrainingRun, digits: DataSet) -> None:
    found = evaluate(trained.best_network(), digits.load_test(), digits.preprocessing, CPU)
    assert found.count == 359
    assert found.accuracy > 0.94
    assert [report.epoch for report in trained.reports] == [1, 2, 3, 4, 5, 6]
    assert trained.reports[-1].train_loss < trained.reports[0].train_loss


def test_a_label_asks_for_its_class_and_what_is_none_for_all_alike() -> None:
    wanted = torch.tensor([[0.95, 0.05], [0.05, 0.95], [0.25, 0.25]])
    torch.testing.assert_close(targets(2, 0.1), wanted)
    logits, labels = torch.randn(7, 5), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    torch.testing.assert_close(
        functional.cross_entropy(logits, targets(5, 0.1)[labels], reduction="sum"),
        functional.cross_entropy(logits, labels, label_smoothing=0.1, reduction="sum"),
    )


def test_the_plain_recipe_is_the_lessons_loop(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs written out by hand, with the same order of pictures, give the same weights.

    In float64: Adam divides a gradient by its own size, so that where a gradient is almost 0 its
    rounding decides; in float32 a few weights would differ by half a step (5e-4).
    """

    def lessons_input(images: torch.Tensor, _preprocessing: Preprocessing) -> torch.Tensor:
        return (images.double() / 255 - 0.1307) / 0.3081

    monkeypatch.setattr("cnncli.nn.loop.normalise", lessons_input)
    run = start(digits, "plain", epochs=2)
    theirs = start(digits, "plain").network.double()
    run.network.double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.001)
    for epoch in range(2):
        run.epoch, run.position = epoch, 0
        order, variations = run.plan_epoch()
        assert variations is None
        for rows in order.split(64):
            images = lessons_input(digits.train.images[rows], digits.preprocessing)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(theirs(images), digits.train.labels[rows]).backward()
            optimizer.step()
        train_epoch(run)
    for ours, other in zip(run.network.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_optimizers_are_torchs_own(optimizer: str, digits: DataSet) -> None:
    run = start(digits, optimizer=optimizer, weight_decay=0.05)
    weights = [nn.Parameter(p.detach().clone()) for p in run.network.parameters()]
    if optimizer == "sgd":
        theirs: torch.optim.Optimizer = torch.optim.SGD(
            weights, 0.1, momentum=0.9, nesterov=True, weight_decay=0.05, fused=True
        )
    else:
        kind = torch.optim.AdamW if optimizer == "adamw" else torch.optim.Adam
        theirs = kind(weights, 0.1, weight_decay=0.05, fused=True)
    generator = torch.Generator().manual_seed(0)
    for rate in (0.1, 0.03, 0.01):
        theirs.param_groups[0]["lr"] = rate
        for ours, other in zip(run.network.parameters(), weights, strict=True):
            noise = torch.randn(ours.shape, generator=generator)
            ours.grad = torch.empty_like(ours).copy_(noise)
            other.grad = torch.empty_like(other).copy_(noise)
        run.optimizer.step(rate)
        theirs.step()
        assert all(p.grad is None for p in run.network.parameters())
    for ours, other in zip(run.network.parameters(), weights, strict=True):
        assert torch.equal(ours, other)


def test_an_optimizer_by_hand() -> None:
    """Adam's first step is the rate, towards less; weight decay takes rate * decay off first."""
    weight = nn.Parameter(torch.tensor([2.0, -4.0]))
    weight.grad = torch.tensor([0.5, -3.0])
    Optimizer([weight], replace(RECIPES["fast"], weight_decay=0.1)).step(0.01)
    # 2 * (1 - 0.001) - 0.01 and -4 * (1 - 0.001) + 0.01
    torch.testing.assert_close(weight.detach(), torch.tensor([1.988, -3.986]))


def weights_after(data: DataSet, **changes: object) -> torch.Tensor:
    run = start(data, **changes)
    for _ in run.epochs():
        pass
    return torch.cat([p.detach().flatten() for p in run.ema.parameters()])


def test_the_same_seed_gives_the_same_weights(digits: DataSet) -> None:
    assert torch.equal(weights_after(digits), weights_after(digits))
    assert not torch.equal(weights_after(digits), weights_after(digits, seed=1))


def test_the_outside_random_state_neither_matters_nor_changes(digits: DataSet) -> None:
    torch.manual_seed(5)
    first = weights_after(digits)
    assert torch.initial_seed() == 5
    torch.manual_seed(6)
    assert torch.equal(first, weights_after(digits))


def test_pictures_come_in_another_order_every_epoch(digits: DataSet) -> None:
    run = start(digits)
    first, variations = run.plan_epoch()
    assert sorted(first.tolist()) == list(range(len(digits.train)))
    assert first.tolist() != sorted(first.tolist())
    assert variations is not None
    run.epoch = 1
    second, others = run.plan_epoch()
    assert others is not None
    assert not torch.equal(first, second)
    assert not torch.equal(variations.theta, others.theta)


def test_pictures_vary_less_and_less(digits: DataSet) -> None:
    run = start(digits, epochs=5)
    furthest = []
    for run.epoch in range(5):
        _, variations = run.plan_epoch()
        assert variations is not None
        furthest.append(float(variations.stroke.max()))
    # Of 1,294 even draws the largest is near the bound: 0.8 times 1, 13/16, 5/8, 7/16, 1/4.
    assert furthest == pytest.approx([0.8, 0.65, 0.5, 0.35, 0.2], rel=0.03)
    assert start(digits, epochs=1).augmentation_strength() == 1  # the only epoch varies fully
    photographs = start(replace(digits, style="photo"), epochs=3)
    photographs.epoch = 2
    assert photographs.augmentation_strength() == 1  # they never vary enough
    deep = TrainingRun(ModelConfig("deep"), digits, RECIPES["fast"], CPU)
    deep.epoch = 9
    assert deep.augmentation_strength() == 1  # nor do digits for DeepCNN


def test_light_falls_on_photographs_alone(digits: DataSet) -> None:
    images = digits.train.images[:2]
    upright = torch.eye(2, 3).expand(2, 2, 3)
    how = Variations(upright, torch.zeros(2), torch.tensor([10.0, -20.0]))
    found = augment(images, how, "photo")
    added = torch.tensor([10.0, -20.0])[:, None, None, None]
    torch.testing.assert_close(found, images + added, atol=1e-3, rtol=0)
    torch.testing.assert_close(augment(images, how, "digit"), images.float(), atol=1e-3, rtol=0)


def test_a_stop_comes_between_two_steps_and_the_run_goes_on(digits: DataSet) -> None:
    whole = start(digits, epochs=2)
    list(whole.epochs())
    run = start(digits, epochs=2)
    asked: list[int] = []

    def third_step() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(StoppedError):
        list(run.epochs(should_stop=third_step))
    assert (run.steps, run.position, run.epoch) == (3, 3 * 128, 0)
    list(run.epochs())
    for ours, other in zip(whole.ema.parameters(), run.ema.parameters(), strict=True):
        assert torch.equal(ours, other)
    assert run.reports[0].train_loss == whole.reports[0].train_loss


@pytest.mark.parametrize("recipe", ["plain", "fast"])
def test_threads_that_share_a_batch_learn_the_same(digits: DataSet, recipe: str) -> None:
    config = replace(RECIPES[recipe], epochs=1, precision="fp32")
    model = ModelConfig()
    alone, shared = (
        TrainingRun(model, digits, config, torch.device("cpu"), workers=workers)
        for workers in (1, 3)
    )
    (one,), (other,) = list(alone.epochs()), list(shared.epochs())
    # The same sums in another order: float32 rounding, amplified by the steps of an epoch.
    assert other.train_loss == pytest.approx(one.train_loss, rel=2e-3)
    assert other.val_loss == pytest.approx(one.val_loss, rel=2e-2)
    first, second = alone.network.state_dict(), shared.network.state_dict()
    assert all(torch.allclose(first[name], second[name], atol=5e-3) for name in first)


def test_threads_that_share_a_deep_network_learn_the_same_twice(digits: DataSet) -> None:
    """Each normalises its part of the batch; the first one's statistics are the network's."""
    config = replace(RECIPES["fast"], epochs=1, batch_size=128, precision="fp32")
    small = replace(digits, train=digits.train.take(torch.arange(257)))  # a last batch of one
    one, again = (TrainingRun(ModelConfig("deep"), small, config, CPU, workers=2) for _ in range(2))
    (first,), (second,) = list(one.epochs()), list(again.epochs())
    assert first.train_loss == second.train_loss
    states = one.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert one.network.groups[0].norm.num_batches_tracked == 3
    mine, theirs = one.network.parameters(), one.replicas[1].parameters()
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(mine, theirs, strict=True))


def test_parts_of_a_batch_are_normalised_by_themselves(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step's gradient is the sum of those of both halves, each a batch alone (in float64)."""

    def exactly(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
        return normalise(images, preprocessing).double()

    monkeypatch.setattr("cnncli.nn.loop.normalise", exactly)
    config = replace(RECIPES["plain"], epochs=1, batch_size=128, optimizer="sgd", lr=0.5)
    small = replace(digits, train=digits.train.take(torch.arange(128)))
    run = TrainingRun(ModelConfig("deep"), small, config, CPU, workers=2)
    for twin in run.replicas:
        twin.double()
    alone = [copy.deepcopy(run.network) for _ in range(2)]
    order = torch.randperm(128, generator=torch.Generator().manual_seed(0))
    for network, rows in zip(alone, order.chunk(2), strict=True):
        logits = network(exactly(small.train.images[rows], digits.preprocessing))
        loss = functional.cross_entropy(logits, small.train.labels[rows], reduction="sum")
        (loss / 128).backward()
    train_epoch(run)
    learned = zip(
        run.network.parameters(), *(network.parameters() for network in alone), strict=True
    )
    for weight, one, other in learned:
        # Nesterov's first step with momentum 0.9 goes 1.9 times the rate.
        if weight.requires_grad:
            torch.testing.assert_close(weight, one - 1.9 * 0.5 * (one.grad + other.grad))


def test_every_step_is_reported(digits: DataSet) -> None:
    seen: list[tuple[int, int]] = []
    list(start(digits).epochs(on_step=lambda done, of: seen.append((done, of))))
    assert seen == [(step, 11) for step in range(1, 12)]  # 1,295 pictures in batches of 128


def test_a_loss_that_is_no_number_stops_and_keeps_the_best(digits: DataSet) -> None:
    run = start(digits, epochs=5, lr=1e30, optimizer="sgd", schedule="constant")
    with pytest.raises(DivergedError, match="try a lower --lr than 1e"):
        list(run.epochs())


def test_patience_ends_a_run_that_gains_nothing(digits: DataSet) -> None:
    run = start(digits, "plain", epochs=50, lr=1e-12, patience=2)
    reports = list(run.epochs())
    best = max(report.val_accuracy for report in reports)
    gained = next(report.epoch for report in reports if report.val_accuracy == best)
    assert len(reports) - gained == 2


def test_of_equally_good_epochs_the_last_is_kept(digits: DataSet) -> None:
    run = start(digits, "plain", epochs=3, lr=1e-12)
    assert len({report.val_accuracy for report in run.epochs()}) == 1
    assert run.best_epoch == 3


def test_the_best_epoch_is_kept(digits: DataSet) -> None:
    run = start(digits, epochs=3)
    accuracies = [report.val_accuracy for report in run.epochs()]
    assert accuracies[run.best_epoch - 1] == max(accuracies)
    found = evaluate(run.best_network(), run.validation, digits.preprocessing, CPU)
    assert found.accuracy == max(accuracies)


def test_a_validation_part_is_needed() -> None:
    with pytest.raises(ValueError, match="no validation part"):
        start(open_data("digits", Path()))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon", "muon-turn"])
def test_every_optimizer_takes_a_step_down(optimizer: str, digits: DataSet) -> None:
    run = start(digits, optimizer=optimizer, epochs=2, lr=0.01, label_smoothing=0.0)
    first, second = run.epochs()
    assert second.train_loss < first.train_loss


def test_bf16_learns_too(digits: DataSet) -> None:
    run = start(digits, precision="bf16", epochs=3)
    assert run.bf16
    assert list(run.epochs())[-1].val_accuracy > 0.5
    assert all(p.dtype == torch.float32 for p in run.network.parameters())


def test_normalise_by_hand() -> None:
    black_and_white = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
    found = normalise(black_and_white, Preprocessing(mean=(0.5,), std=(0.25,)))
    assert found.flatten().tolist() == [-2.0, 2.0]


def test_measures_by_hand() -> None:
    found = measure(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    assert found.accuracy == 0.5
    assert found.loss == pytest.approx(0.6931, abs=1e-4)


def test_the_checkpoint_predicts_what_the_run_did(trained: TrainingRun, tmp_path: Path) -> None:
    made = to_checkpoint(trained, trained.best, command="cnncli train")
    write_checkpoint(tmp_path / "w.safetensors", made)
    read = read_checkpoint(tmp_path / "w.safetensors")
    images = trained.validation.images
    expected = logits_of(trained.best_network(), images, read.preprocessing, CPU)
    found = logits_of(load_network(read), images, read.preprocessing, CPU)
    torch.testing.assert_close(found, expected)
    assert TrainConfig.from_dict(read.card["recipe"]) == trained.config
    assert read.card["best_epoch"] == trained.best_epoch
    assert read.card["validation"]["accuracy"] == max(r.val_accuracy for r in trained.reports)
    assert read.card["command"] == "cnncli train"


def test_the_history_is_a_table(trained: TrainingRun, tmp_path: Path) -> None:
    write_history(tmp_path / "h.csv", trained.reports)
    with (tmp_path / "h.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[2]["val_loss"]) == trained.reports[2].val_loss


@pytest.mark.slow
def test_the_shipped_weights_are_as_good_as_their_card_says(mnist_folder: Path) -> None:
    from cnncli.resources import shipped_weights

    shipped = read_checkpoint(shipped_weights())
    test = open_data("mnist", mnist_folder).load_test()
    found = evaluate(load_network(shipped), test, shipped.preprocessing, CPU)
    assert found.count == 10_000
    assert found.accuracy == pytest.approx(shipped.card["test"]["accuracy"], abs=1e-4)
    assert found.accuracy >= 0.996
