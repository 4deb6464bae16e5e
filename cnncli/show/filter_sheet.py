"""Many filtered pictures on one labelled sheet."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.show.scale import fit, rgb
from cnncli.show.sheet import below, framed, grid, words

TILE = 256  # largest width and height of one picture on the sheet


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
    tiles = [below([words(name), _tile(pixels)], 2) for name, pixels in pictures]
    return framed(grid(tiles, min(columns, len(tiles)), 10), 10, 10, 10, 10)


def _tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return fit(rgb(pixels), TILE, TILE)
