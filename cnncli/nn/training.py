"""A training run: what it holds, epoch by epoch; the steps themselves are in ``loop.py``.

One report is handed out an epoch; who calls shows them, writes files and may stop the run between
two steps.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.config import AUGMENTATIONS, ModelConfig, TrainConfig
from cnncli.errors import CnncliError
from cnncli.nn.augmentation import Variations, draw_variations
from cnncli.nn.datasets import DataSet
from cnncli.nn.device import use_bf16
from cnncli.nn.distributed import World
from cnncli.nn.evaluation import Metrics, logits_of, normalise
from cnncli.nn.loop import train_epoch
from cnncli.nn.networks import build_network, entry_of
from cnncli.nn.optimizers import Optimizer
from cnncli.nn.schedule import learning_rate
from cnncli.nn.splits import Split

LAST_STRENGTH = 0.25  # of the augmentation, where it fades
SEEN = 2_000_000  # pixels before the first step, if any: a patch of each has a few numbers
NONE_WEIGHT = 0.5  # of a picture that shows none of the classes
_EPOCH_SEEDS = 1_000_003  # a prime: seeds of different runs meet in no epoch that one would train


class DivergedError(CnncliError):
    """The loss is no longer a number."""


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
        Threads that each train on a part of every batch, with a replica of the network; more than
        one only on the CPU and in one process. A network this small is computed faster by threads
        that meet once a step than by ones that share out every operation. Batch normalisation sees
        the part, and the network keeps the statistics of the first one.
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
        self.ema = self.network
        if config.ema_decay:
            self.ema = self._place(initial_network(model, config.seed))
        self._show_pictures()
        self.bf16 = use_bf16(config.precision, device, self.network)
        self.optimizer = Optimizer(self.network.parameters(), config)
        self.replicas = [self.network, *(_replica(self.network) for _ in range(workers - 1))]
        self.class_weights = class_weights(self.train.labels, model.num_classes, config)
        self.targets = targets(model.num_classes, config.label_smoothing).to(device)
        self.augmentation = AUGMENTATIONS[data.style] if config.augment else None
        self.epoch = 0  # finished epochs
        self.position = 0  # pictures of the current epoch that are done
        self.steps = 0
        self.totals = torch.zeros(2, dtype=torch.float64, device=device)  # loss, right answers
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.blended: Metrics | None = None  # what the best epoch reaches once it is blended
        self.reports: list[EpochReport] = []

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
            for network in self.replicas:
                network.train()
            train_epoch(self, on_step, should_stop)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # it works behind what it is told
            trained = time.perf_counter() - start
            yield self._close_epoch(start, (len(self.train) - first) / trained)

    def evaluate(self, network: nn.Module, split: Split, *, bf16: bool = False) -> Metrics:
        """Return a network's loss and accuracy; each process sees its share of the pictures.

        Nothing is padded, so that no picture counts twice. What is shown once, in the end, is
        computed in float32, as all other commands do; an epoch's figure as the epoch was.
        """
        self.world.take_firsts(network.buffers())  # statistics of the first part of each batch
        rows = self.world.share(torch.arange(len(split), device=split.labels.device))
        labels = split.labels[rows].cpu()
        preprocessing = self.data.preprocessing
        pictures = split.images[rows]
        logits = logits_of(network, pictures, preprocessing, self.device, self.workers, bf16=bf16)
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        right = (logits.argmax(1) == labels).sum()
        sums = self.world.sum(torch.stack([loss, right]).double()) / len(split)
        return Metrics(float(sums[0]), float(sums[1]), len(split))

    def blend(self, first: Mapping[str, Tensor], share: float) -> None:
        """Mix a share of the weights that the run began with into its best ones.

        What the first ones knew is kept, and most of what was learned since (Wortsman et al., 2022,
        arXiv 2109.01903).
        """
        self.best = {
            name: tensor.lerp(first[name].to(self.device), share)
            if tensor.is_floating_point()
            else tensor
            for name, tensor in self.best.items()
        }
        self.blended = self.evaluate(self.best_network(), self.validation)

    def best_network(self) -> nn.Module:
        """Return the network of the best epoch, on the run's device, in evaluation mode."""
        network = self._place(build_network(self.model))
        network.load_state_dict(self.best)
        return network.eval()

    def plan_epoch(self) -> tuple[Tensor, Variations | None]:
        """Draw the epoch's order and variations; the same ones whenever it is asked again."""
        seed = self.config.seed * _EPOCH_SEEDS + self.epoch
        generator = torch.Generator().manual_seed(seed)
        count, _, height, width = self.train.images.shape
        order = torch.randperm(count, generator=generator)
        if self.augmentation is None:
            return order.to(self.device), None
        bounds = self.augmentation.scaled(self.augmentation_strength())
        drawn = draw_variations(count, height, width, bounds, generator)
        return order.to(self.device), drawn.on(self.device)

    def augmentation_strength(self) -> float:
        """Return how far pictures vary in this epoch: where it fades, a quarter in the last one.

        Strong variation teaches what does not matter, weak variation what pictures look like:
        ending weak had the lowest log loss on held-out MNIST images, in short runs and in long.
        Photographs vary more than any of this: there SimpleCNN lost by it (6 seeds).
        """
        if self.data.style == "photo" or not entry_of(self.model.name).fades:
            return 1.0
        done = self.epoch / max(1, self.config.epochs - 1)
        return 1 + (LAST_STRENGTH - 1) * done

    def autocast(self) -> AbstractContextManager[Any]:
        """Return what lets layers compute in bfloat16, if they shall."""
        # Without a cache: each weight is used once.
        return torch.autocast(self.device.type, torch.bfloat16, self.bf16, cache_enabled=False)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy, summed over pictures, in float32 or better."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.data.extra:  # among them pictures of none of the classes
            wanted = self.targets[labels]
            return functional.cross_entropy(logits, wanted, self.class_weights, reduction="sum")
        smoothing = self.config.label_smoothing
        return functional.cross_entropy(
            logits, labels, self.class_weights, reduction="sum", label_smoothing=smoothing
        )

    def add_gradients(self) -> None:
        """Give the network the sum of its replicas' gradients, and of all processes'."""
        for parameter, *others in zip(*(r.parameters() for r in self.replicas), strict=True):
            for other in others:
                if other.grad is not None:  # a short batch has fewer parts
                    parameter.grad += other.grad
                    other.grad = None
        self.world.sum_gradients(self.network.parameters())

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step of the run."""
        return learning_rate(self.config.schedule, step, self.total_steps, self.config.lr)

    @torch.no_grad()
    def update_ema(self) -> None:
        """Let the averaged weights follow after a step.

        The first weights are not worth keeping: the decay grows towards its final value.
        """
        if self.ema is not self.network:
            decay = min(self.config.ema_decay, (2 + self.steps) / (11 + self.steps))
            for average, new in zip(_floats(self.ema), _floats(self.network), strict=True):
                average.lerp_(new, 1 - decay)

    def _show_pictures(self) -> None:
        """Let networks that begin by looking at pictures see some from all over the data set."""
        if see := getattr(self.network, "see", None):
            some = self.train.images[:: -(-self.train.images[:, 0].numel() // SEEN)]
            see(normalise(some, self.data.preprocessing))
            self.world.take_firsts(self.network.parameters())  # another machine rounds its own way
            self.ema.load_state_dict(self.network.state_dict())

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _is_out_of_patience(self) -> bool:
        best = max((report.val_accuracy for report in self.reports), default=0.0)
        gained = (report.epoch for report in self.reports if report.val_accuracy == best)
        return 0 < self.config.patience <= self.epoch - next(gained, 0)

    def _close_epoch(self, start: float, images_per_second: float) -> EpochReport:
        loss, right = (self.world.sum(self.totals.clone()) / len(self.train)).tolist()
        if not torch.isfinite(torch.tensor(loss)):
            raise DivergedError(
                f"the loss of epoch {self.epoch + 1} is {loss}; try a lower --lr than "
                f"{self.config.lr:g}, a larger --batch-size, or --precision fp32"
            )
        found = self.evaluate(self.ema, self.validation, bf16=self.bf16)
        report = EpochReport(
            epoch=self.epoch + 1,
            train_loss=loss,
            train_accuracy=right,
            val_loss=found.loss,
            val_accuracy=found.accuracy,
            lr=self.learning_rate(self.steps - 1),
            images_per_second=images_per_second,
            seconds=time.perf_counter() - start,
        )
        self._keep_if_best(report)
        self.reports.append(report)
        self.epoch, self.position = self.epoch + 1, 0
        self.totals.zero_()
        return report

    def _keep_if_best(self, report: EpochReport) -> None:
        # Of equals the later: its rate was lower, and its average is over more. The loss would
        # not do, as label smoothing makes it grow again while the answers get better.
        if self.best_epoch:
            earlier, later = self.reports[self.best_epoch - 1].val_accuracy, report.val_accuracy
            if self.data.drawn:  # these count as much
                earlier += self.evaluate(self.best_network(), self.data.drawn).accuracy
                later += self.evaluate(self.ema, self.data.drawn).accuracy
            if later < earlier:
                return
        self.best_epoch = report.epoch
        state = self.ema.state_dict()
        self.best = {name: tensor.detach().clone() for name, tensor in state.items()}


def targets(classes: int, smoothing: float) -> Tensor:
    """Return what probabilities each label asks for.

    Parameters
    ----------
    classes
        Number of classes.
    smoothing
        Share of each target that is spread over all classes.

    Returns
    -------
    torch.Tensor
        float32 ``(classes + 1, classes)``; the last row, for what is none of the classes, asks for
        all alike and counts half (outlier exposure: Hendrycks et al., 2019, arXiv 1812.04606,
        equation 2, with that weight).
    """
    known = torch.eye(classes) * (1 - smoothing) + smoothing / classes
    return torch.cat([known, torch.full((1, classes), NONE_WEIGHT / classes)])


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
    counts = torch.bincount(labels[labels < classes], minlength=classes).float()
    present = counts[counts > 0]
    if not config.balance or present.max() < 2 * present.min():
        return None
    weights = counts.sum() / (len(present) * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 0.0)


def _on_device(split: Split, device: torch.device) -> Split:
    return Split(split.images.to(device), split.labels.to(device))


def _replica(network: nn.Module) -> nn.Module:
    """Return a network on the same weights, with gradients and running statistics of its own."""
    replica = copy.deepcopy(network)
    for own, shared in zip(replica.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return replica


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
