"""The page that ``evaluate --report`` and ``train --report`` write."""

import csv
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.commands._weights import weights_name
from cnncli.files import write_whole
from cnncli.inference.scores import Labelled
from cnncli.show.console import notice
from cnncli.show.report import draw_report


def write_report(
    path: Path,
    checkpoint: Checkpoint,
    weights: Path,
    shown: Labelled,
    probabilities: NDArray[np.float32],
) -> None:
    """Write what a network makes of labelled pictures as one page.

    Parameters
    ----------
    path
        The page.
    checkpoint, weights
        The network, and the file that it is from: beside it lies the history of its training.
    shown, probabilities
        The pictures, and ``(N, K)``.
    """
    from cnncli.nn.state_dict import layers_of

    text = draw_report(
        shown,
        probabilities,
        checkpoint,
        layers_of(checkpoint),
        _history(weights.with_name(f"{weights.name.removesuffix('.safetensors')}.history.csv")),
        weights_name(weights),
        command_line(),
    )
    write_whole(path, text.encode())
    notice(f"wrote {path}")


def command_line() -> str:
    """Return what was typed, as a shell takes it."""
    return shlex.join(["cnncli", *sys.argv[1:]])


def _history(path: Path) -> list[dict[str, Any]]:
    """Return the epochs of a run, as ``cnncli train`` writes them; none without the file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {**{k: float(v) for k, v in row.items()}, "epoch": int(row["epoch"])}
            for row in csv.DictReader(file)
        ]
