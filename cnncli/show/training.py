"""What a person sees of a training run: the network, one row an epoch, a progress bar."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

from cnncli.config import ModelConfig
from cnncli.layers import Layer
from cnncli.show.console import notice, stderr_console
from cnncli.show.summary import show_layers

Report = Mapping[str, Any]

_COLUMNS = (
    "epoch", "train loss", "train acc", "val loss", "val acc", "rate", "images/s", "seconds",
)  # fmt: skip


def show_network(config: ModelConfig, layers: Sequence[Layer], title: str) -> None:
    """Draw the network's table on stderr."""
    stderr_console().print(title, style="bold", markup=False)
    show_layers(stderr_console(), config, layers)


def epoch_cells(report: Report, epochs: int) -> list[str]:
    """Return the texts of one epoch's row."""
    return [
        f"{report['epoch']}/{epochs}",
        f"{report['train_loss']:.4f}",
        f"{report['train_accuracy']:.2%}",
        f"{report['val_loss']:.4f}",
        f"{report['val_accuracy']:.2%}",
        f"{report['lr']:.2g}",
        f"{report['images_per_second']:,.0f}",
        f"{report['seconds']:.1f}",
    ]


def epoch_line(report: Report, epochs: int) -> str:
    """Return one epoch as a line of text for logs."""
    cells = epoch_cells(report, epochs)
    named = [f"{name} {cell}" for name, cell in zip(_COLUMNS, cells, strict=True)]
    return ", ".join(named)


class EpochTable:
    """One row an epoch while training runs: live on a terminal, plain lines elsewhere.

    Parameters
    ----------
    epochs
        How many there will be.
    done
        Reports of epochs that an earlier run finished.
    quiet
        Whether to show nothing.
    """

    def __init__(self, epochs: int, done: Sequence[Report] = (), *, quiet: bool = False) -> None:
        self._epochs, self._quiet, self._done = epochs, quiet, done
        self._live: Any = None

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._start_live()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._progress.update(self._task, visible=False)
            self._live.stop()

    def _start_live(self) -> None:
        from rich.console import Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Table

        self._table = Table(*(name.replace(" ", "\n") for name in _COLUMNS))  # 80 columns wide
        for column in self._table.columns:
            column.justify = "right"
        for report in self._done:
            self._table.add_row(*epoch_cells(report, self._epochs))
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(),
            console=stderr_console(),
        )
        first = len(self._done) + 1
        self._task = self._progress.add_task("", total=self._epochs, epoch=first)
        content = Group(self._table, self._progress)
        self._live = Live(content, console=stderr_console(), refresh_per_second=4)
        self._live.start()

    def step(self, epoch: int, done: int, steps: int) -> None:
        """Move the progress bar: `done` of `steps` steps of epoch number `epoch` are through."""
        if self._live:
            self._progress.update(self._task, completed=epoch - 1 + done / steps, epoch=epoch)

    def add(self, report: Report) -> None:
        """Show the row of a finished epoch."""
        if self._live:
            self._table.add_row(*epoch_cells(report, self._epochs))
        else:
            notice(epoch_line(report, self._epochs), quiet=self._quiet)
