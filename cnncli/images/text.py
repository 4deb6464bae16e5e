"""Words as pixels, for labels in pictures."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def text_mask(text: str, size: int) -> NDArray[np.uint8]:
    """Return how much of each pixel the letters of one line cover.

    Parameters
    ----------
    text
        One line.
    size
        Height of the font in pixels.

    Returns
    -------
    ndarray
        uint8 ``(size * 4 / 3, width of the text)``: 255 inside a letter, 0 outside; the baseline
        is at the same row for every text of a size.
    """
    from PIL import Image, ImageDraw

    font = _font(size)
    width = max(1, int(font.getlength(text) + 0.999))
    canvas = Image.new("L", (width, size + size // 3))
    ImageDraw.Draw(canvas).text((0, 0), text, fill=255, font=font)
    return np.asarray(canvas)


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)  # the font that comes with Pillow: the same everywhere
