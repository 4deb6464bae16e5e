"""``cnncli export``: a network as one file that other programs run, with the same answers."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.batch.inputs import expand_inputs
from cnncli.checkpoint import Checkpoint
from cnncli.commands._options import Json, Quiet, Weights
from cnncli.commands._weights import open_weights, weights_name
from cnncli.config import data_folder
from cnncli.errors import CnncliError, DeviceError, UsageError
from cnncli.files import write_whole
from cnncli.images import read_picture
from cnncli.inference.engine import load_engine, temperature_of
from cnncli.inference.onnx_model import NEEDED, OnnxModel
from cnncli.preprocess import prepare, to_network_input
from cnncli.preprocess.colours import to_channels, to_colours
from cnncli.preprocess.resize import resize_and_crop
from cnncli.resources import sample_image
from cnncli.show.console import notice, result

Pixels = NDArray[np.uint8]
Answers = Callable[[Pixels], NDArray[np.float32]]

CHECKED = 32  # pictures on which an exported network has to agree with cnncli
TOLERANCE = 1e-4  # in every probability
SUFFIXES = (".onnx", ".pt2")


def export(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="model.onnx, or .pt2 for torch.")
    ],
    weights: Weights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a network for other programs: uint8 pictures in, calibrated probabilities out.

    Scaling, cropping and normalising are inside. The file is written only if its answers agree
    with cnncli's to 0.0001 on 32 pictures.

    Example: cnncli export -o digits.onnx

    Example: cnncli export -w weights/last.safetensors -o mine.pt2
    """
    if output.suffix not in SUFFIXES:
        raise UsageError(f"-o {output} is neither .onnx nor .pt2; name a file with such an end")
    checkpoint, path, reason = open_weights(weights)
    notice(f"weights: {weights_name(path)} ({reason})", quiet=quiet)
    facts = describe_export(checkpoint)
    data, answers = _exported(checkpoint, facts, output.suffix)
    pictures, source = check_pictures(checkpoint)
    gap = largest_gap(checkpoint, pictures, answers)
    if not gap <= TOLERANCE:  # a NaN is no agreement either
        raise CnncliError(
            f"{output} is not written: on {len(pictures)} pictures its probabilities differ from "
            f"cnncli's by {gap:.2g}, more than {TOLERANCE:g}; export another kind of file "
            f"({' or '.join(SUFFIXES)})"
        )
    write_whole(output, data)
    if as_json:
        record = {"output": str(output), "bytes": len(data), "largest_gap": gap, "checked": source}
        result(json.dumps(record | {k: facts[k] for k in ("input", "outside")}))
        return
    result(
        f"{output}: {len(data):,} bytes; agrees with cnncli to {gap:.1g} on "
        f"{len(pictures)} pictures ({source})\ninput: {facts['input']}\noutside: {facts['outside']}"
    )


def describe_export(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what an exported file says of itself: texts, and JSON where there is structure."""
    wanted = checkpoint.preprocessing
    resizes = wanted.kind == "resize"
    size = "any height, any width" if resizes else f"{wanted.height}, {wanted.width}"
    colours = "RGB" if wanted.channels == 3 else "grey"
    if wanted.kind == "digit":
        outside = (
            "finding the digit: hand it over as MNIST stores it, white on black, 20 pixels high, "
            "its centre of mass in the middle (cnncli predict --save-preprocessed writes that)"
        )
    elif resizes:
        outside = "decoding, and turning upright (EXIF)"
    else:
        outside = "scaling: hand pictures over in that size"
    return {
        "input": f"uint8 pictures (N, {size}, {wanted.channels}), {colours}, 0 to 255",
        "output": f"float32 probabilities (N, {len(checkpoint.classes)}), calibrated",
        "outside": outside,
        "classes": json.dumps(checkpoint.classes, ensure_ascii=False),
        "preprocessing": json.dumps(wanted.to_dict()),
        "card": json.dumps(checkpoint.card, ensure_ascii=False),
    }


def _exported(
    checkpoint: Checkpoint, facts: Mapping[str, str], suffix: str
) -> tuple[bytes, Answers]:
    """Return a file's bytes, and what they answer: the very bytes that will be written."""
    from cnncli.nn import export as exporter

    program = exporter.to_program(checkpoint, temperature_of(checkpoint))
    if suffix == ".pt2":
        data = exporter.to_pt2(program, facts)
        return data, lambda pictures: exporter.run_pt2(data, pictures)
    try:
        data = exporter.to_onnx(program, facts)
    except ImportError as error:
        raise DeviceError(NEEDED) from error
    return data, OnnxModel(data).probabilities


def check_pictures(checkpoint: Checkpoint) -> tuple[list[Pixels], str]:
    """Return up to :data:`CHECKED` uint8 pictures as an exported network takes them, and whose.

    Pictures of what it was trained on, if they are at hand; else cut from a sample picture.
    """
    name = str(checkpoint.card.get("data"))
    with suppress(CnncliError):  # it is there and cannot be read: others will do
        if found := _data_pictures(name, checkpoint):
            return found, name
    return _cuttings(checkpoint), "cut from a sample picture"


def _data_pictures(name: str, checkpoint: Checkpoint) -> list[Pixels]:
    from cnncli.nn.datasets import is_here, open_data

    wanted = checkpoint.preprocessing
    if is_here(name, data_folder()):
        images = open_data(name, data_folder()).load_test().images[:CHECKED]
        return list(images.permute(0, 2, 3, 1).contiguous().numpy())
    files = expand_inputs([str(Path(name).expanduser())], recursive=True).names
    pictures = [read_picture(file) for file in files[:: max(len(files) // CHECKED, 1)][:CHECKED]]
    if wanted.kind == "resize":
        return [to_channels(to_colours(picture), wanted.channels) for picture in pictures]
    return [prepare(picture, wanted).pixels for picture in pictures]


def _cuttings(checkpoint: Checkpoint) -> list[Pixels]:
    wanted, random = checkpoint.preprocessing, np.random.default_rng(0)
    scene = to_channels(to_colours(read_picture(sample_image("scene.png"))), wanted.channels)
    cuttings = []
    for _ in range(CHECKED):
        edge = int(random.integers(20, min(scene.shape[:2])))
        top, left = (int(random.integers(0, size - edge + 1)) for size in scene.shape[:2])
        picture = scene[top : top + edge, left : left + int(random.integers(edge // 2, edge))]
        fixed = wanted.kind != "resize"
        cuttings.append(resize_and_crop(picture, wanted.height, wanted.width) if fixed else picture)
    return cuttings


def largest_gap(checkpoint: Checkpoint, pictures: list[Pixels], answers: Answers) -> float:
    """Return by how much an exported network's probabilities differ from ours at most."""
    wanted = checkpoint.preprocessing
    shown = np.stack([resize_and_crop(each, wanted.height, wanted.width) for each in pictures])
    ours = load_engine(checkpoint).probabilities(to_network_input(shown, wanted))
    if len({each.shape for each in pictures}) == 1:  # one batch, as it was not exported with
        theirs = answers(np.stack(pictures))
    else:
        theirs = np.concatenate([answers(np.ascontiguousarray(each)[None]) for each in pictures])
    if theirs.shape != ours.shape:
        return float("inf")
    return float(np.abs(theirs - ours).max())
