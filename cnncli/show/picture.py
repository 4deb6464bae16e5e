"""Pictures in the terminal: two pixels a character in 24-bit colour, or plain ASCII shades.

The renderable fits the width it is given, keeps the aspect, and never imports Pillow. Where the
terminal draws pictures itself, :mod:`cnncli.show.graphics` sends it every pixel.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

from cnncli.show.scale import fit, rgb

_SHADES = " .:-=+*#%@"  # ten steps of ink, for terminals without colour: light ink on dark
_GAP = 2  # columns between two pictures
_MAX_HEIGHT = 40  # rows of characters: two pictures still fit a usual screen


@dataclass(frozen=True)
class TerminalPicture:
    """Pictures side by side, each under its title.

    Parameters
    ----------
    pictures
        Pairs of a title and pixels, uint8 ``(H, W)`` or ``(H, W, 3)``.
    max_height
        Most rows of characters to use.
    """

    pictures: Sequence[tuple[str, NDArray[np.uint8]]]
    max_height: int = _MAX_HEIGHT

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments, one line of characters after another."""
        coloured = draws_colours(console) and not options.ascii_only
        count = len(self.pictures)
        room = max(1, (options.max_width - _GAP * (count - 1)) // count)
        titles = [title[:room] for title, _ in self.pictures]
        # A character is about twice as high as wide: half blocks give square pixels; ASCII
        # shades have one value a character, so two rows of pixels are averaged.
        fitted = [fit(rgb(pixels), room, 2 * self.max_height) for _, pixels in self.pictures]
        widths = [p.shape[1] for p in fitted]
        columns = [max(w, len(title)) for w, title in zip(widths, titles, strict=True)]
        if any(titles):
            cells = [title.ljust(width) for title, width in zip(titles, columns, strict=True)]
            yield Segment((" " * _GAP).join(cells).rstrip(), Style(dim=True))
            yield Segment.line()
        blocks = [_half_blocks(p) if coloured else _shades(p) for p in fitted]
        yield from _side_by_side(blocks, widths, columns)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Ask for the whole width: a picture fits any."""
        del console
        return Measurement(len(self.pictures) * 2, options.max_width)


def draws_colours(console: Console) -> bool:
    """Tell whether a console shows colours fine enough for pictures, and no ``NO_COLOR`` is set.

    The 16 colours of the oldest terminals make any photograph grey: ASCII shades say more there.
    """
    return console.color_system in ("truecolor", "256") and not console.no_color


@lru_cache(maxsize=4096)
def _style(ink: tuple[int, int, int], paper: tuple[int, int, int] | None) -> Style:
    return Style(
        color=Color.from_rgb(*ink), bgcolor=None if paper is None else Color.from_rgb(*paper)
    )


def _half_blocks(pixels: NDArray[np.uint8]) -> list[list[Segment]]:
    """Upper half blocks: the upper pixel is the ink, the lower one the paper."""
    lines = []
    for y in range(0, len(pixels), 2):
        upper = pixels[y].tolist()
        lower = pixels[y + 1].tolist() if y + 1 < len(pixels) else [None] * len(upper)
        lines.append(
            [
                Segment("▀", _style(tuple(a), None if b is None else tuple(b)))
                for a, b in zip(upper, lower, strict=True)
            ]
        )
    return lines


def _shades(pixels: NDArray[np.uint8]) -> list[list[Segment]]:
    """One character for two pixels, the mean of the upper and the lower one."""
    grey = pixels.astype(np.uint32).sum(axis=2)
    if len(grey) % 2:
        grey = np.vstack([grey, grey[-1:]])
    levels = (grey[::2] + grey[1::2]) * len(_SHADES) // (6 * 256)
    return [[Segment("".join(_SHADES[level] for level in line))] for line in levels.tolist()]


def _side_by_side(
    blocks: Sequence[list[list[Segment]]], widths: Sequence[int], columns: Sequence[int]
) -> Iterator[Segment]:
    """Yield line after line; picture i is ``widths[i]`` wide and has ``columns[i]`` columns."""
    for y in range(max(map(len, blocks))):
        for i, block in enumerate(blocks):
            inside = y < len(block)
            yield from block[y] if inside else []
            if i + 1 < len(blocks):
                yield Segment(" " * (columns[i] - (widths[i] if inside else 0) + _GAP))
        yield Segment.line()


def show_pictures(
    console: Console, pictures: Sequence[tuple[str, NDArray[np.uint8]]], *, max_height: int = 0
) -> None:
    """Draw pictures side by side on a console; the last line on screen stays free.

    Parameters
    ----------
    console
        Where to draw.
    pictures
        Titles and pixels, see :class:`TerminalPicture`.
    max_height
        Most rows of characters; 0 fits the terminal.
    """
    rows = max_height or max(4, min(_MAX_HEIGHT, console.size.height - 3))
    if draws_colours(console) and not console.options.ascii_only:
        from cnncli.show.graphics import draw_pixels, terminal_graphics

        if answer := terminal_graphics(console):
            draw_pixels(console, pictures, rows, answer)
            return
    console.print(TerminalPicture(pictures, rows))
