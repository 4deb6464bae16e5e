"""``cnncli predict``: what is in the pictures, how sure that is, and what the network saw."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnncli.batch.inputs import STDIN, Inputs, expand_inputs
from cnncli.batch.report import BatchOptions
from cnncli.batch.resuming import ResultsFile
from cnncli.batch.run import run_batch
from cnncli.batch.sinks import (
    PictureFolder,
    Sink,
    hand_over,
    sort_by_class,
    write_labelled,
    write_seen,
)
from cnncli.checkpoint import Checkpoint
from cnncli.commands import _options as shared
from cnncli.commands._weights import open_network, weights_name
from cnncli.errors import CnncliError, UsageError
from cnncli.images import read_picture
from cnncli.inference.engine import Engine, load_engine
from cnncli.inference.onnx_model import OnnxModel
from cnncli.inference.pick import pick
from cnncli.inference.predict import Guess, Prediction, Predictor, RemoteEngine
from cnncli.limits import MAX_PIXELS
from cnncli.preprocess import pixels_needed
from cnncli.show.console import notice, result
from cnncli.show.text import csv_text

MAX_BLOCKS = 12  # predictions that are shown with their picture; more get a line each
CSV_HEADER = "path,label,index,confidence,warnings,error"

How = Literal["auto", "digit", "resize", "none"]
Format = Literal["text", "json", "csv"]


def predict(
    images: shared.Images = None,
    weights: shared.Weights = None,
    top: Annotated[int, typer.Option("--top", "-t", min=1, help="Classes to name.")] = 3,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Say 'unknown' if it is less sure.")
    ] = 0.0,
    preprocess: Annotated[
        How,
        typer.Option(
            help="digit: find a digit and normalise it; resize: scale and crop; none: take it "
            "as it is; auto: as the weights say."
        ),
    ] = "auto",
    save_preprocessed: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write what the network was shown there, as PNG."),
    ] = None,
    digits: Annotated[
        bool, typer.Option("--digits", help="Read a number: all digits, from left to right.")
    ] = False,
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each picture there with its label.")
    ] = None,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Copy each picture into a folder of its class there; never overwrites.",
        ),
    ] = None,
    move: Annotated[
        bool, typer.Option("--move", help="With --sort-into: move instead of copying.")
    ] = False,
    pick_count: Annotated[
        int | None,
        typer.Option(
            "--pick",
            metavar="N",
            min=1,
            help="Name the N pictures most worth a label: uncertain, and not all the same.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Append a line a picture to a .jsonl or .csv file instead of showing it.",
        ),
    ] = None,
    recursive: shared.Recursive = False,
    from_list: shared.FromList = None,
    shard: shared.Shard = None,
    resume: shared.Resume = False,
    on: shared.On = None,
    cpus_each: shared.CpusEach = 1.0,
    gpus_each: shared.GpusEach = 0.0,
    engine: Annotated[
        shared.EngineName,
        typer.Option(help="auto: numpy, which starts faster, where it can run them."),
    ] = "auto",
    device: shared.Device = "auto",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of commas.")] = False,
    max_pixels: shared.MaxPixels = MAX_PIXELS,
    as_json: shared.Json = False,
    jobs: shared.Jobs = 0,
    quiet: shared.Quiet = False,
) -> None:
    """Say what is in pictures, with the shipped digit reader or with weights of your own.

    Example: cnncli predict photo-of-a-digit.jpg

    Example: cnncli predict scans/ --csv > numbers.csv

    Example: cnncli predict meter-reading.jpg --digits

    Example: cnncli predict photos/ --sort-into sorted/ --min-confidence 0.9

    Example: cnncli predict new-photos/ --pick 20

    Example: cnncli predict photos/ --weights weights/last.safetensors --min-confidence 0.8 --json
    """
    _refuse_pairs(output, as_csv=as_csv, as_json=as_json, resume=resume)
    if pick_count and (output or sort_into or annotate or save_preprocessed or digits):
        raise UsageError("--pick only names pictures; leave out what writes files, and --digits")
    inputs = expand_inputs(images, recursive=recursive, from_list=from_list)
    read = partial(read_picture, max_pixels=max_pixels)
    sinks = _sinks(inputs, read, save_preprocessed, annotate, sort_into, move)
    inputs = inputs.shard(shard)
    checkpoint, path, reason = open_network(weights)
    reads_digits = preprocess == "digit" or (
        preprocess == "auto" and checkpoint.preprocessing.kind == "digit"
    )
    if digits and not reads_digits:
        raise UsageError("--digits needs weights that read single digits; leave it out")
    form: Format = "json" if as_json else "csv" if as_csv else "text"
    results: ResultsFile | None = None
    if output is not None:
        import hashlib  # and OpenSSL: 10 ms

        weights_hash = hashlib.sha256(path.read_bytes()).hexdigest()
        settings = f"predict {weights_hash} {preprocess} {top} {min_confidence} {digits}"
        results = ResultsFile(output, CSV_HEADER, settings, resume=resume)
        form, inputs = results.form, inputs.without(results.done, results.failed)
    if on is not None and isinstance(checkpoint, OnnxModel):
        raise UsageError("an ONNX file is run on this machine; leave out --on")
    load = partial(_engine, checkpoint, engine, device)
    loaded = load() if on is None else RemoteEngine(load)
    notice(f"weights: {weights_name(path)} ({reason}); engine: {loaded.name}", quiet=quiet)
    # A line each on the screen is progress enough, and a bar would be drawn into them.
    told = results is None and (
        len(inputs) <= MAX_BLOCKS or (form == "text" and sys.stdout.isatty())
    )
    options = BatchOptions("predicting", jobs, quiet=quiet or told)._replace(
        on=on, cpus_each=cpus_each, gpus_each=gpus_each
    )
    predictor = Predictor(
        checkpoint,
        loaded,
        preprocess,
        max(top, 2) if pick_count else top,
        min_confidence,
        numbers=digits,
        read=partial(read, enough=pixels_needed(checkpoint.preprocessing, preprocess)),
        keep_features=pick_count is not None,
        keep_prepared=len(inputs) <= MAX_BLOCKS or save_preprocessed is not None,
        chunk=max(1, min(32, len(inputs) // (4 * options.workers(len(inputs))))),
    )
    if form == "csv" and results is None:
        result(CSV_HEADER)
    report = _Report(form, sinks, len(inputs), results)
    if pick_count:
        _name_picks(inputs, predictor, report, options, pick_count)
        return
    run_batch(inputs, predictor, report, options)
    if results is not None:
        result(str(output))


def _refuse_pairs(output: Path | None, *, as_csv: bool, as_json: bool, resume: bool) -> None:
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other; leave out one")
    if output is not None and (as_csv or as_json):
        raise UsageError("the suffix of -o says the format; leave out --csv and --json")
    if resume and output is None:
        raise UsageError("--resume needs a file for the results; give -o FILE.jsonl or -o FILE.csv")


def _name_picks(
    inputs: Inputs, predictor: Predictor, report: "_Report", options: BatchOptions, count: int
) -> None:
    """Predict all pictures, and report those that are most worth a label."""
    if not isinstance(predictor.engine, Engine):
        raise UsageError("--pick needs a network's features; leave out --on, name no ONNX file")
    found: list[Prediction] = []

    def keep(prediction: Prediction, _say: Callable[[str], None]) -> CnncliError | None:
        found.append(prediction)
        return prediction.error

    try:
        run_batch(inputs, predictor, keep, options)
    finally:  # what could be read is worth naming, whatever could not
        for prediction in pick(found, count):
            report(prediction, result)


def _engine(
    checkpoint: Checkpoint | OnnxModel, engine: shared.EngineName, device: str
) -> Engine | OnnxModel:
    if not isinstance(checkpoint, OnnxModel):
        return load_engine(checkpoint, engine, device=device)
    if engine != "auto" or device not in ("auto", "cpu"):
        raise UsageError("onnxruntime runs an ONNX file, on the CPU; leave out --engine, --device")
    return checkpoint


def _sinks(
    inputs: Inputs,
    read: Callable[[str], Any],
    seen: Path | None,
    annotate: Path | None,
    sort_into: Path | None,
    move: bool,
) -> list[Sink]:
    if move and sort_into is None:
        raise UsageError("--move goes with --sort-into DIR; name the folder")
    if STDIN in inputs.names and (sort_into or annotate):
        raise UsageError("stdin is no file to sort or annotate; name a file instead of -")
    sinks: list[Sink] = []
    if seen:
        sinks.append(partial(write_seen, PictureFolder(seen, inputs.names, "seen")))
    if annotate:
        folder = PictureFolder(annotate, inputs.names, "labelled")
        sinks.append(partial(write_labelled, folder, read))
    if sort_into:  # the last one: a moved picture cannot be read again
        sinks.append(partial(sort_by_class, sort_into, move))
    return sinks


@dataclass(frozen=True, slots=True)
class _Report:
    """Says what each prediction is, once the sinks have had it.

    Parameters
    ----------
    form
        What is printed.
    sinks
        What else becomes of predictions.
    count
        Of all pictures: few are drawn, many get a line each.
    results
        Where lines go instead of stdout, if anywhere.
    """

    form: Format
    sinks: Sequence[Sink]
    count: int
    results: ResultsFile | None

    def __call__(self, prediction: Prediction, say: Callable[[str], None]) -> CnncliError | None:
        failure = prediction.error or hand_over(prediction, self.sinks)
        if self.results is not None:
            say = self.results.append
        if self.form == "json":
            say(json.dumps(_record(prediction), ensure_ascii=False))
        elif self.form == "csv":
            say(_csv_row(prediction))
        elif prediction.error is None:
            from cnncli.show.predictions import show_prediction  # draws by Rich: 0.1 s of import

            show_prediction(prediction, large=self.count <= MAX_BLOCKS)
        return failure


def _record(prediction: Prediction) -> dict[str, Any]:
    top = [_guess(guess) for guess in prediction.top]
    known = bool(top) and prediction.known
    digits = {"text": prediction.text, "digits": [_guess(guess) for guess in prediction.digits]}
    return {
        "path": prediction.path,
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
    record = _record(prediction)
    cells = [record["path"], record["label"], record["index"], record["confidence"]]
    return csv_text([[*cells, "; ".join(record["warnings"]), record["error"]]])
