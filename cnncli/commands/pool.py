"""``cnncli pool``: one number for each window of a picture."""

import json
from functools import partial
from typing import Annotated, Literal

import typer

from cnncli.batch.inputs import expand_inputs
from cnncli.batch.outputs import OutputPaths
from cnncli.batch.report import BatchOptions
from cnncli.batch.run import Result, run_pictures
from cnncli.commands._options import (
    CpusEach,
    Explain,
    FromList,
    GpusEach,
    Images,
    Jobs,
    Json,
    MaxPixels,
    On,
    Output,
    Quiet,
    Recursive,
    Resume,
    Shard,
    Show,
    parse_pixel,
)
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.filtering.settings import option_pair
from cnncli.images import Picture, read_picture
from cnncli.limits import MAX_PIXELS
from cnncli.show.console import result


def pool(
    images: Images = None,
    size: Annotated[str, typer.Option("--size", "-s", metavar="N|NxM", help="Window.")] = "2",
    stride: Annotated[
        str | None,
        typer.Option(
            "--stride", metavar="N|NxM", help="Step. Default: the window.", show_default=False
        ),
    ] = None,
    mode: Annotated[
        Literal["max", "avg", "min", "median", "l2", "sum"],
        typer.Option("--mode", "-m", help="What is kept."),
    ] = "max",
    edge: Annotated[
        Literal["partial", "drop", "pad"],
        typer.Option(
            "--edge",
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
        Literal["clip", "minmax", "raw"],
        typer.Option(
            "--range",
            help="How sums and means become pixels: clip, minmax (stretched), raw (float32).",
        ),
    ] = "clip",
    explain: Explain = None,
    output: Output = None,
    show: Show = None,
    recursive: Recursive = False,
    from_list: FromList = None,
    shard: Shard = None,
    resume: Resume = False,
    on: On = None,
    cpus_each: CpusEach = 1.0,
    gpus_each: GpusEach = 0.0,
    jobs: Jobs = 0,
    max_pixels: MaxPixels = MAX_PIXELS,
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
    inputs = expand_inputs(images, recursive=recursive, from_list=from_list)
    if explain is not None:
        x, y = parse_pixel(explain, len(inputs))
        picture = read_picture(inputs.names[0], max_pixels=max_pixels)
        _explain(picture, settings, x, y, as_json=as_json)
        return
    outputs = OutputPaths(inputs, output, f"{mode}_pool")
    options = BatchOptions("pooling", jobs, max_pixels, quiet, as_json, False, show, resume)
    options = options._replace(
        settings=f"pool {settings}", on=on, cpus_each=cpus_each, gpus_each=gpus_each
    )
    run_pictures(inputs.shard(shard), outputs, partial(_pooled, settings=settings), options)


def _pooled(picture: Picture, threads: int, *, settings: PoolSettings) -> Result:
    done = pool_picture(picture, settings, threads)
    details = {"pool": settings.mode, "size": settings.size_text}
    return Result(done, f"{settings.mode} of {settings.describe()}", details)


def _explain(picture: Picture, settings: PoolSettings, x: int, y: int, *, as_json: bool) -> None:
    from cnncli.filtering.explain_pool import explain_pooled
    from cnncli.show.pool_explanation import show_pool_explanation

    explanation = explain_pooled(picture, settings, x, y)
    if as_json:
        result(json.dumps(explanation.to_dict()))
    else:
        show_pool_explanation(explanation)
