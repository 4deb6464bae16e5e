"""``cnncli train``: from a data set to a checkpoint, with everything shown on the way."""

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnncli.commands._options import Device, Json, MaxPixels, Quiet
from cnncli.config import (
    MAX_PIXELS,
    RECIPES,
    ModelConfig,
    ModelName,
    OptimizerName,
    PrecisionName,
    RecipeName,
    TrainConfig,
    data_folder,
)
from cnncli.errors import ExitCode
from cnncli.files import atomic_write
from cnncli.show.console import notice, result

if TYPE_CHECKING:
    from cnncli.checkpoint import Checkpoint
    from cnncli.nn.datasets import DataSet
    from cnncli.nn.training import TrainingRun

_FAST = RECIPES["fast"]


def train(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="NAME|DIR",
            help="mnist, fashion-mnist, kmnist, emnist-digits, digits, a folder with a sub-folder "
            "per class, or a folder of IDX files. Default: mnist, else digits.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[ModelName, typer.Option(help="The network.")] = "simple",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = _FAST.epochs,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures a step. Default: the recipe's.")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(min=1e-9, help="Highest learning rate. Default: the recipe's.")
    ] = None,
    optimizer: Annotated[OptimizerName | None, typer.Option(help="Default: the recipe's.")] = None,
    recipe: Annotated[
        RecipeName, typer.Option(help="fast: all that helps; plain: the lesson's loop.")
    ] = _FAST.recipe,
    val_split: Annotated[
        float,
        typer.Option(min=0.001, max=0.9, help="Share of each class to choose the epoch by."),
    ] = _FAST.val_split,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without gain; 0 never stops.")
    ] = _FAST.patience,
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Vary the pictures. Default: the recipe's."),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        PrecisionName | None,
        typer.Option(help="bf16 is faster where the processor has it. Default: the recipe's."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result.")] = _FAST.seed,
    out: Annotated[Path, typer.Option("--out", "-o", help="Checkpoint to write.")] = Path(
        "weights/last.safetensors"
    ),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="One batch through everything; writes nothing.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=2, help="Use only so many of the training pictures.")
    ] = None,
    max_pixels: MaxPixels = MAX_PIXELS,  # noqa: ARG001 (its callback sets the limit)
    json_lines: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network and keep its best epoch.

    Example: cnncli train --epochs 10

    Example: cnncli train --data my-pictures --epochs 30 --out weights/mine.safetensors

    Example: cnncli train --recipe plain --seed 1
    """
    options = {
        "batch_size": batch_size,
        "lr": lr,
        "optimizer": optimizer,
        "augment": augment,
        "precision": precision,
    }
    config = replace(
        RECIPES[recipe],
        epochs=epochs,
        val_split=val_split,
        patience=patience,
        seed=seed,
        **{name: value for name, value in options.items() if value is not None},  # type: ignore[arg-type]
    )
    job = _Job(out, json_lines, quiet or json_lines, dry_run)
    run = _prepare(data, model, config, device, limit, job)
    _train(run, job)


@dataclass(frozen=True, slots=True)
class _Job:
    """Where results go and how much is said."""

    out: Path
    json_lines: bool
    quiet: bool
    dry_run: bool

    def event(self, name: str, **values: Any) -> None:
        if self.json_lines:
            result(json.dumps({"event": name, **values}))

    def beside(self, ending: str) -> Path:
        return self.out.with_name(self.out.name.removesuffix(".safetensors") + ending)


def _prepare(
    data: str | None,
    model: ModelName,
    config: TrainConfig,
    device: str,
    limit: int | None,
    job: _Job,
) -> "TrainingRun":
    # A thread that spins while it waits makes a busy machine crawl; torch reads this on import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cnncli.nn.datasets import open_data
    from cnncli.nn.device import pick_device
    from cnncli.nn.training import TrainingRun

    place = pick_device(device)
    opened = open_data(data, data_folder())
    for text in opened.notices:
        notice(f"note: {text}")
    ready = opened.split_validation(config.val_split, config.seed, limit)
    if job.dry_run:
        ready, config = _one_batch(ready, config), replace(config, epochs=1)
    seen = ready.preprocessing
    network = ModelConfig(model, seen.channels, seen.height, seen.width, len(ready.classes))
    run = TrainingRun(network, ready, config, place)
    if not job.quiet:
        _show(run)
    return run


def _one_batch(data: "DataSet", config: TrainConfig) -> "DataSet":
    from cnncli.nn.splits import limit

    return replace(data, train=limit(data.train, config.batch_size))


def _show(run: "TrainingRun") -> None:
    from cnncli.architecture import describe
    from cnncli.show.training import show_network

    numbers = "bfloat16" if run.bf16 else "float32"
    show_network(describe(run.model), f"{run.model.name} on {run.data.name}")
    notice(
        f"{len(run.train):,} pictures to learn from, {len(run.validation):,} to choose by; "
        f"{run.device}, {numbers}"
    )


def _train(run: "TrainingRun", job: _Job) -> None:
    from cnncli.nn.training import StoppedError
    from cnncli.show.training import EpochTable

    started = time.perf_counter()
    if not job.dry_run:
        job.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _stop_flag() as stop, EpochTable(run.config.epochs, quiet=job.quiet) as table:
            steps = run.epochs(lambda done, of: table.step(run.epoch + 1, done, of), stop)
            for report in steps:
                table.add(report.to_dict())
                job.event("epoch", **report.to_dict())
                _save(run, job, fresh=run.best_epoch == report.epoch)
    except StoppedError:
        _save(run, job, fresh=not run.best_epoch)
        kept = f"epoch {run.best_epoch}" if run.best_epoch else "the first steps"
        notice(f"interrupted in epoch {run.epoch + 1}; {job.out} holds {kept}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    _finish(run, job, started)


@contextlib.contextmanager
def _stop_flag() -> "Iterator[Any]":
    """Turn the first Ctrl-C into a wish that is granted between two steps; the second one quits."""
    wishes: list[int] = []

    def wish(number: int, _frame: object) -> None:
        if wishes:
            raise KeyboardInterrupt
        wishes.append(number)

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: bool(wishes)
    finally:
        signal.signal(signal.SIGINT, before)


def _save(run: "TrainingRun", job: _Job, *, fresh: bool) -> None:
    from cnncli.checkpoint import write_checkpoint
    from cnncli.nn.results import to_checkpoint, write_history

    if job.dry_run:
        return
    if fresh:
        weights = run.best or run.averaged.state_dict()
        write_checkpoint(job.out, to_checkpoint(run, weights, command=_command()))
    write_history(job.beside(".history.csv"), run.reports)


def _calibrated(checkpoint: "Checkpoint", run: "TrainingRun") -> "Checkpoint":
    """Fit the confidence to the validation pictures, and learn what real pictures look like."""
    from cnncli.inference import calibrate

    held_out = run.validation
    pixels = held_out.images.permute(0, 2, 3, 1).cpu().numpy()
    return calibrate(checkpoint, pixels, held_out.labels.cpu().numpy(), engine="torch")


def _finish(run: "TrainingRun", job: _Job, started: float) -> None:
    from cnncli.checkpoint import write_checkpoint
    from cnncli.nn.evaluation import evaluate
    from cnncli.nn.results import to_checkpoint
    from cnncli.show.curves import draw_curves

    network = run.best_network()
    test = evaluate(network, run.data.load_test(), run.data.preprocessing, run.device)
    if not job.dry_run:
        trained = to_checkpoint(run, run.best, test=test, command=_command())
        write_checkpoint(job.out, _calibrated(trained, run))
        picture = draw_curves(
            [report.to_dict() for report in run.reports], f"{run.model.name} on {run.data.name}"
        )
        with atomic_write(job.beside(".curves.png")) as file:
            file.write(picture)
    seconds = time.perf_counter() - started
    weights = None if job.dry_run else str(job.out)
    job.event(
        "result",
        test_accuracy=test.accuracy,
        test_loss=test.loss,
        weights=weights,
        seconds=seconds,
    )
    if not job.json_lines:
        result(
            f"test accuracy {test.accuracy:.2%} on {test.count:,} pictures, "
            f"epoch {run.best_epoch} of {run.epoch}, {seconds:.1f} s"
        )
        result(f"weights {weights}" if weights else "dry run: nothing was written")


def _command() -> str:
    return shlex.join(["cnncli", *sys.argv[1:]])
