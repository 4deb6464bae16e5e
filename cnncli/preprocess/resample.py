"""Scaling with antialiasing: weights for rows, weights for columns, two matrix products."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def resample_weights(size: int, start: float, stop: float, out: int) -> Array:
    """Return the matrix ``(out, size)`` that resamples a line of pixels.

    A triangle filter as wide as an output pixel (at least one input pixel) makes the weights, so
    that shrinking averages and enlarging interpolates. Beyond the ends the last pixel repeats.

    Parameters
    ----------
    size
        Pixels in the line; pixel `i` covers ``[i, i + 1)``.
    start, stop
        The part of the line that the output covers.
    out
        Pixels in the output.

    Examples
    --------
    >>> resample_weights(4, 0, 4, 2).tolist()
    [[0.5, 0.375, 0.125, 0.0], [0.0, 0.125, 0.375, 0.5]]
    """
    step = (stop - start) / out
    support = max(step, 1.0)
    centres = start + (np.arange(out) + 0.5) * step
    reach = int(np.ceil(support)) + 1
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 1)
    weights = np.maximum(1 - abs(taps + 0.5 - centres[:, None]) / support, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((out, size))
    np.add.at(matrix, (np.arange(out)[:, None], np.clip(taps, 0, size - 1)), weights)
    return matrix.astype(np.float32)


def resample(
    image: Array, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Array:
    """Scale a picture, or a part of it, to a new size.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``.
    size
        ``(height, width)`` of the result.
    box
        ``(top, left, bottom, right)`` of the part, in pixels, fractions allowed; the whole
        picture by default.

    Returns
    -------
    Array
        ``size`` or ``size + (C,)``.
    """
    height, width = image.shape[:2]
    top, left, bottom, right = box or (0, 0, height, width)
    rows = resample_weights(height, top, bottom, size[0])
    columns = resample_weights(width, left, right, size[1])
    used = slice(*_used(rows)), slice(*_used(columns))
    part = image[used]
    rows, columns = rows[:, used[0]], columns[:, used[1]]
    if image.ndim == 2:
        return np.asarray(rows @ part @ columns.T, np.float32)
    squeezed = (rows @ part.reshape(len(part), -1)).reshape(size[0], -1, image.shape[2])
    return np.asarray(np.matmul(columns, squeezed), np.float32)


def _used(weights: Array) -> tuple[int, int]:
    used = np.flatnonzero(weights.any(axis=0))
    return int(used[0]), int(used[-1]) + 1


def shrink(image: NDArray[np.uint8], longest: int) -> Array:
    """Average blocks of pixels until the longest side is below twice `longest`.

    Parameters
    ----------
    image
        uint8 ``(H, W, C)``.
    longest
        In pixels.

    Returns
    -------
    Array
        float32 in [0, 1]; a ragged last row or column of blocks is dropped.
    """
    factor = max(max(image.shape[:2]) // longest, 1)
    factor = max(min(factor, *image.shape[:2]), 1)
    height, width = (size // factor * factor for size in image.shape[:2])
    wide = np.uint32 if factor > 16 else np.uint16
    total: NDArray[Any] = image[:height:factor, :width].astype(wide)
    for row in range(1, factor):
        total += image[row:height:factor, :width]
    across: Array = total[:, ::factor].astype(np.float32)
    for column in range(1, factor):
        across += total[:, column::factor]
    across *= np.float32(1 / (255 * factor * factor))
    return across
