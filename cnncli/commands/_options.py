"""Options that several commands share, declared once."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cnncli.errors import UsageError
from cnncli.show.console import result

Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGES...", help="Picture files, folders, globs, or - for stdin."),
]
Recursive = Annotated[bool, typer.Option("--recursive", help="Take a folder's sub-folders too.")]
FromList = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Read names of pictures from a list, one a line, or ended by NUL; - is stdin.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Take every N-th picture of the sorted ones, from the I-th on: one part of N.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Leave out what is done; goes on where a run ended.")
]
On = Annotated[
    str | None,
    typer.Option(
        metavar="ray[://HOST:PORT]",
        help="Work on a cluster: a Ray on this machine, or the one at an address.",
    ),
]
CpusEach = Annotated[float, typer.Option("--cpus-each", min=0, help="CPUs a worker of --on.")]
GpusEach = Annotated[float, typer.Option("--gpus-each", min=0, help="GPUs a worker of --on.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say what is done, and why.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, help="Cores to use; 0 uses all.", show_default=False)
]
Output = Annotated[
    str | None,  # text, because a slash at its end means a folder
    typer.Option(
        "--output", "-o", help="File, folder, or - for stdout. Default: beside the input."
    ),
]
Show = Annotated[
    bool | None,
    typer.Option(
        "--show/--no-show", help="Draw before and after. Default: on when stdout is a terminal."
    ),
]
Explain = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y", help="Print the arithmetic of one output pixel instead of writing a picture."
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        "-w",
        envvar="CNNCLI_WEIGHTS",
        help="Checkpoint to use. Default: weights/last.safetensors here, else the shipped one.",
    ),
]
Device = Annotated[
    str, typer.Option(envvar="CNNCLI_DEVICE", help="auto, cpu, cuda (or cuda:N), mps.")
]
MaxPixels = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        envvar="CNNCLI_MAX_PIXELS",
        help="Refuse larger pictures; a small file can claim any size.",
    ),
]
EngineName = Literal["auto", "numpy", "torch"]


def parse_pixel(text: str, pictures: int) -> tuple[int, int]:
    """Return column and row of ``--explain`` from ``"40,25"``.

    Raises
    ------
    UsageError
        If it is not two whole numbers from 0, or there are several pictures.

    >>> parse_pixel("40,25", 1)
    (40, 25)
    """
    if pictures > 1:
        raise UsageError(f"--explain takes one picture and there are {pictures}; name one")
    parts = text.replace(",", " ").split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--explain {text!r} is no place; give column,row such as 40,25")
    return int(parts[0]), int(parts[1])


def tell_explanation(record: Any, show: Callable[[Any], None], *, as_json: bool) -> None:
    """Show an explanation, or print its fields as JSON."""
    if as_json:
        result(json.dumps(asdict(record)))
    else:
        show(record)
