"""A picture with its label written on it, and a frame around what was read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.show.sheet import below, framed, outline, words
from cnncli.show.text import printable

FRAME = (31, 111, 235)
INK = (255, 255, 255)


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
    line = words(printable(text, 80), size, INK)
    above = (2 * size - line.shape[0]) // 2
    margins = (above, size - size // 2, 2 * size - above - line.shape[0], size // 2)
    return below([picture, framed(line, *margins)], 0)
