"""Scaling by Pillow: C that releases Python's lock, antialiased by a triangle filter."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnncli.images.heif import is_heif
from cnncli.images.opening import readable

Box = tuple[float, float, float, float]


def resize(pixels: NDArray[Any], size: tuple[int, int], box: Box | None = None) -> NDArray[Any]:
    """Scale an array, or a part of it.

    A triangle filter as wide as an output pixel (at least one input pixel): shrinking averages and
    enlarging interpolates.

    Parameters
    ----------
    pixels
        uint8 ``(H, W)`` or ``(H, W, 1 or 3)``, or float32 ``(H, W)``.
    size
        ``(height, width)`` of the result.
    box
        ``(top, left, bottom, right)`` of the part, in pixels, fractions allowed, inside the
        picture; all of it by default.

    Returns
    -------
    NDArray
        `size` with the channels and the type of `pixels`.

    Examples
    --------
    >>> resize(np.array([[0, 4, 8, 12]], np.uint8), (1, 2)).tolist()
    [[3, 9]]
    """
    flat = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    top, left, bottom, right = box or (0, 0, *pixels.shape[:2])
    image = Image.fromarray(flat)
    scaled = image.resize(size[::-1], Image.Resampling.BILINEAR, (left, top, right, bottom))
    return np.asarray(scaled).reshape(*size, *pixels.shape[2:])


def reduce(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average blocks of `factor` x `factor` pixels of a uint8 ``(H, W)`` or ``(H, W, C)``."""
    if factor <= 1:
        return pixels
    flat = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    reduced = np.asarray(Image.fromarray(flat).reduce(factor))
    return reduced.reshape(*reduced.shape[:2], *pixels.shape[2:])


def stretch(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scale pixels to a size exactly: means of areas down, copies up (Pillow's box filter).

    Parameters
    ----------
    pixels
        ``(H, W, 3)``.
    width, height
        Of the result.

    Returns
    -------
    ndarray
        uint8 ``(height, width, 3)``.

    >>> stretch(np.array([[[0] * 3, [9] * 3]], np.uint8), 4, 1)[0, :, 0].tolist()
    [0, 0, 9, 9]
    """
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height of a file that :func:`cnncli.images.read_picture` can read.

    Raises
    ------
    ImageReadError
        If it cannot be read any more.
    """
    with readable(str(path)), path.open("rb") as file:
        is_heif(file, str(path))
        with Image.open(file) as image:
            return image.size
