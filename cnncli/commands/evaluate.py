"""``cnncli evaluate``: how good weights are on labelled pictures, and where they fail."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.commands._options import Device, EngineName, Json, MaxPixels, Quiet, Weights
from cnncli.commands._report import write_report
from cnncli.commands._weights import open_weights, weights_name
from cnncli.config import Fit, data_folder
from cnncli.errors import DataError, UsageError
from cnncli.files import write_whole
from cnncli.images import Picture, write_picture
from cnncli.inference.engine import load_engine
from cnncli.inference.scores import Labelled, Scores, score, worst_mistakes
from cnncli.limits import MAX_PIXELS
from cnncli.preprocess import to_network_input
from cnncli.show.console import notice, result, stdout_console
from cnncli.show.evaluation import (
    class_table,
    confusion_table,
    draw_confusion,
    mistakes_sheet,
)
from cnncli.show.text import csv_text

if TYPE_CHECKING:
    from cnncli.nn.splits import Split

MOST_MISTAKES = 64  # on the contact sheet


def evaluate(
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="NAME|DIR",
            help="A data set's name, or a folder with a sub-folder per class. Default: the test "
            "part of what the weights were trained on.",
        ),
    ] = None,
    weights: Weights = None,
    confusion: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw the confusion matrix.")
    ] = None,
    mistakes: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw the surest wrong answers.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="HTML", help="Write all of it as one page.")
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="What runs the network.")] = "auto",
    device: Device = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the classes as CSV.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure weights on labelled pictures: accuracy, classes, confusion, calibration.

    Example: cnncli evaluate

    Example: cnncli evaluate --data my-pictures --weights weights/mine.safetensors

    Example: cnncli evaluate --confusion confusion.png --mistakes mistakes.png

    Example: cnncli evaluate --report report.html
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other; leave out one")
    os.environ["CNNCLI_MAX_PIXELS"] = str(max_pixels)  # folders of pictures are read by nn
    checkpoint, path, reason = open_weights(weights)
    notice(f"weights: {weights_name(path)} ({reason})", quiet=quiet)
    found = _open(data, checkpoint, quiet)
    runner = load_engine(checkpoint, engine, device=device)
    probabilities = runner.probabilities(to_network_input(found.pixels, checkpoint.preprocessing))
    scores = score(probabilities, found.labels, checkpoint.classes)
    if confusion:
        title = f"{found.name}: {scores.accuracy:.2%} of {scores.count:,}"
        write_whole(confusion, draw_confusion(scores.confusion, checkpoint.classes, title))
        notice(f"wrote {confusion}")
    if mistakes:
        _draw_mistakes(mistakes, found, probabilities, checkpoint.classes)
    if report:
        write_report(report, checkpoint, path, found, probabilities)
    if as_json:
        result(json.dumps({"data": found.name, **scores.to_dict()}, ensure_ascii=False))
    elif as_csv:
        rows = scores.to_dict()["per_class"]
        result(csv_text([rows[0].keys(), *(row.values() for row in rows)]))
    else:
        _print(scores, found.name)


def _open(data: str | None, checkpoint: Checkpoint, quiet: bool) -> Labelled:
    """Return the test part of a data set, or a whole folder that the weights have not seen."""
    trained_on = checkpoint.card.get("data")
    name = data if data is not None else trained_on if isinstance(trained_on, str) else "mnist"
    folder = Path(name).expanduser()
    known = trained_on in (name, str(folder.resolve()))
    if folder.is_dir() and not known and _is_class_folder(folder):
        return _whole_folder(folder, checkpoint, quiet)
    from cnncli.nn.datasets import open_data

    edge = checkpoint.preprocessing.height if folder.is_dir() else None
    coloured: Fit | None = "head" if checkpoint.preprocessing.channels == 3 else None
    opened = open_data(name, data_folder(), edge=edge, photos=coloured)
    for text in opened.notices:
        notice(text, quiet=quiet)
    return _checked(name, opened.load_test(), opened.classes, checkpoint)


def _is_class_folder(folder: Path) -> bool:
    from cnncli.nn.folders import class_folders
    from cnncli.nn.sources import find_pair

    # Where IDX files are, whatever else lies there, such as a cache, is no class.
    return not find_pair(folder, "train") and bool(class_folders(folder))


def _whole_folder(folder: Path, checkpoint: Checkpoint, quiet: bool) -> Labelled:
    from cnncli.nn.folders import list_classes, list_part, part_folders, read_part

    parts = part_folders(folder)
    part = next(parts[name] for name in ("test", "validation", "train") if name in parts)
    classes, notices = list_classes(part)
    listing, _ = list_part(part, classes)
    split, broken = read_part(listing, checkpoint.preprocessing)
    for text in (*notices, *(f"skipped: {why}" for _, why in broken)):
        notice(text, quiet=quiet)
    return _checked(str(part), split, classes, checkpoint)


def _checked(
    name: str, split: "Split", classes: tuple[str, ...], checkpoint: Checkpoint
) -> Labelled:
    """Return the pictures with the network's own class numbers: classes are matched by name."""
    wanted = checkpoint.preprocessing
    pixels, labels = split.images.permute(0, 2, 3, 1).numpy(), split.labels.numpy()
    if pixels.shape[1:] != (wanted.height, wanted.width, wanted.channels):
        raise DataError(
            f"{name} has pictures of {pixels.shape[2]}x{pixels.shape[1]}x{pixels.shape[3]} and "
            f"the network takes {wanted.width}x{wanted.height}x{wanted.channels}; "
            "name weights that were trained on such pictures"
        )
    if unknown := sorted(set(classes) - set(checkpoint.classes)):
        raise DataError(
            f"{name} has classes that the network does not know: {', '.join(unknown)[:200]}; "
            f"it knows {', '.join(checkpoint.classes)[:200]}"
        )
    if len(labels) == 0:
        raise DataError(f"{name} has no pictures that can be read; name another folder")
    number = np.array([checkpoint.classes.index(label) for label in classes], np.int64)
    return Labelled(name, pixels, number[labels])


def _print(scores: Scores, name: str) -> None:
    console = stdout_console()
    low, high = scores.interval
    wrong = scores.count - round(scores.accuracy * scores.count)
    result(
        f"{name}: accuracy {scores.accuracy:.2%} (95 %: {low:.2%} to {high:.2%}), "
        f"{wrong:,} of {scores.count:,} wrong"
    )
    result(f"loss {scores.loss:.4f}, calibration error {scores.calibration.error:.4f}\n")
    console.print(class_table(scores.to_dict()["per_class"]))
    if table := confusion_table(scores.confusion, [entry.label for entry in scores.classes]):
        console.print("\nTrue class (row) and what it was taken for (column)")
        console.print(table)


def _draw_mistakes(
    path: Path, found: Labelled, probabilities: NDArray[np.float32], classes: tuple[str, ...]
) -> None:
    worst = worst_mistakes(probabilities, found.labels, MOST_MISTAKES)
    if not len(worst):
        notice(f"{path} is not written: there are no mistakes")
        return
    captions = [
        f"{classes[found.labels[i]]} as {classes[row.argmax()]}  {row.max():.0%}"
        for i, row in zip(worst, probabilities[worst], strict=True)
    ]
    sheet = mistakes_sheet([found.pixels[i] for i in worst], captions)
    write_picture(path, Picture(sheet, mode="RGB"))
    notice(f"wrote {path}")
