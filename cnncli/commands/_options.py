"""Options that several commands share, declared once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cnncli.config import max_pixels

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES...",
        help="Picture files, folders, globs, or - for stdin.",
        show_default=False,
    ),
]
OptionalImages = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGES...",
        help="Picture files, folders, globs, or - for stdin.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print results and errors only.", show_default=False)
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Say what is done, and why.", show_default=False),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line.", show_default=False)
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", "-j", min=0, help="Cores to use; 0 uses all.", show_default=False),
]
Output = Annotated[
    str | None,  # text, because a slash at its end means a folder
    typer.Option(
        "--output",
        "-o",
        help="File, folder, or - for stdout. Default: beside the input.",
        show_default=False,
    ),
]
Show = Annotated[
    bool | None,
    typer.Option(
        "--show/--no-show",
        help="Draw before and after. Default: on when stdout is a terminal.",
        show_default=False,
    ),
]
Explain = Annotated[
    str | None,
    typer.Option(
        "--explain",
        metavar="X,Y",
        help="Print the arithmetic of one output pixel instead of writing a picture.",
        show_default=False,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        "-w",
        envvar="CNNCLI_WEIGHTS",
        help="Checkpoint to use. Default: weights/last.safetensors here, else the shipped one.",
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", envvar="CNNCLI_DEVICE", help="auto, cpu, cuda (or cuda:N), mps."),
]


def _allow_pixels(number: int) -> int:
    # Pictures are decoded in many places and threads; the environment reaches all of them.
    if number != max_pixels():
        os.environ["CNNCLI_MAX_PIXELS"] = str(number)
    return number


MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=1,
        metavar="N",
        envvar="CNNCLI_MAX_PIXELS",
        callback=_allow_pixels,
        help="Refuse larger pictures; a small file can claim any size.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
