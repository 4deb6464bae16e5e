"""Pixels made smaller or larger for a screen or a sheet."""

import numpy as np
from numpy.typing import NDArray


def rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pixels ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` as the last."""
    planes = pixels.reshape(*pixels.shape[:2], -1)
    return planes if planes.shape[2] == 3 else np.repeat(planes, 3, axis=2)


def fit(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scale pixels into a box: means of areas down, whole copies up, aspect kept.

    Parameters
    ----------
    pixels
        ``(H, W, 3)``.
    width, height
        The box; the result touches it on at least one side when scaled down.

    Returns
    -------
    ndarray
        uint8 ``(h, w, 3)``, ``h <= height`` and ``w <= width``.

    >>> fit(np.zeros((28, 28, 3), np.uint8), 60, 80).shape
    (56, 56, 3)
    >>> fit(np.zeros((300, 400, 3), np.uint8), 60, 80).shape
    (45, 60, 3)
    """
    rows, columns = pixels.shape[:2]
    scale = min(width / columns, height / rows)
    if scale >= 1:
        return pixels.repeat(int(scale), axis=0).repeat(int(scale), axis=1)
    return stretch(pixels, max(1, round(columns * scale)), max(1, round(rows * scale)))


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
    from PIL import Image  # tables of filters need none

    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))
