"""``cnncli pool``: one number for each window of a picture."""

from functools import partial
from typing import Annotated, Literal

import typer

from cnncli.batch.inputs import expand_inputs
from cnncli.batch.outputs import OutputPaths
from cnncli.batch.report import BatchOptions
from cnncli.batch.run import Result, run_pictures
from cnncli.commands import _options as shared
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.filtering.settings import option_pair
from cnncli.images import Picture, read_picture
from cnncli.limits import MAX_PIXELS


def pool(
    images: shared.Images = None,
    size: Annotated[str, typer.Option("--size", "-s", metavar="N|NxM", help="Window.")] = "2",
    stride: Annotated[
        str | None, typer.Option(metavar="N|NxM", help="Step. Default: the window.")
    ] = None,
    mode: Annotated[
        Literal["max", "avg", "min", "median", "l2", "sum"],
        typer.Option("--mode", "-m", help="What is kept."),
    ] = "max",
    edge: Annotated[
        Literal["partial", "drop", "pad"],
        typer.Option(
            help="A ragged last window pools the pixels that it has, is dropped, or is padded "
            "by --padding as torch does."
        ),
    ] = "partial",
    padding: Annotated[
        str, typer.Option(metavar="N|NxM", help="For --edge pad, on each side.")
    ] = "0",
    whole: Annotated[
        bool, typer.Option("--global", help="One window: the whole picture.", show_default=False)
    ] = False,
    range: Annotated[
        Literal["clip", "minmax", "raw"],
        typer.Option(
            help="How sums and means become pixels: clip, minmax (stretched), raw (float32)."
        ),
    ] = "clip",
    explain: shared.Explain = None,
    output: shared.Output = None,
    show: shared.Show = None,
    recursive: shared.Recursive = False,
    from_list: shared.FromList = None,
    shard: shared.Shard = None,
    resume: shared.Resume = False,
    on: shared.On = None,
    cpus_each: shared.CpusEach = 1.0,
    gpus_each: shared.GpusEach = 0.0,
    jobs: shared.Jobs = 0,
    max_pixels: shared.MaxPixels = MAX_PIXELS,
    as_json: shared.Json = False,
    quiet: shared.Quiet = False,
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
        from cnncli.filtering.explain import explain_pooled
        from cnncli.show.explanation import show_pool_explanation

        x, y = shared.parse_pixel(explain, len(inputs))
        picture = read_picture(inputs.names[0], max_pixels=max_pixels)
        explanation = explain_pooled(picture, settings, x, y)
        shared.tell_explanation(explanation, show_pool_explanation, as_json=as_json)
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
