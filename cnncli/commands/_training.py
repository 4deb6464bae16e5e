"""The steps of ``cnncli train``: open, show, train, save, measure."""

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cnncli.config import (
    FINE_TUNING_LR,
    RECIPES,
    ModelConfig,
    RecipeName,
    TrainConfig,
    data_folder,
    suited_to,
)
from cnncli.errors import UsageError
from cnncli.files import atomic_write
from cnncli.nn.networks import (  # noqa: TID253 (names alone, no torch)
    entry_of,
    pretrained_state,
    require_known,
)
from cnncli.show.console import notice, result

if TYPE_CHECKING:
    from cnncli.checkpoint import Checkpoint
    from cnncli.nn.datasets import DataSet
    from cnncli.nn.distributed import World
    from cnncli.nn.training import TrainingRun

STATE_SECONDS = 30.0  # a killed run loses no more than this, or one epoch


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be trained on what, as the options say it.

    Parameters
    ----------
    data, model, recipe
        The three choices.
    options
        Fields of the recipe by name; None leaves the recipe's value.
    limit, image_size, strict
        How the data set is opened.
    given
        Names of the options that stand on the command line.
    pretrained
        Whether the network starts from weights that others learned.
    """

    data: str | None
    model: str
    recipe: RecipeName
    options: Mapping[str, Any]
    limit: int | None
    image_size: int | None
    strict: bool
    given: frozenset[str]
    pretrained: bool = False

    def config(self, pictures: int = 0) -> TrainConfig:
        """Return the recipe with the options in it, suited to a number of pictures if given."""
        recipe = RECIPES[self.recipe]
        chosen = {name: value for name, value in self.options.items() if value is not None}
        if self.recipe == "fast":
            optimizer = self.options["optimizer"] or entry_of(self.model).optimizer
            recipe = replace(recipe, optimizer=optimizer)
            if pictures and self.options["batch_size"] is None:
                recipe = suited_to(recipe, pictures)
        if self.pretrained:
            recipe = replace(recipe, lr=FINE_TUNING_LR)
        return replace(recipe, **chosen)


@dataclass(frozen=True, slots=True)
class Job:
    """Where the run happens, where results go and how much is said."""

    out: Path
    device: str
    json_lines: bool
    quiet: bool
    dry_run: bool
    resume: bool
    max_minutes: float | None
    tensorboard: Path | None

    def event(self, name: str, **values: Any) -> None:
        """Print one event, if events are wanted."""
        if self.json_lines:
            result(json.dumps({"event": name, **values}))

    def beside(self, ending: str) -> Path:
        """Return the path of a file that belongs to the checkpoint."""
        return self.out.with_name(self.out.name.removesuffix(".safetensors") + ending)


def train_here(request: Request, job: Job) -> None:
    """Train in this process: alone, or as one of those that torchrun started."""
    # A thread that spins while it waits makes a busy machine crawl; torch reads this on import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cnncli.nn.distributed import join_world, leave_world

    world = join_world(job.device)
    if not world.is_first:
        job = replace(job, quiet=True, json_lines=False)
    try:
        started = time.perf_counter()
        run, opened_with = prepare(request, job, world)
        _train(run, job, opened_with, started)
    finally:
        leave_world(world)


def prepare(request: Request, job: Job, world: "World") -> tuple["TrainingRun", dict[str, Any]]:
    """Return the run, fresh or brought back, and what its data set was opened with."""
    from cnncli.nn.device import claim_threads, pick_device
    from cnncli.nn.pretrained import start_from
    from cnncli.nn.resume import read_state, restore
    from cnncli.nn.training import TrainingRun

    require_known(request.model)
    device = pick_device(job.device, world.local_rank)
    state = job.beside(".resume")
    opened_with = {
        "data": request.data,
        "limit": request.limit,
        "image_size": request.image_size,
        "strict": request.strict,
        "pretrained": request.pretrained,
    }
    config, model_name, record = request.config(), request.model, None
    if job.resume and state.exists():
        record, tensors = read_state(state)
        _refuse_other_options(request, record)
        opened_with |= {"pretrained": False, **record["request"]}
        config, model_name = record["config"], record["model"].name
    elif job.resume and world.is_first:
        notice(f"note: {state} does not exist: nothing to resume, training from the start")
    learned = {} if record else _learned_elsewhere(opened_with, model_name, world)
    data = _open(opened_with, config, world)
    opened_with["data"] = data.name
    if not record:
        config = request.config(len(data.train))
    if job.dry_run:
        # Classes that one batch happens to have few of are not rare.
        data, config = _one_batch(data, config), replace(config, epochs=1, balance=False)
    seen = data.preprocessing
    model = ModelConfig(model_name, seen.channels, seen.height, seen.width, len(data.classes))
    workers = claim_threads(device, model.name, config.batch_size, world.size)
    run = TrainingRun(model, data, config, device, world, workers)
    if record:
        restore(run, record, tensors)
    elif learned:
        start_from(learned, {run.network, run.averaged}, model)
    if not job.quiet:
        _show(run)
    return run, opened_with


def _refuse_other_options(request: Request, record: Mapping[str, Any]) -> None:
    """Refuse options that say otherwise than the run began: they are a misunderstanding."""
    before: dict[str, Any] = {
        "pretrained": False,
        **record["config"].to_dict(),
        **record["request"],
        "model": record["model"].name,
    }
    asked: dict[str, Any] = {
        **request.options,
        "data": request.data,
        "limit": request.limit,
        "image_size": request.image_size,
        "strict": request.strict,
        "model": request.model,
        "recipe": request.recipe,
        "pretrained": request.pretrained,
    }
    for name, value in asked.items():
        same = value == before[name] or (name == "data" and _is_folder(value, before[name]))
        open_choice = name == "precision" and value == "auto"  # the record has what was chosen
        if name in request.given and not same and not open_choice:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume goes on with {option} {before[name]}, not {value}; "
                f"leave {option} away, or train anew without --resume"
            )


def _is_folder(name: str | None, path: str) -> bool:
    return name is not None and str(Path(name).expanduser().resolve()) == path


def _learned_elsewhere(
    opened_with: Mapping[str, Any], model: str, world: "World"
) -> Mapping[str, Any]:
    """Return the state dict to start from, if one was asked for."""
    if not opened_with["pretrained"]:
        return {}
    if not world.is_first:
        world.wait()  # the first one downloads; the others find the file
    state = pretrained_state(model)
    if world.is_first:
        world.wait()
    return state


def _open(opened_with: Mapping[str, Any], config: TrainConfig, world: "World") -> "DataSet":
    from cnncli.nn.datasets import open_data
    from cnncli.nn.pretrained import as_imagenet

    if not world.is_first:
        world.wait()  # the first one downloads and fills caches; the others find them
    data = open_data(
        opened_with["data"],
        data_folder(),
        edge=opened_with["image_size"],
        strict=opened_with["strict"],
    )
    if world.is_first:
        world.wait()
        for text in data.notices:
            notice(f"note: {text}")
    if opened_with["pretrained"]:
        data = replace(data, preprocessing=as_imagenet(data.preprocessing))
    return data.split_validation(config.val_split, config.seed, opened_with["limit"])


def _one_batch(data: "DataSet", config: TrainConfig) -> "DataSet":
    from cnncli.nn.splits import limit

    return replace(data, train=limit(data.train, config.batch_size))


def _show(run: "TrainingRun") -> None:
    from cnncli.nn.layer_table import layer_table
    from cnncli.show.training import show_network

    numbers = "bfloat16" if run.bf16 else "float32"
    processes = f", {run.world.size} processes" if run.world.size > 1 else ""
    show_network(layer_table(run.network, run.model), f"{run.model.name} on {run.data.name}")
    notice(
        f"{len(run.train):,} pictures to learn from, {len(run.validation):,} to choose by; "
        f"{run.device}, {numbers}{processes}"
    )
    if run.class_weights is not None:
        notice("rare classes count more (--no-balance lets every picture count the same)")
    if run.steps:
        notice(f"going on after step {run.steps:,} of {run.total_steps:,}")


def _calibrated(checkpoint: "Checkpoint", run: "TrainingRun") -> "Checkpoint":
    """Fit the confidence to the validation pictures, and learn what real pictures look like."""
    from cnncli.inference import calibrate

    held_out = run.validation
    pixels = held_out.images.permute(0, 2, 3, 1).cpu().numpy()
    return calibrate(checkpoint, pixels, held_out.labels.cpu().numpy(), engine="torch")


class _Keeper:
    """Writes what a run leaves behind, from its first process only."""

    def __init__(self, run: "TrainingRun", job: Job, opened_with: Mapping[str, Any]) -> None:
        self._run, self._job, self._opened_with = run, job, opened_with
        self._writes = run.world.is_first and not job.dry_run
        self._last = time.monotonic()
        if self._writes:
            job.out.parent.mkdir(parents=True, exist_ok=True)

    def state(self, *, due: bool = False) -> None:
        """Write the state to resume from; with `due`, only if the last one is old."""
        from cnncli.nn.resume import write_state

        if not self._writes or (due and time.monotonic() - self._last < STATE_SECONDS):
            return
        write_state(self._job.beside(".resume"), self._run, self._opened_with)
        self._last = time.monotonic()

    def weights(self, **facts: Any) -> None:
        """Write the checkpoint of the best epoch, or of the first steps if none has ended."""
        from cnncli.checkpoint import write_checkpoint
        from cnncli.nn.results import to_checkpoint

        if self._writes:
            weights = self._run.best or self._run.averaged.state_dict()
            pretrained = self._opened_with["pretrained"]
            checkpoint = to_checkpoint(
                self._run, weights, command=_command(), pretrained=pretrained, **facts
            )
            if facts:  # the last one: all that is known of the run is in it
                checkpoint = _calibrated(checkpoint, self._run)
            write_checkpoint(self._job.out, checkpoint)

    def history(self) -> None:
        """Write the table of epochs."""
        from cnncli.nn.results import write_history

        if self._writes:
            write_history(self._job.beside(".history.csv"), self._run.reports)

    def curves(self) -> None:
        """Write the picture of loss and accuracy."""
        from cnncli.show.curves import draw_curves

        if self._writes and self._run.reports:
            title = f"{self._run.model.name} on {self._run.data.name}"
            picture = draw_curves([report.to_dict() for report in self._run.reports], title)
            with atomic_write(self._job.beside(".curves.png")) as file:
                file.write(picture)


def _train(run: "TrainingRun", job: Job, opened_with: Mapping[str, Any], started: float) -> None:
    from cnncli.nn.training import DivergedError, StoppedError

    keeper = _Keeper(run, job, opened_with)
    deadline = started + job.max_minutes * 60 if job.max_minutes else None
    with _stop_signals() as signals:
        try:
            _run_epochs(run, job, keeper, lambda: bool(signals) or _is_past(deadline))
        except StoppedError:
            keeper.state()
            if not run.best:
                keeper.weights()
            if signals or not _is_past(deadline):  # else another process was told to stop
                _say_interrupted(run, job)
                raise typer.Exit(128 + (signals[0] if signals else signal.SIGINT)) from None
            notice(f"note: --max-minutes {job.max_minutes:g} is over in epoch {run.epoch + 1}")
        except DivergedError as error:
            kept = f"{job.out} keeps epoch {run.best_epoch}" if run.best else "no epoch is kept"
            raise DivergedError(f"{error} ({kept})") from error
    _finish(run, job, keeper, started)


def _is_past(deadline: float | None) -> bool:
    return deadline is not None and time.perf_counter() > deadline


def _say_interrupted(run: "TrainingRun", job: Job) -> None:
    if run.world.is_first:
        kept = f"epoch {run.best_epoch}" if run.best_epoch else "the first steps"
        notice(
            f"interrupted in epoch {run.epoch + 1}; {job.out} holds {kept}; "
            "the same command with --resume goes on"
        )


def _run_epochs(
    run: "TrainingRun", job: Job, keeper: _Keeper, should_stop: Callable[[], bool]
) -> None:
    from cnncli.show.training import EpochTable

    done = [report.to_dict() for report in run.reports]
    with EpochTable(run.config.epochs, done, quiet=job.quiet) as table, _logs(run, job) as log:

        def on_step(step: int, steps: int) -> None:
            table.step(run.epoch + 1, step, steps)
            keeper.state(due=True)

        for report in run.epochs(on_step, should_stop):
            if run.best_epoch == report.epoch:
                keeper.weights()
            keeper.history()
            keeper.state()
            # Only now: what is shown is saved.
            table.add(report.to_dict())
            job.event("epoch", **report.to_dict())
            log(report.to_dict())


@contextlib.contextmanager
def _logs(run: "TrainingRun", job: Job) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Yield a function that logs an epoch to TensorBoard, or does nothing."""
    if job.tensorboard is None or not run.world.is_first:
        yield lambda _report: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs a package that is missing; pip install 'cnncli[tensorboard]'"
        ) from error
    with SummaryWriter(str(job.tensorboard)) as writer:

        def log(report: Mapping[str, float]) -> None:
            for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"):
                part, _, what = name.rpartition("_")
                writer.add_scalar(f"{what}/{part}", report[name], report["epoch"])

        yield log


@contextlib.contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collect the first Ctrl-C or SIGTERM, which is granted between two steps; a second one quits.

    Schedulers send SIGTERM some seconds before they end a process, which is time to save.
    """
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _finish(run: "TrainingRun", job: Job, keeper: _Keeper, started: float) -> None:
    network = run.best_network() if run.best else run.averaged
    with ThreadPoolExecutor(1) as crew:  # loading the plotting library takes as long as testing
        drawn = crew.submit(keeper.curves)
        test = run.evaluate(network, run.data.load_test())
        keeper.weights(test=test)
        drawn.result()
    seconds = time.perf_counter() - started
    weights = None if job.dry_run else str(job.out)
    job.event(
        "result",
        test_accuracy=test.accuracy,
        test_loss=test.loss,
        weights=weights,
        seconds=seconds,
    )
    if job.json_lines or not run.world.is_first:
        return
    result(
        f"test accuracy {test.accuracy:.2%} on {test.count:,} pictures, "
        f"epoch {run.best_epoch} of {run.epoch}, {seconds:.1f} s"
    )
    result(f"weights {weights}" if weights else "dry run: nothing was written")


def _command() -> str:
    return shlex.join(["cnncli", *sys.argv[1:]])
