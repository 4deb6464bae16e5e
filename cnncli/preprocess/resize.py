"""Photographs as a network takes them: scaled with antialiasing, cropped at the centre."""

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.resample import resample, shrink


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
    # Blocks are averaged first only while at least 4 of them are left for each output pixel.
    image = shrink(colours, max(int(4 * scale * max(full_height, full_width)), 1))
    rows, columns = image.shape[:2]
    part_rows = rows * min(height / (scale * full_height), 1)
    part_columns = columns * min(width / (scale * full_width), 1)
    top, left = (rows - part_rows) / 2, (columns - part_columns) / 2
    box = top, left, top + part_rows, left + part_columns
    resized = resample(image, (height, width), box)
    pixels: NDArray[np.uint8] = np.floor(np.clip(resized, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels
