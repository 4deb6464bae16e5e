"""``cnncli features``: what every layer of a network makes of a picture."""

from json import dumps
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cnncli.commands._options import Json, MaxPixels, Output, Quiet, Show, Weights
from cnncli.commands._seen import Answer, Image, Seen, read_one, wants_show
from cnncli.files import atomic_write
from cnncli.interpret.feature_maps import Stage, activations, choose_stage
from cnncli.limits import MAX_PIXELS
from cnncli.show.console import result, stdout_console
from cnncli.show.features import feature_sheet, show_features


def features(
    image: Image,
    weights: Weights = None,
    layer: Annotated[
        str | None, typer.Option(help="Draw one step large: conv1, relu1, pool1, …")
    ] = None,
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Draw the learned kernels above their maps.")
    ] = False,
    npz: Annotated[Path | None, typer.Option(help="Also write the numbers of every step.")] = None,
    output: Output = None,
    show: Show = None,
    max_pixels: MaxPixels = MAX_PIXELS,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw the feature maps of every layer, in order, as one labelled picture.

    Orange is more than zero, blue less, black zero; all maps of a layer share one scale.

    For example:

    cnncli features digit.jpg

    cnncli features digit.jpg --layer conv1 --kernels -o conv1.png

    cnncli features digit.jpg --npz maps.npz --no-show
    """
    seen = read_one(image, weights, max_pixels, quiet=quiet or as_json)
    if npz is not None:
        seen.refuse(npz)
    stages = activations(seen.checkpoint, seen.network_input)
    chosen = stages[1:] if layer is None else [choose_stage(stages, layer)]
    classes = seen.checkpoint.classes
    answer = seen.answer(stages[-1].values)
    pixels = feature_sheet(chosen, classes, seen.pictures(), str(answer), kernels=kernels)
    target = seen.write(pixels, output, f"features_{layer}" if layer else "features")
    if npz is not None:
        arrays: dict[str, Any] = {stage.name: stage.values for stage in stages}
        with atomic_write(npz) as file:
            np.savez_compressed(file, **arrays)
    if as_json:
        _print_record(seen, answer, chosen, target, npz)
    elif target != "-":
        result("\n".join([f"{target}: {answer}", *([str(npz)] if npz else [])]))
    if wants_show(show, quiet or as_json, target):
        # All of it is in the picture; the terminal leaves out what the next step repeats.
        drawn = [stage for stage in chosen if layer or not stage.name.startswith("relu")]
        show_features(stdout_console(), drawn, classes, every_map=bool(layer))


def _print_record(
    seen: Seen, answer: Answer, stages: list[Stage], target: str, npz: Path | None
) -> None:
    record = {
        "path": seen.source,
        "output": target,
        "npz": None if npz is None else str(npz),
        "weights": str(seen.weights),
        "label": answer.label,
        "confidence": answer.confidence,
        "layers": [_stage_record(stage) for stage in stages],
    }
    result(dumps(record, ensure_ascii=False))


def _stage_record(stage: Stage) -> dict[str, Any]:
    values = stage.values
    return {
        "name": stage.name,
        "shape": list(values.shape),
        "min": float(values.min()),
        "max": float(values.max()),
        "mean": float(values.mean()),
        "zeros": float((values == 0).mean()),
    }
