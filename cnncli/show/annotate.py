"""A picture with its label written on it, and a frame around what was read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.images.text import text_mask
from cnncli.show.text import printable

FRAME = np.array([31, 111, 235], np.uint8)
PAPER, INK = 20, 255


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
    height, width = pixels.shape[:2]
    size = int(np.clip(height / 14, 14, 64))
    letters = text_mask(printable(text, 80), size)
    line = size * 2
    out = np.full((height + line, max(width, letters.shape[1] + size), 3), PAPER, np.uint8)
    out[:height, :width] = pixels
    thick = max(round(min(height, width) / 200), 1)
    for left, top, right, bottom in boxes:
        _frame(out[:height, :width], (left, top, right, bottom), thick)
    top, left = height + (line - letters.shape[0]) // 2, size // 2
    area = out[top : top + letters.shape[0], left : left + letters.shape[1]]
    area[...] = PAPER + letters[:, :, None].astype(np.uint16) * (INK - PAPER) // 255
    return out


def _frame(picture: NDArray[np.uint8], box: tuple[int, int, int, int], thick: int) -> None:
    height, width = picture.shape[:2]
    left, top = (max(value - thick, 0) for value in box[:2])
    right, bottom = min(box[2] + thick, width), min(box[3] + thick, height)
    picture[top : top + thick, left:right] = FRAME
    picture[bottom - thick : bottom, left:right] = FRAME
    picture[top:bottom, left : left + thick] = FRAME
    picture[top:bottom, right - thick : right] = FRAME
