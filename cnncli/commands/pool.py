"""``cnncli pool``: one number for each window of a picture."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.commands._options import Images, Jobs, Json, MaxPixels, Output, Quiet, Show
from cnncli.config import MAX_PIXELS

if TYPE_CHECKING:
    from cnncli.commands._batch import Changed
    from cnncli.filtering.pooling import PoolSettings
    from cnncli.images import Picture


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
    """
    from cnncli.commands._reading import start_reading

    inputs, ahead = start_reading(images)
    from cnncli.commands._batch import Manner, run_batch
    from cnncli.commands._outputs import Targets
    from cnncli.filtering.pooling import PoolSettings

    settings = PoolSettings(size, stride, mode, edge, padding, whole, range)
    settings.check()
    targets = Targets(inputs, output, f"{mode}_pool")
    manner = Manner("pooling", jobs, quiet, as_json, False, show)
    run_batch(inputs, targets, lambda picture, _: _pooled(picture, settings), manner, ahead)


def _pooled(picture: "Picture", settings: "PoolSettings") -> "Changed":
    from cnncli.commands._batch import Changed
    from cnncli.filtering.pooling import pool_picture

    done = pool_picture(picture, settings)
    record = {"pool": settings.mode, "size": "global" if settings.whole else settings.size}
    return Changed(done, f"{settings.mode} of {settings.describe()}", record)
