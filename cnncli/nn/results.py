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
from cnncli.config import TrainConfig
from cnncli.files import write_whole
from cnncli.nn.evaluation import Metrics
from cnncli.nn.head import HeadRun
from cnncli.nn.layer_table import layer_table
from cnncli.nn.state_dict import to_arrays
from cnncli.nn.training import EpochReport, TrainingRun

_VERSIONS = ("cnncli", "torch", "numpy")


def to_checkpoint(
    run: TrainingRun,
    weights: dict[str, Tensor],
    *,
    test: Metrics | None = None,
    drawn: Metrics | None = None,
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
    drawn
        What they reach on held-out drawn digits, if such were among the training pictures.
    command
        The command line.
    pretrained
        Whether the run began with weights that others trained.
    """
    data, card = run.data, _card(run, test, drawn, command)
    if pretrained:
        card["started_from"] = f"ImageNet weights of {run.model.name}"
    layers = layer_table(run.network, run.model)
    return Checkpoint(run.model, data.classes, data.preprocessing, to_arrays(weights), card, layers)


def head_checkpoint(
    run: HeadRun, *, test: Metrics, command: str, recipe: TrainConfig
) -> Checkpoint:
    """Put a body and its fitted head into a checkpoint that needs nothing else.

    Parameters
    ----------
    run
        What was fitted.
    test
        What it reaches on the test part.
    command
        The command line.
    recipe
        Its seed and balance were used.
    """
    data, validation = run.data, run.cross_validated()
    card = {
        "data": data.name,
        "command": command,
        "training_pictures": len(data.train),
        "started_from": f"ImageNet weights of {run.model.name}",
        "fit": "head",
        "strength": run.head.strength,
        "seed": recipe.seed,
        "balanced": run.balanced,
        "cross_validation": _measured(validation),
        "test": _measured(test),
        **_made_with(),
    }
    layers, arrays = layer_table(run.network, run.model), to_arrays(run.network.state_dict())
    return Checkpoint(run.model, data.classes, data.preprocessing, arrays, card, layers)


def _measured(found: Metrics) -> dict[str, Any]:
    return {"accuracy": found.accuracy, "loss": found.loss, "pictures": found.count}


def _made_with() -> dict[str, Any]:
    return {
        "versions": {name: version(name) for name in _VERSIONS},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _card(
    run: TrainingRun, test: Metrics | None, drawn: Metrics | None, command: str
) -> dict[str, Any]:
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
        **_made_with(),
    }
    if run.data.extra:
        card["extra"] = run.data.extra
    if run.best_epoch:
        best = run.reports[run.best_epoch - 1]
        card["validation"] = {"accuracy": best.val_accuracy, "loss": best.val_loss}
    for part, found in (("blended", run.blended), ("test", test), ("drawn", drawn)):
        if found:
            card[part] = _measured(found)
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
    write_whole(path, text.getvalue().encode())
