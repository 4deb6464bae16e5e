"""The training loop: batch, augmentation, loss, backward, optimizer, average.

One definition of a step, whoever takes it: one thread, several with a replica each, the processes
that torchrun started, or a GPU. Without augmentation and average it is the lesson's loop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnncli.nn.augmentation import Variations, augment
from cnncli.nn.evaluation import normalise

if TYPE_CHECKING:
    from cnncli.nn.training import TrainingRun


class StoppedError(Exception):
    """The caller asked the run to stop; its state is whole."""


def train_epoch(
    run: "TrainingRun",
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Train on all batches that an epoch still has; see :meth:`TrainingRun.epochs`."""
    order, variations = run.plan_epoch()
    count, size = len(order), run.config.batch_size
    with ThreadPoolExecutor(run.workers) as threads:
        for start in range(run.position, count, size):
            batch = torch.arange(start, min(start + size, count), device=run.device)
            backward = partial(forward_backward, run, order, variations, len(batch))
            parts = run.world.share(batch).chunk(run.workers)
            for totals in threads.map(backward, run.replicas, parts):  # in order: same sums
                run.totals += totals
            run.add_gradients()
            run.optimizer.step(run.learning_rate(run.steps))
            run.update_ema()
            run.steps, run.position = run.steps + 1, run.position + len(batch)
            if on_step:
                on_step(-(-run.position // size), run.steps_per_epoch)
            if should_stop and run.world.any(should_stop()):
                raise StoppedError


def forward_backward(
    run: "TrainingRun",
    order: Tensor,
    variations: Variations | None,
    size: int,
    network: nn.Module,
    rows: Tensor,
) -> Tensor:
    """Add a part's gradients to a network; `rows` of a batch of `size`, positions in `order`.

    Returns
    -------
    torch.Tensor
        ``(2,)``: the part's summed loss, and how many answers are right.
    """
    images, labels = run.train.images[order[rows]], run.train.labels[order[rows]]
    if variations is not None:
        images = augment(images, variations.of(rows), run.data.style)
    with run.autocast():
        logits = network(normalise(images, run.data.preprocessing))
    loss = run.loss(logits, labels)
    (loss / size).backward()  # type: ignore[no-untyped-call]
    return torch.stack([loss.detach(), (logits.detach().argmax(1) == labels).sum()])
