"""``cnncli pool``: one number for each window of a picture."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.commands._options import Explain, Images, Jobs, Json, MaxPixels, Output, Quiet, Show
from cnncli.config import MAX_PIXELS

if TYPE_CHECKING:
    from cnncli.commands._batch import Changed
    from cnncli.filtering.pooling import PoolSettings
    from cnncli.images import Picture
    from cnncli.images.opening import Ahead


def pool(
    images: Images,
    size: Annotated[str, typer.Option("--size", "-s", metavar="N|NxM", help="Window.")] = "2",
    stride: Annotated[
        str | None,
        typer.Option(
            "--stride", metavar="N|NxM", help="Step. Default: the window.", show_default=False
        ),
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", "-m", metavar="max|avg|min|median|l2|sum", help="What is kept.")
    ] = "max",
    edge: Annotated[
        str,
        typer.Option(
            "--edge",
            metavar="partial|drop|pad",
            help="A ragged last window pools the pixels that it has, is dropped, or is padded "
            "by --padding as torch does.",
        ),
    ] = "partial",
    padding: Annotated[
        str, typer.Option("--padding", metavar="N|NxM", help="For --edge pad, on each side.")
    ] = "0",
    whole: Annotated[
        bool, typer.Option("--global", help="One window: the whole picture.", show_default=False)
    ] = False,
    range: Annotated[
        str,
        typer.Option(
            "--range",
            metavar="clip|minmax|raw",
            help="How sums and means become pixels: clip, minmax (stretched), raw (float32).",
        ),
    ] = "clip",
    explain: Explain = None,
    output: Output = None,
    show: Show = None,
    jobs: Jobs = 0,
    max_pixels: MaxPixels = MAX_PIXELS,  # noqa: ARG001 (its callback sets the limit)
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Shrink pictures: keep the largest, mean, smallest or middle value of each window.

    For example:

    cnncli pool photo.jpg

    cnncli pool photo.png --size 3 --stride 2 --mode avg

    cnncli pool photos/ --size 4 -o small/

    cnncli pool photo.png --mode avg --explain 10,5
    """
    from cnncli.commands._reading import start_reading

    inputs, ahead = start_reading(images)
    from cnncli.commands._batch import Manner, run_batch
    from cnncli.commands._outputs import Targets
    from cnncli.filtering.pooling import PoolSettings
    from cnncli.filtering.settings import option_pair
    from cnncli.inputs import stand_for_several

    settings = PoolSettings(
        option_pair(size, "size"),
        None if stride is None else option_pair(stride, "stride"),
        mode,
        edge,
        option_pair(padding, "padding", least=0),
        whole,
        range,
    )
    settings.check()
    if explain is not None:
        _explain(inputs, ahead, explain, settings, as_json)
        return
    targets = Targets(inputs, output, f"{mode}_pool", several=stand_for_several(images))
    manner = Manner("pooling", jobs, quiet, as_json, False, show)
    run_batch(inputs, targets, partial(_pooled, settings=settings), manner, ahead)


def _pooled(picture: "Picture", threads: int, *, settings: "PoolSettings") -> "Changed":
    from cnncli.commands._batch import Changed
    from cnncli.filtering.pooling import pool_picture

    done = pool_picture(picture, settings, threads)
    record = {"pool": settings.mode, "size": settings.size_text}
    return Changed(done, f"{settings.mode} of {settings.describe()}", record)


def _explain(
    inputs: "list[Path]",
    ahead: "Ahead | None",
    place: str,
    settings: "PoolSettings",
    as_json: bool,
) -> None:
    from cnncli.commands._place import one_place
    from cnncli.filtering.explain_pool import explain_pooled
    from cnncli.images import read_picture
    from cnncli.show.console import result

    x, y = one_place(place, inputs)
    explanation = explain_pooled(read_picture(inputs[0], ahead=ahead), settings, x, y)
    if as_json:
        result(json.dumps(explanation.to_dict()))
        return
    from cnncli.show.pool_explanation import show_pool_explanation

    show_pool_explanation(explanation)
