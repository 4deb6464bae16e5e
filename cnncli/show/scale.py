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
    from cnncli.images.scaling import stretch  # tables of filters need no Pillow

    return stretch(pixels, max(1, round(columns * scale)), max(1, round(rows * scale)))
