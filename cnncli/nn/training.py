"""Train a network: batches by index from memory, best epoch by validation, nothing printed.

The loop hands out one report an epoch; who calls it shows them, writes files and may stop it
between two steps.
"""

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.config import AUGMENTATIONS, ModelConfig, TrainConfig
from cnncli.errors import CnncliError
from cnncli.nn.augment import Variations, draw_variations, vary_strokes, warp
from cnncli.nn.datasets import DataSet
from cnncli.nn.device import use_bf16
from cnncli.nn.distributed import World
from cnncli.nn.evaluation import Metrics, logits_of, normalise
from cnncli.nn.networks import build_network, entry_of
from cnncli.nn.optimizers import Optimizer
from cnncli.nn.replay import Plan, Recorded, whole_step
from cnncli.nn.schedule import learning_rate
from cnncli.nn.splits import Split

LAST_VARIETY = 0.25
_EPOCH_SEEDS = 1_000_003  # a prime: seeds of different runs meet in no epoch that one would train


class DivergedError(CnncliError):
    """The loss is no longer a number."""


class StoppedError(Exception):
    """The caller asked the run to stop; its state is whole."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What one epoch brought; the training figures are of varied pictures while learning."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    images_per_second: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def initial_network(model: ModelConfig, seed: int) -> nn.Module:
    """Return a network whose first weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(model)


class TrainingRun:
    """A network on its way from first weights to the best epoch.

    Parameters
    ----------
    model
        Architecture.
    data
        Data set with a validation part.
    config
        The recipe.
    device
        Where to compute.
    world
        This process among those that share the run; every batch is parted between them.
    workers
        Threads that each learn from a part of every batch; more than one only on the CPU and in
        one process. Batch normalisation sees the part, and notes statistics of the first one.
    """

    def __init__(
        self,
        model: ModelConfig,
        data: DataSet,
        config: TrainConfig,
        device: torch.device,
        world: World | None = None,
        workers: int = 1,
    ) -> None:
        if data.validation is None:
            raise ValueError("the data set has no validation part")
        self.model, self.data, self.config, self.device = model, data, config, device
        self.world = world or World()
        self.workers = workers
        self.train = _on_device(data.train, device)
        self.validation = _on_device(data.validation, device)
        self.network = self._place(initial_network(model, config.seed))
        self.bf16 = use_bf16(config.precision, device, self.network)
        self.averaged = self.network
        if config.ema_decay:
            self.averaged = self._place(initial_network(model, config.seed))
        self.optimizer = Optimizer(self.network.parameters(), config)
        self.parallel = self._join(self.network)
        self.twins = [self.parallel, *(_twin(self.network) for _ in range(workers - 1))]
        self.class_weights = class_weights(self.train.labels, model.num_classes, config)
        self.augmentation = AUGMENTATIONS[data.style] if config.augment else None
        self.epoch = 0  # finished epochs
        self.position = 0  # pictures of the current epoch that are done
        self.steps = 0
        self.totals = torch.zeros(2, dtype=torch.float64, device=device)  # loss, right answers
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.reports: list[EpochReport] = []
        self.plan: Plan | None = None
        if device.type == "cuda":
            torch.cuda.set_device(device)  # where streams and graphs are made
            if self.world.size == 1:
                self.plan_ahead(Recorded)

    def plan_ahead(self, record: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
        """Keep all that full batches need on the device, so that steps need no word from here.

        Parameters
        ----------
        record
            Makes a step that is launched as a whole out of one that is not.
        """
        steps = range(self.total_steps)
        averaged = _floats(self.averaged) if self.averaged is not self.network else []
        self.plan = Plan(
            len(self.train),
            self.config.batch_size,
            [self._rate(step) for step in steps],
            [self._share(step) for step in steps],
            self.device,
        )
        networks = averaged, _floats(self.network)
        learn = partial(self._learn, self.parallel)
        step = partial(whole_step, self.plan, learn, self.totals, self.optimizer, *networks)
        self._planned_step = record(step)

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of steps in an epoch; the last one may have fewer pictures."""
        return -(-len(self.train) // self.config.batch_size)

    @property
    def total_steps(self) -> int:
        """Return the number of steps of the whole run."""
        return self.steps_per_epoch * self.config.epochs

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Return what tells whether a data set is still the one that a run began with."""
        return {
            "train": len(self.train),
            "validation": len(self.validation),
            "shape": list(self.train.images.shape[1:]),
            "labels": crc32(self.train.labels.cpu().numpy().tobytes()),
            "pixels": crc32(self.train.images.cpu().numpy().tobytes()),
            "classes": list(self.data.classes),
        }

    def epochs(
        self,
        on_step: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[EpochReport]:
        """Train until the end, handing out one report an epoch.

        Parameters
        ----------
        on_step
            Called after each step with the steps done in this epoch and their number.
        should_stop
            Asked after each step.

        Raises
        ------
        DivergedError
            If the loss of an epoch is infinite or not a number.
        StoppedError
            If `should_stop` said so; the run can go on from where it is.
        """
        while self.epoch < self.config.epochs and not self._is_out_of_patience():
            start, first = time.perf_counter(), self.position
            self._finish_epoch(on_step, should_stop)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # launches are done ahead of the GPU
            trained = time.perf_counter() - start
            yield self._close_epoch(start, (len(self.train) - first) / trained)

    def evaluate(self, network: nn.Module, split: Split) -> Metrics:
        """Return a network's loss and accuracy; each process sees its share of the pictures.

        Nothing is padded, so that no picture counts twice.
        """
        rows = self.world.share(torch.arange(len(split), device=split.labels.device))
        labels = split.labels[rows].cpu()
        preprocessing = self.data.preprocessing
        pictures = split.images[rows]
        logits = logits_of(network, pictures, preprocessing, self.device, self.workers)
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        right = (logits.argmax(1) == labels).sum()
        sums = self.world.sum(torch.stack([loss, right]).double()) / len(split)
        return Metrics(float(sums[0]), float(sums[1]), len(split))

    def best_network(self) -> nn.Module:
        """Return the network of the best epoch, on the run's device, in evaluation mode."""
        network = self._place(build_network(self.model))
        network.load_state_dict(self.best)
        return network.eval()

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _join(self, network: nn.Module) -> nn.Module:
        if self.world.size == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def _is_out_of_patience(self) -> bool:
        best = max((report.val_accuracy for report in self.reports), default=0.0)
        gained = (report.epoch for report in self.reports if report.val_accuracy == best)
        return 0 < self.config.patience <= self.epoch - next(gained, 0)

    def _finish_epoch(
        self,
        on_step: Callable[[int, int], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        order, variations = self._plan_epoch()
        size = self.config.batch_size
        self.parallel.train()
        if self.plan:
            self.plan.begin(order, variations, self.position, self.steps)
        with ThreadPoolExecutor(self.workers) as crew:
            while self.position < len(self.train):
                end = min(self.position + size, len(self.train))
                if self.plan and end - self.position == size:
                    self._planned_step()
                    self.steps += 1
                else:
                    rows = torch.arange(self.position, end, device=self.device)
                    self._step(rows, order, variations, crew)
                self.position = end
                if on_step:
                    on_step(-(-end // size), self.steps_per_epoch)
                if should_stop and self.world.any(should_stop()):
                    raise StoppedError

    def _plan_epoch(self) -> tuple[Tensor, Variations | None]:
        """Draw the epoch's order and variations; the same ones whenever it is asked again."""
        seed = self.config.seed * _EPOCH_SEEDS + self.epoch
        generator = torch.Generator().manual_seed(seed)
        count, _, height, width = self.train.images.shape
        order = torch.randperm(count, generator=generator)
        if self.augmentation is None:
            return order.to(self.device), None
        bounds = self.augmentation.scaled(self._variety())
        drawn = draw_variations(count, height, width, bounds, generator)
        return order.to(self.device), drawn.on(self.device)

    def _variety(self) -> float:
        """Return how far pictures vary in this epoch: from all the way to a quarter in the last.

        Strong variation teaches what does not matter, weak variation what pictures look like:
        ending weak had the lowest log loss on held-out MNIST images, in short runs and in long.
        Photographs vary more than any of this: there SimpleCNN lost by it (6 seeds). So did
        DeepCNN, which else knows the digits by heart (8 epochs: 0.0108 held out, not 0.0115);
        larger networks, untried, are treated alike.
        """
        if self.data.style == "photo" or not entry_of(self.model.name).fades:
            return 1.0
        done = self.epoch / max(1, self.config.epochs - 1)
        return 1 + (LAST_VARIETY - 1) * done

    def _step(
        self, batch: Tensor, order: Tensor, variations: Variations | None, crew: Executor
    ) -> None:
        """Learn from the pictures at the positions `batch` of the epoch's order."""
        rows = self.world.share(batch)
        if self.workers == 1:
            loss, right = self._learn(self.parallel, order, variations, rows)
            # The mean over the whole batch: gradients are averaged over the processes.
            (loss * (self.world.size / len(batch))).backward()  # type: ignore[no-untyped-call]
            self.totals += torch.stack([loss.detach(), right])
        else:
            self._share_out(order, variations, rows, crew)
        self._update()

    def _share_out(
        self, order: Tensor, variations: Variations | None, batch: Tensor, crew: Executor
    ) -> None:
        """Let each thread learn from a part of the batch, and add the gradients up.

        A network this small is computed faster by threads that meet once a step than by ones
        that share out every operation and meet hundreds of times.
        """
        parameters = list(self.network.parameters())

        def gradients(twin: nn.Module, rows: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
            loss, right = self._learn(twin, order, variations, rows)
            found = torch.autograd.grad(loss / len(batch), parameters)
            return found, torch.stack([loss.detach(), right])

        # In the order of the parts, of which a short batch has fewer: the sum is the same.
        done = list(crew.map(gradients, self.twins, batch.chunk(self.workers)))
        for parameter, first, *others in zip(parameters, *(each for each, _ in done), strict=True):
            # Laid out as the parameter is: the fused optimizers go through both side by side.
            parameter.grad = torch.empty_like(parameter).copy_(first)
            for part in others:
                parameter.grad += part
        for _, totals in done:
            self.totals += totals

    def _learn(
        self, network: nn.Module, order: Tensor, variations: Variations | None, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the summed loss of these rows of the epoch, and the number of right answers."""
        index = order[rows]
        images, labels = self.train.images[index], self.train.labels[index]
        if variations is not None:
            images = self._vary(images, variations.of(rows))
        with self._autocast():
            logits = network(normalise(images, self.data.preprocessing))
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = functional.cross_entropy(
            logits,
            labels,
            self.class_weights,
            label_smoothing=self.config.label_smoothing,
            reduction="sum",
        )
        return loss, (logits.detach().argmax(1) == labels).sum()

    def _update(self) -> None:
        self.optimizer.step(self._rate(self.steps))
        self.steps += 1
        self._average()

    def _rate(self, step: int) -> float:
        return learning_rate(self.config.schedule, step, self.total_steps, self.config.lr)

    def _vary(self, images: Tensor, how: Variations) -> Tensor:
        if self.data.style == "photo":
            moved = warp(images.float(), how.theta, reflect=True)
            return moved.add_(how.light[:, None, None, None])
        return warp(vary_strokes(images, how.stroke), how.theta)

    def _autocast(self) -> AbstractContextManager[Any]:
        # Without a cache: each weight is used once, and what is recorded must not outlive itself.
        enabled = self.bf16
        return torch.autocast(self.device.type, torch.bfloat16, enabled, cache_enabled=False)

    def _average(self) -> None:
        if self.averaged is self.network:
            return
        with torch.no_grad():
            share = self._share(self.steps - 1)
            torch._foreach_lerp_(_floats(self.averaged), _floats(self.network), share)

    def _share(self, step: int) -> float:
        """Return how far the averaged weights follow after a step.

        The first weights are not worth keeping: the decay grows towards its final value.
        """
        return 1 - min(self.config.ema_decay, (2 + step) / (11 + step))

    def _close_epoch(self, start: float, images_per_second: float) -> EpochReport:
        loss, right = (self.world.sum(self.totals.clone()) / len(self.train)).tolist()
        if not torch.isfinite(torch.tensor(loss)):
            raise DivergedError(
                f"the loss of epoch {self.epoch + 1} is {loss}; try a lower --lr than "
                f"{self.config.lr:g}, a larger --batch-size, or --precision fp32"
            )
        found = self.evaluate(self.averaged, self.validation)
        report = EpochReport(
            epoch=self.epoch + 1,
            train_loss=loss,
            train_accuracy=right,
            val_loss=found.loss,
            val_accuracy=found.accuracy,
            lr=self._rate(self.steps - 1),
            images_per_second=images_per_second,
            seconds=time.perf_counter() - start,
        )
        self._keep_if_best(report)
        self.reports.append(report)
        self.epoch, self.position = self.epoch + 1, 0
        self.totals.zero_()
        return report

    def _keep_if_best(self, report: EpochReport) -> None:
        earlier = self.reports[self.best_epoch - 1] if self.best_epoch else None
        # Of equals the later: its rate was lower, and its average is over more. The loss would
        # not do, as label smoothing makes it grow again while the answers get better.
        if earlier and report.val_accuracy < earlier.val_accuracy:
            return
        self.best_epoch = report.epoch
        state = self.averaged.state_dict()
        self.best = {name: tensor.detach().clone() for name, tensor in state.items()}


def class_weights(labels: Tensor, classes: int, config: TrainConfig) -> Tensor | None:
    """Return weights that let every class count the same, or None where they do already.

    Parameters
    ----------
    labels
        int64 ``(N,)`` of the training pictures.
    classes
        Number of classes.
    config
        Says whether to balance.

    Returns
    -------
    torch.Tensor or None
        float32 ``(classes,)``, ``N / (classes present * count)``: on average 1 a picture; None
        if balancing is off, or no class is twice as large as another.
    """
    counts = torch.bincount(labels, minlength=classes).float()
    present = counts[counts > 0]
    if not config.balance or present.max() < 2 * present.min():
        return None
    weights = counts.sum() / (len(present) * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 0.0)


def _on_device(split: Split, device: torch.device) -> Split:
    return Split(split.images.to(device), split.labels.to(device))


def _twin(network: nn.Module) -> nn.Module:
    """Return a network with the same parameters, and running statistics of its own."""
    return copy.deepcopy(network, {id(part): part for part in network.parameters()})


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
