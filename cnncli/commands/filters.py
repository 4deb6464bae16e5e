"""``cnncli filters``: the named kernels, what they are for and what they do."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from cnncli.commands._options import Json
from cnncli.errors import UsageError
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.frequency import gain_picture, gain_table
from cnncli.filtering.likeness import most_like
from cnncli.filtering.settings import Settings
from cnncli.images import Picture, read_picture, to_uint8_rgb, write_picture
from cnncli.kernel_files import convolution_layers
from cnncli.ops import FILTERS, Kernel, get_filter
from cnncli.resources import sample_image
from cnncli.show.console import result, stdout_console
from cnncli.show.sheet import filter_sheet

Drawn = list[tuple[str, NDArray[np.uint8]]]


def filters(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One filter, with its numbers.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Draw what it does to a picture.")] = False,
    picture: Annotated[
        str | None, typer.Option("--on", metavar="IMAGE", help="Picture to draw on.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a sheet of what was drawn.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            "-w",
            help="List a network's learned kernels, and the named ones they resemble.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the named filters, show one with its kernel, or a network's learned ones.

    For example:

    cnncli filters

    cnncli filters sobel_x --show

    cnncli filters -o sheet.png --on photo.jpg

    cnncli filters --weights weights/simplecnn-mnist.safetensors
    """
    if weights is not None:
        if name or show or picture or output:
            raise UsageError("--weights lists kernels; leave NAME, --show, --on and -o out")
        _list_learned(weights, as_json)
        return
    chosen = list(FILTERS.values()) if name is None else [get_filter(name)]
    drawn = _drawn(chosen, picture) if show or output is not None else []
    if output is not None:
        write_picture(output, Picture(filter_sheet(drawn)))
    _tell(chosen, as_json, one=name is not None, written=output)
    if show:
        _show(drawn)


def _tell(chosen: list[Kernel], as_json: bool, *, one: bool, written: Path | None) -> None:
    if as_json:
        for each in chosen:
            result(json.dumps(_record(each)))
    elif one:  # --json does without Rich: 0.9 of the time (n = 9)
        from cnncli.show.filters import show_filter

        show_filter(_record(chosen[0]))
    elif written is None:
        from cnncli.show.filters import show_filter_table

        show_filter_table([_record(each) for each in chosen])
    if written is not None and not as_json:
        result(str(written))


def _record(each: Kernel) -> dict[str, Any]:
    """Return what is told about a filter, as JSON types."""
    rows, columns = each.shape
    return {
        "name": each.name,
        "rows": rows,
        "columns": columns,
        "kernels": [
            {
                "weights": k.weights.tolist(),
                "scale": k.scale,
                "gain": gain_table(k.weights, k.scale),
            }
            for k in each.parts
        ],
        "combine": each.combine,
        "source": each.source,
        "purpose": each.purpose,
    }


def _drawn(chosen: list[Kernel], source: str | None) -> Drawn:
    """Return the picture and what each filter makes of it; for one, its frequencies too."""
    picture = read_picture(source or sample_image("scene.png"))
    drawn: Drawn = [("before", to_uint8_rgb(picture))]
    for each in chosen:
        drawn.append((each.name, to_uint8_rgb(apply_filters(picture, (each,), Settings()).picture)))
    if len(chosen) == 1:
        drawn.append(("gain by frequency", gain_picture(each)))
    return drawn


def _show(drawn: Drawn) -> None:
    from cnncli.show.picture import show_pictures

    console = stdout_console()
    per_row = max(2, min(4, console.width // 38)) if len(drawn) > 3 else len(drawn)
    for first in range(0, len(drawn), per_row):
        show_pictures(console, drawn[first : first + per_row], max_height=24)


def _list_learned(weights: Path, as_json: bool) -> None:
    from cnncli.show.filters import show_learned

    for layer, kernels in convolution_layers(weights).items():
        likes = {
            f"{layer}:{output}:{channel}": (kernel, most_like(kernel))
            for output, inputs in enumerate(kernels)
            for channel, kernel in enumerate(inputs)
        }
        if not as_json:
            show_learned(f"{layer} of {weights}", {name: like for name, (_, like) in likes.items()})
            continue
        for name, (kernel, like) in likes.items():
            record = {
                "kernel": name,
                "weights": kernel.round(4).tolist(),
                **asdict(replace(like, similarity=round(like.similarity, 4))),
            }
            result(json.dumps(record))
