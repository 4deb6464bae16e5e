"""``cnncli demo``: the lesson in the terminal, step by step, by the tool's own commands."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.rule import Rule
from rich.text import Text

from cnncli.errors import CnncliError
from cnncli.images import read_picture, to_uint8_grey
from cnncli.ops import FILTERS, correlate2d, max_pool2d
from cnncli.resources import sample_image
from cnncli.show.console import notice, stdout_console
from cnncli.show.text import PLAIN

_SAMPLES = ("scene.png", "digit-7-pen.jpg")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the lesson.

    Parameters
    ----------
    title, words
        What it is about.
    command
        What is run, without the program's name; ``{folder}`` stands for the demo's folder.
    after
        Returns what is said below the output, if anything.
    """

    title: str
    words: str
    command: str
    after: Callable[[Path], str] | None = None


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for its pictures.")
    ] = Path("cnncli-demo"),
    pause: Annotated[
        bool | None,
        typer.Option(
            "--pause/--no-pause", help="Wait for Enter after each step. Default: in a terminal."
        ),
    ] = None,
) -> None:
    """Walk through convolution, pooling and a network that reads digits, in about two minutes.

    Every step prints the command that it runs; each can be run alone afterwards.

    For example:

    cnncli demo

    cnncli demo --no-pause
    """
    output.mkdir(parents=True, exist_ok=True)
    for name in _SAMPLES:  # copies, so that the printed commands work wherever they are typed
        shutil.copyfile(sample_image(name), output / name)
    waits = (sys.stdin.isatty() and sys.stdout.isatty()) if pause is None else pause
    console = stdout_console()
    for number, step in enumerate(STEPS, 1):
        words = shlex.split(step.command.format(folder=shlex.quote(output.as_posix())))
        title = f"{number} of {len(STEPS)}: {step.title}"
        console.print()
        console.print(Rule(Text(f" {title} ", style="bold"), align="left", characters="-"))
        console.print(Text(step.words))
        console.print()
        command = Text(f"$ cnncli {shlex.join(words)}", style=f"bold {PLAIN}")
        console.print(command, soft_wrap=True)
        sys.stdout.flush()
        # What is printed is what is run.
        if subprocess.run([sys.executable, "-m", "cnncli", *words], check=False).returncode:  # noqa: S603
            raise CnncliError("this step of the demo failed; the line above says why")
        if step.after is not None:
            console.print(Text(step.after(output)))
        if waits and number < len(STEPS):
            notice("\nEnter goes on, Ctrl-C leaves.")
            sys.stdin.readline()
    last = f"\nThe pictures are in {output.as_posix()}; cnncli --help lists the rest."
    console.print(Text(last))


def _shift_words(folder: Path) -> str:
    """Measure on the sample picture what pooling does to a shift by one pixel."""
    weights = FILTERS["vertical_edge"].weights
    grey = to_uint8_grey(read_picture(folder / "scene.png"))
    one, two, four = shift_changes(grey, weights, (1, 2, 4))
    return (
        f"Move the picture by one pixel, and its vertical edges change by {one:.0%}; the largest "
        f"of each 2x2 by {two:.0%}, of each 4x4 by {four:.0%}."
    )


def shift_changes(image: NDArray[Any], kernel: NDArray[Any], sizes: Sequence[int]) -> list[float]:
    """Move a picture by one column and say how much its pooled responses change.

    Parameters
    ----------
    image
        ``(H, W)``.
    kernel
        ``(kh, kw)``.
    sizes
        Edges of the pooling windows; 1 pools nothing.

    Returns
    -------
    list of float
        For each size ``sum |pooled - moved pooled| / sum |pooled|`` of the absolute responses:
        0 where the move changes nothing.

    Examples
    --------
    >>> shift_changes([[0, 0, 0, 9, 0, 0, 0, 0, 0]] * 2, [[1]], [1, 2])
    [2.0, 0.0]
    """
    response = np.abs(correlate2d(image, kernel)).astype(np.float64)
    still, moved = response[:, 1:], response[:, :-1]
    changes = []
    for size in sizes:
        one, two = (max_pool2d(each, size, edge="drop") for each in (still, moved))
        changes.append(float(np.abs(one - two).sum() / max(np.abs(one).sum(), 1e-12)))
    return changes


STEPS = (
    Step(
        "one dimension",
        "A kernel of three numbers slides along a signal of seven. At each of the five places "
        "where it fits, three products are added up. (1, 0, -1) answers with what falls or rises.",
        'convolve --signal "1,0,2,3,1,0,1" --kernel "1,0,-1"',
    ),
    Step(
        "two dimensions",
        "The same in a picture: a 3x3 kernel lies on a window of 3x3 pixels. This is the whole "
        "arithmetic of one pixel, at an edge of the lighthouse.",
        'convolve {folder}/scene.png --kernel "-1 0 1; -1 0 1; -1 0 1" --explain 416,124',
    ),
    Step(
        "a filter finds edges",
        "Do that at every pixel. Where left and right differ, the result is bright.",
        "convolve {folder}/scene.png --filter vertical_edge -o {folder}/edges.png",
    ),
    Step(
        "other numbers, another filter",
        "Nine equal numbers average instead of comparing. The kernel is all that has changed; a "
        "network learns such numbers by itself.",
        "filters blur",
    ),
    Step(
        "pooling",
        "Keep the largest value of each 4x4 pixels: a sixteenth of the numbers, and what was "
        "found stays found when the picture moves a little.",
        "pool {folder}/edges.png --size 4 -o {folder}/pooled.png",
        _shift_words,
    ),
    Step(
        "a network is a stack of these",
        "Two convolutions, each with ReLU and pooling, then two fully connected layers. The "
        "kernels are few numbers, used everywhere.",
        "summary",
    ),
    Step(
        "it reads a digit",
        "A photograph of a pen stroke becomes 28x28 pixels, and these become ten probabilities.",
        "predict {folder}/digit-7-pen.jpg",
    ),
    Step(
        "what every layer sees",
        "Edges first, then parts of strokes. Orange is more than zero, blue less, black zero.",
        "features {folder}/digit-7-pen.jpg -o {folder}/features.png",
    ),
    Step(
        "what decided",
        "Cover one region after another, and watch the confidence fall.",
        "why {folder}/digit-7-pen.jpg -o {folder}/why.png",
    ),
)
