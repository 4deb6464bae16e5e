"""What a training run leaves behind: the checkpoint with its card, and the history."""

import csv
import io
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from cnncli.checkpoint import Checkpoint
from cnncli.files import atomic_write
from cnncli.nn.evaluation import Metrics
from cnncli.nn.layer_table import layer_table
from cnncli.nn.state_dict import to_arrays
from cnncli.nn.training import EpochReport, TrainingRun

_VERSIONS = ("cnncli", "torch", "numpy")


def to_checkpoint(
    run: TrainingRun,
    weights: dict[str, Tensor],
    *,
    test: Metrics | None = None,
    command: str = "",
    pretrained: bool = False,
) -> Checkpoint:
    """Put weights and how they came to be into a checkpoint.

    Parameters
    ----------
    run
        The run that made them.
    weights
        The network's state dict, usually ``run.best``.
    test
        What they reach on the test part, once it has been measured.
    command
        The command line.
    pretrained
        Whether the run began with weights that others trained.
    """
    data, card = run.data, _card(run, test, command)
    if pretrained:
        card["started_from"] = f"ImageNet weights of {run.model.name}"
    layers = layer_table(run.network, run.model)
    return Checkpoint(run.model, data.classes, data.preprocessing, to_arrays(weights), card, layers)


def _card(run: TrainingRun, test: Metrics | None, command: str) -> dict[str, Any]:
    card: dict[str, Any] = {
        "data": run.data.name,
        "command": command,
        "training_pictures": len(run.train),
        "validation_pictures": len(run.validation),
        "recipe": run.config.to_dict(),
        "augmentation": run.augmentation.to_dict() if run.augmentation else None,
        "bf16": run.bf16,
        "epochs_run": run.epoch,
        "best_epoch": run.best_epoch,
        "versions": {name: version(name) for name in _VERSIONS},
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if run.best_epoch:
        best = run.reports[run.best_epoch - 1]
        card["validation"] = {"accuracy": best.val_accuracy, "loss": best.val_loss}
    if test:
        card["test"] = {"accuracy": test.accuracy, "loss": test.loss, "pictures": test.count}
    return card


def write_history(path: Path, reports: Sequence[EpochReport]) -> None:
    """Write one CSV row an epoch, whole or not at all.

    Parameters
    ----------
    path
        File to write.
    reports
        What the epochs brought.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, EpochReport.__dataclass_fields__)
    writer.writeheader()
    writer.writerows(report.to_dict() for report in reports)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
