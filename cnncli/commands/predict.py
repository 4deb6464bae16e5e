"""``cnncli predict``: what is in the pictures, how sure that is, and what the network saw."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnncli.commands._options import Device, Images, Jobs, Json, MaxPixels, Quiet, Weights
from cnncli.config import MAX_PIXELS
from cnncli.errors import BatchError, CnncliError, UsageError
from cnncli.show.console import error as show_error
from cnncli.show.console import notice, result

if TYPE_CHECKING:
    from cnncli.commands._sinks import Sink
    from cnncli.inference.predict import Guess, Prediction, Predictor

MAX_BLOCKS = 12  # predictions that are shown with their picture; more get a line each
MANNERS = ("auto", "digit", "resize", "none")
CSV_HEADER = "path,label,index,confidence,warnings,error"


def predict(
    images: Images,
    weights: Weights = None,
    top: Annotated[int, typer.Option("--top", "-t", min=1, help="Classes to name.")] = 3,
    min_confidence: Annotated[
        float,
        typer.Option("--min-confidence", min=0, max=1, help="Say 'unknown' if it is less sure."),
    ] = 0.0,
    preprocess: Annotated[
        str,
        typer.Option(
            "--preprocess",
            metavar="|".join(MANNERS),
            help="digit: find a digit and normalise it; resize: scale and crop; none: take it "
            "as it is; auto: as the weights say.",
        ),
    ] = "auto",
    save_preprocessed: Annotated[
        Path | None,
        typer.Option(
            "--save-preprocessed",
            metavar="DIR",
            help="Write what the network was shown there, as PNG.",
            show_default=False,
        ),
    ] = None,
    digits: Annotated[
        bool,
        typer.Option("--digits", help="Read a number: all digits, from left to right."),
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            metavar="DIR",
            help="Write each picture there with its label.",
            show_default=False,
        ),
    ] = None,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            "--sort-into",
            metavar="DIR",
            help="Copy each picture into a folder of its class there; never overwrites.",
            show_default=False,
        ),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="With --sort-into: move instead of copying.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="auto|numpy|torch",
            help="numpy starts faster; auto takes it for small jobs.",
        ),
    ] = "auto",
    device: Device = "auto",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of commas.")] = False,
    max_pixels: MaxPixels = MAX_PIXELS,  # noqa: ARG001 (its callback sets the limit)
    as_json: Json = False,
    jobs: Jobs = 0,
    quiet: Quiet = False,
) -> None:
    """Say what is in pictures, with the shipped digit reader or with weights of your own.

    Example: cnncli predict photo-of-a-digit.jpg

    Example: cnncli predict scans/ --csv > numbers.csv

    Example: cnncli predict meter-reading.jpg --digits

    Example: cnncli predict photos/ --sort-into sorted/ --min-confidence 0.9

    Example: cnncli predict photos/ --weights weights/last.safetensors --min-confidence 0.8 --json
    """
    _check(preprocess, as_csv, as_json)
    listed = _list(images)
    sinks = _sinks(listed.paths, save_preprocessed, annotate, sort_into, move)
    predictor = _predictor(weights, engine, device, len(listed.paths), quiet)
    predictor = _asked(predictor, preprocess, top, min_confidence, digits)
    form = "json" if as_json else "csv" if as_csv else "eye"
    _report(_predictions(predictor, listed, jobs), len(listed), form, sinks, quiet)


def _check(preprocess: str, as_csv: bool, as_json: bool) -> None:
    if preprocess not in MANNERS:
        raise UsageError(f"--preprocess {preprocess!r} is unknown; use one of {', '.join(MANNERS)}")
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other; leave out one")


@dataclass(frozen=True, slots=True)
class _Listed:
    """Inputs in order: paths to read, and arguments that stand for none, with the reason."""

    paths: list[Path] = field(default_factory=list)
    missing: dict[int, tuple[str, CnncliError]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths) + len(self.missing)


def _list(arguments: Sequence[str]) -> _Listed:
    from cnncli.inputs import expand_inputs

    listed = _Listed()
    for argument in arguments:
        try:
            found = expand_inputs([argument])
        except CnncliError as error:
            if len(arguments) == 1:
                raise
            listed.missing[len(listed)] = argument, error
        else:
            known = set(listed.paths)
            listed.paths.extend(path for path in found if path not in known)
    return listed


def _predictor(
    weights: Path | None, engine: str, device: str, count: int, quiet: bool
) -> Predictor:
    from cnncli.commands._weights import open_weights, weights_name
    from cnncli.inference import load_engine
    from cnncli.inference.predict import Predictor

    checkpoint, path, reason = open_weights(weights)
    loaded = load_engine(checkpoint, engine, count=count, device=device)
    notice(f"weights: {weights_name(path)} ({reason}); engine: {loaded.name}", quiet=quiet)
    return Predictor(checkpoint, loaded)


def _asked(
    predictor: Predictor, how: str, top: int, min_confidence: float, numbers: bool
) -> Predictor:
    from dataclasses import replace

    if numbers and (how not in ("auto", "digit") or not _reads_digits(predictor, how)):
        raise UsageError("--digits needs weights that read single digits; leave it out")
    return replace(predictor, how=how, top=top, min_confidence=min_confidence, numbers=numbers)


def _reads_digits(predictor: Predictor, how: str) -> bool:
    return how == "digit" or predictor.checkpoint.preprocessing.kind == "digit"


def _sinks(
    inputs: Sequence[Path],
    seen: Path | None,
    annotate: Path | None,
    sort_into: Path | None,
    move: bool,
) -> list[Sink]:
    if move and sort_into is None:
        raise UsageError("--move goes with --sort-into DIR; name the folder")
    if not (seen or annotate or sort_into):
        return []
    from cnncli.commands._sinks import LabelSink, SeenSink, SortSink
    from cnncli.inputs import STDIN

    if STDIN in inputs and (sort_into or annotate):
        raise UsageError("stdin is no file to sort or annotate; name a file instead of -")
    sinks: list[Sink] = []
    if seen:
        sinks.append(SeenSink(seen, inputs))
    if annotate:
        sinks.append(LabelSink(annotate, inputs))
    if sort_into:  # the last one: a moved picture cannot be read again
        sinks.append(SortSink(sort_into, move))
    return sinks


def _predictions(predictor: Predictor, listed: _Listed, jobs: int) -> Iterator[Prediction]:
    from cnncli.inference.predict import Prediction
    from cnncli.pipeline import core_count

    read = predictor.predict(listed.paths, jobs or core_count())
    for position in range(len(listed)):
        if position in listed.missing:
            name, error = listed.missing[position]
            yield Prediction(Path(name), error=error)
        else:
            yield next(read)


def _report(
    predictions: Iterator[Prediction],
    count: int,
    form: str,
    sinks: Sequence[Sink],
    quiet: bool,
) -> None:
    from cnncli.show.progress import batch_progress

    failures: list[CnncliError] = []
    if form == "csv":
        result(CSV_HEADER)
    # A line each on the screen is progress enough, and a bar would be drawn into them.
    told = count <= MAX_BLOCKS or (form == "eye" and sys.stdout.isatty())
    with batch_progress(count, "predicting", quiet=quiet or told) as advance:
        for prediction in predictions:
            failure = prediction.error or _hand_over(prediction, sinks)
            if failure is not None:
                failures.append(failure)
                if count > 1:
                    show_error(str(failure))
            advance(_line(prediction, form, count))
    _raise_for(failures, count)


def _hand_over(prediction: Prediction, sinks: Sequence[Sink]) -> CnncliError | None:
    if not sinks:
        return None
    from cnncli.commands._sinks import hand_over

    return hand_over(prediction, sinks)


def _line(prediction: Prediction, form: str, count: int) -> str | None:
    """Return one prediction as a line of result; blocks are drawn at once instead."""
    if form == "json":
        return json.dumps(_record(prediction), ensure_ascii=False)
    if form == "csv":
        return _csv_row(prediction)
    if prediction.error is None:
        _draw(prediction, count)
    return None


def _record(prediction: Prediction) -> dict[str, Any]:
    top = [_guess(guess) for guess in prediction.top]
    known = bool(top) and prediction.known
    digits = {"text": prediction.text, "digits": [_guess(guess) for guess in prediction.digits]}
    return {
        "path": str(prediction.path),
        "label": prediction.label,
        "index": top[0]["index"] if known else None,
        "confidence": top[0]["confidence"] if top else None,
        "top": top,
        **(digits if prediction.digits else {}),
        "doubt": None if prediction.doubt is None else round(prediction.doubt, 6),
        "warnings": list(prediction.warnings),
        "error": None if prediction.error is None else str(prediction.error),
    }


def _guess(guess: Guess) -> dict[str, Any]:
    index = guess.index if guess.index >= 0 else None  # a number is no class
    return {"label": guess.label, "index": index, "confidence": round(guess.confidence, 6)}


def _csv_row(prediction: Prediction) -> str:
    import csv
    import io

    record = _record(prediction)
    cells = [record["path"], record["label"], record["index"], record["confidence"]]
    row = io.StringIO()
    writer = csv.writer(row, lineterminator="\n")  # a name with a line end is quoted
    writer.writerow([*cells, "; ".join(record["warnings"]), record["error"]])
    return row.getvalue().removesuffix("\n")


def _draw(prediction: Prediction, count: int) -> None:
    from cnncli.show.console import stdout_console
    from cnncli.show.predictions import prediction_block, prediction_line

    console = stdout_console()
    path, label = str(prediction.path), str(prediction.label)
    if count > MAX_BLOCKS or prediction.prepared is None:
        confidence = prediction.top[0].confidence
        line = prediction_line(path, label, confidence, prediction.warnings, 8)
        console.print(line, soft_wrap=True)
        return
    top = [(guess.label, guess.confidence) for guess in prediction.top]
    ascii_only = console.options.ascii_only
    seen = prediction.prepared.pixels
    block = prediction_block(path, seen, label, top, prediction.warnings, ascii_only=ascii_only)
    console.print(block)
    console.print()


def _raise_for(failures: Sequence[CnncliError], count: int) -> None:
    if failures and count == 1:
        raise failures[0]
    if failures:
        kind = CnncliError if len(failures) == count else BatchError
        raise kind(f"{len(failures)} of {count} pictures failed; the lines above say why")
