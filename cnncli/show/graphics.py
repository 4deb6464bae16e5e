"""Pictures in the terminal pixel by pixel, by Kitty's protocol or Sixel, through textual-image.

The package is an extra (``pip install 'cnncli[graphics]'``). Left alone it questions the
terminal when it is imported and when it draws, whoever reads the keyboard; here it talks to a
buffer, and :mod:`cnncli.show.asking` asks.
"""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnncli.images.scaling import stretch
from cnncli.show.asking import TerminalAnswer, terminal_answer
from cnncli.show.scale import rgb

_PACKAGE = "textual_image"
_GAP = 2  # columns between two pictures
_MOST_PIXELS = 1000  # a side: xterm cuts larger pictures off


def terminal_graphics(console: Console) -> TerminalAnswer | None:
    """Return what a console's terminal draws pictures with; None where half blocks must do.

    Parameters
    ----------
    console
        Of stdout; a console that writes elsewhere is no terminal.
    """
    if console.file is not sys.stdout or not console.file.isatty() or find_spec(_PACKAGE) is None:
        return None
    answer = terminal_answer()
    if answer is None or (answer.protocol == "kitty" and console.color_system != "truecolor"):
        return None  # Kitty tells a picture's number as a colour, which must arrive unrounded
    try:
        _image_class(answer)
    except ImportError:  # a version that calls them otherwise
        return None
    return answer


def _image_class(answer: TerminalAnswer) -> Any:
    """Return the class of textual-image that speaks a terminal's protocol."""
    with _talking_to_a_buffer(answer.cell):
        from textual_image.renderable import SixelImage, TGPImage
    return TGPImage if answer.protocol == "kitty" else SixelImage


def draw_pixels(
    console: Console,
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
    rows: int,
    answer: TerminalAnswer,
) -> None:
    """Draw pictures side by side, each under its title, in the terminal's own pixels.

    Parameters
    ----------
    console
        Where to draw.
    pictures
        Titles and pixels, uint8 ``(H, W)`` or ``(H, W, 3)``.
    rows
        Most rows of characters.
    answer
        What the terminal draws with.
    """
    room = max(1, (console.width - _GAP * (len(pictures) - 1)) // len(pictures))
    cell, image = answer.cell, _image_class(answer)
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    if any(title for title, _ in pictures):
        grid.add_row(*(Text(title[:room], "dim") for title, _ in pictures))
    grid.add_row(*(_image(image, rgb(p), room, rows, cell) for _, p in pictures))
    with _talking_to_a_buffer(cell) as told, console.capture() as drawn:
        console.print(grid)
    # What was told beside the console is the pixels that the drawn text then refers to.
    console.file.write(told.getvalue() + drawn.get())
    console.file.flush()


def _image(
    image: Any, pixels: NDArray[np.uint8], columns: int, rows: int, cell: tuple[int, int]
) -> Any:
    """Return a picture that fills whole characters, its aspect kept to half of one."""
    height, width = pixels.shape[:2]
    box = (min(columns * cell[0], _MOST_PIXELS), min(rows * cell[1], _MOST_PIXELS))
    scale = min(box[0] / width, box[1] / height)
    cells = [
        max(1, min(round(size * scale / unit), most // unit))
        for size, unit, most in zip((width, height), cell, box, strict=True)
    ]
    fitted = stretch(pixels, cells[0] * cell[0], cells[1] * cell[1])
    header = f"P6 {fitted.shape[1]} {fitted.shape[0]} 255\n".encode()
    return image(io.BytesIO(header + fitted.tobytes()), width=cells[0], height=cells[1])


@contextmanager
def _talking_to_a_buffer(cell: tuple[int, int]) -> Iterator[io.StringIO]:
    """Give textual-image a stream that is no terminal, and the size of a character to go by."""
    told = io.StringIO()
    size = {"TEXTUAL_CELL_WIDTH": str(cell[0]), "TEXTUAL_CELL_HEIGHT": str(cell[1])}
    stream, before = sys.__stdout__, {name: os.environ.get(name) for name in size}
    sys.__stdout__ = told  # type: ignore[misc, assignment] # the one stream that it looks at
    os.environ.update(size)
    try:
        yield told
    finally:
        sys.__stdout__ = stream  # type: ignore[misc]
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
