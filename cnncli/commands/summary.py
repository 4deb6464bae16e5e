"""``cnncli summary``: a network as a table of layers, and its checkpoint's card."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cnncli.checkpoint import Checkpoint
from cnncli.commands._options import Json
from cnncli.commands._weights import open_weights, weights_name
from cnncli.layers import Layer, views_text
from cnncli.show.console import result, stdout_console
from cnncli.show.summary import share, show_summary


def summary(
    weights: Annotated[
        Path | None,
        typer.Argument(
            metavar="[WEIGHTS]",
            envvar="CNNCLI_WEIGHTS",
            help="Checkpoint. Default: weights/last.safetensors here, else the shipped one.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a network: layers, shapes, parameters, multiply-adds, receptive field, and its card.

    Example: cnncli summary

    Example: cnncli summary weights/last.safetensors --json
    """
    checkpoint, path, reason = open_weights(weights)
    layers = checkpoint.layers
    if not layers:  # a file of an earlier version, or a bare state dict: the network must run once
        from cnncli.nn.state_dict import layers_of

        layers = layers_of(checkpoint)
    if as_json:
        result(json.dumps(_record(checkpoint, layers, path)))
        return
    facts = _facts(checkpoint, path, reason)
    show_summary(stdout_console(), checkpoint.model, layers, facts, checkpoint.card)


def _facts(checkpoint: Checkpoint, path: Path, reason: str) -> dict[str, Any]:
    """Return what is said about the file under the table."""
    prepared = checkpoint.preprocessing
    size = f"{prepared.height}x{prepared.width}x{prepared.channels}"
    return {
        "file": f"{weights_name(path)} ({reason}, {path.stat().st_size:,} bytes)",
        "network": ": ".join(filter(None, (checkpoint.model.name, views_text(checkpoint.model)))),
        "classes": list(checkpoint.classes),
        "input": f"{size} ({prepared.kind}), mean {_numbers(prepared.mean)}, "
        f"standard deviation {_numbers(prepared.std)}",
    }


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _record(checkpoint: Checkpoint, layers: Sequence[Layer], path: Path) -> dict[str, Any]:
    """Return the ``--json`` line."""
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    return {
        "weights": str(path),
        "model": checkpoint.model.to_dict(),
        "classes": list(checkpoint.classes),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "layers": [
            {
                "name": layer.name,
                "operation": layer.operation,
                "output": list(layer.output),
                "parameters": layer.parameters,
                "parameter_share": share(layer.parameters, parameters),
                "multiply_adds": layer.multiply_adds,
                "multiply_add_share": share(layer.multiply_adds, multiply_adds),
                "receptive_field": layer.receptive_field or None,
            }
            for layer in layers
        ],
        "card": checkpoint.card,
    }
