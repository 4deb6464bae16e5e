"""Photographs as a network takes them: scaled with antialiasing, cropped at the centre."""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.scaling import resize


def resize_and_crop(colours: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Scale a picture so that it just covers a size, and cut out its centre.

    Training on folders and prediction both use this function, so that a network sees the same
    pixels in both.

    Parameters
    ----------
    colours
        uint8 ``(H, W, C)``.
    height, width
        Size of the result.

    Returns
    -------
    NDArray
        uint8 ``(height, width, C)``; a picture that has this size already is returned unchanged.
    """
    if colours.shape[:2] == (height, width):
        return colours
    full_height, full_width = colours.shape[:2]
    scale = max(height / full_height, width / full_width)  # output pixels for an input pixel
    part_rows, part_columns = min(height / scale, full_height), min(width / scale, full_width)
    top, left = (full_height - part_rows) / 2, (full_width - part_columns) / 2
    # One axis after the other: which one Pillow takes first depends on its version, and an exported
    # network has to round in between as this does.
    wide = resize(colours, (full_height, width), (0, left, full_height, left + part_columns))
    return resize(wide, (height, width), (top, 0, top + part_rows, width))
