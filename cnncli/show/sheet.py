"""A large picture put together from small ones and words, row below row."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnncli.images.text import text_mask
from cnncli.show.scale import fit, rgb
from cnncli.show.text import printable

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

PAPER = 20  # a grey, so that an empty sheet is one quick fill
INK: Colour = (236, 238, 242)
FAINT: Colour = (150, 158, 170)
FRAME: Colour = (31, 111, 235)  # around what was read
WHITE: Colour = (255, 255, 255)
TILE = 256  # largest width and height of a picture on a sheet of filtered ones


@lru_cache(maxsize=512)
def words(text: str, size: int = 13, ink: Colour = INK) -> Pixels:
    """Return one line of text as a picture, not to be written to.

    Parameters
    ----------
    text
        One line.
    size
        Height of the font in pixels.
    ink
        Colour of the letters.

    Returns
    -------
    ndarray
        uint8 ``(size * 4 / 3, width, 3)``.
    """
    cover = text_mask(text, size).astype(np.uint16)[:, :, np.newaxis]
    mix = (cover * np.array(ink, np.uint16) + (255 - cover) * PAPER) // 255
    pixels = mix.astype(np.uint8)
    pixels.flags.writeable = False  # the next caller gets the same array
    return pixels


def beside(pictures: Sequence[Pixels], gap: int = 6, *, middle: bool = False) -> Pixels:
    """Return pictures in one row, on a common upper edge, or on a common middle line."""
    height = max(picture.shape[0] for picture in pictures)
    cells: list[Pixels] = []
    for picture in pictures:
        free = height - picture.shape[0]
        above = free // 2 if middle else 0
        cells += [blank(height, gap)] if cells else []
        cells.append(framed(picture, above, 0, free - above, 0))
    return np.concatenate(cells, axis=1)


def below(pictures: Sequence[Pixels], gap: int = 6) -> Pixels:
    """Return pictures in one column, on a common left edge."""
    return beside([picture.swapaxes(0, 1) for picture in pictures], gap).swapaxes(0, 1)


def grid(pictures: Sequence[Pixels], columns: int, gap: int = 6) -> Pixels:
    """Return pictures in rows of `columns`, in reading order."""
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    return below([beside(row, gap) for row in rows], gap)


def framed(picture: Pixels, top: int, right: int, bottom: int, left: int) -> Pixels:
    """Return a picture with paper around it, so many pixels on each side."""
    return np.pad(picture, ((top, bottom), (left, right), (0, 0)), constant_values=PAPER)


def outline(picture: Pixels, box: ArrayLike, thick: int, ink: Colour) -> None:
    """Draw a frame into a picture, inside the box of left, top, right and bottom."""
    height, width = picture.shape[:2]
    left, top, right, bottom = np.clip(box, 0, (width, height, width, height))
    picture[top : top + thick, left:right] = ink
    picture[bottom - thick : bottom, left:right] = ink
    picture[top:bottom, left : left + thick] = ink
    picture[top:bottom, right - thick : right] = ink


def blank(height: int, width: int) -> Pixels:
    """Return an empty picture."""
    return np.full((height, width, 3), PAPER, np.uint8)


def spread(left: Pixels, right: Pixels, width: int) -> Pixels:
    """Return two pictures at the two ends of a line of that width (wider if they need it)."""
    gap = max(12, width - left.shape[1] - right.shape[1])
    return beside([left, right], gap, middle=True)


def filter_sheet(
    pictures: Sequence[tuple[str, NDArray[np.uint8]]], columns: int = 5
) -> NDArray[np.uint8]:
    """Return pictures under their names, in rows.

    Parameters
    ----------
    pictures
        Names and pixels, uint8 ``(H, W)`` or ``(H, W, 3)``; larger ones are scaled down.
    columns
        Most pictures in a row.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)``.
    """
    tiles = [below([words(name), fit(rgb(pixels), TILE, TILE)], 2) for name, pixels in pictures]
    return framed(grid(tiles, min(columns, len(tiles)), 10), 10, 10, 10, 10)


def annotated(
    pixels: NDArray[np.uint8], text: str, boxes: Sequence[tuple[int, int, int, int]]
) -> NDArray[np.uint8]:
    """Return a copy of a picture with a line of text under it and frames in it.

    Parameters
    ----------
    pixels
        uint8 ``(H, W, 3)``.
    text
        The label.
    boxes
        Left, top, right, bottom of each frame.

    Returns
    -------
    NDArray
        uint8, as wide as the picture or the text; the picture itself is not covered.
    """
    size = int(np.clip(pixels.shape[0] / 14, 14, 64))
    picture = pixels.copy()
    thick = max(round(min(pixels.shape[:2]) / 200), 1)
    for left, top, right, bottom in boxes:
        outer = (left - thick, top - thick, right + thick, bottom + thick)
        outline(picture, outer, thick, FRAME)
    line = words(printable(text, 80), size, WHITE)
    above = (2 * size - line.shape[0]) // 2
    margins = (above, size - size // 2, 2 * size - above - line.shape[0], size // 2)
    return below([picture, framed(line, *margins)], 0)
