"""What is paper and what is ink: the background estimated, flattened, and ink found in colour.

Light multiplies: a shadow scales all colours of a sheet alike. So shading is taken away in the
logarithm of the colours, and ink is the direction in which colours leave their background most.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.ranks import ranked
from cnncli.preprocess.resample import resample

Array = NDArray[np.float32]

DARKEST = np.float32(0.06)  # added before the logarithm: noise in black is not ink
GRID = 32  # the background is worked out on about this many points a side
SAMPLES = 9  # and from about this many pixels across each window


def to_log(image: Array) -> Array:
    """Return the logarithm of colours in [0, 1]; black stays finite."""
    logs: Array = np.log(image + DARKEST)
    return logs


def background(logs: Array, part: float) -> Array:
    """Estimate the background as the median colour around each pixel.

    A median follows shading and the edges of a page, and does not see strokes as long as they
    cover less than half of its window.

    Parameters
    ----------
    logs
        ``(H, W, C)`` from :func:`to_log`.
    part
        Edge length of the window as a part of the picture's shorter side.

    Returns
    -------
    Array
        ``(H, W, C)``, smooth.
    """
    height, width = logs.shape[:2]
    scale = min(GRID / max(height, width), 1)
    grid = max(round(height * scale), 1), max(round(width * scale), 1)
    small = resample(logs, grid)
    reach = max(int(part * min(grid) / 2), 1)
    padded = np.pad(small, ((reach, reach), (reach, reach), (0, 0)), "symmetric")
    edge = 2 * reach + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (edge, edge), axis=(0, 1))
    step = max(edge // SAMPLES, 1)
    chosen = windows[..., ::step, ::step]
    medians = ranked(chosen.reshape(*chosen.shape[:3], -1))
    return resample(medians, (height, width))


def border_colour(logs: Array) -> Array:
    """Return the median colour ``(C,)`` of the outermost pixels."""
    border = np.concatenate([logs[0], logs[-1], logs[:, 0], logs[:, -1]])
    return ranked(border.T)


def ink_direction(difference: Array) -> Array:
    """Return the unit vector ``(C,)`` along which colours leave the background most.

    Parameters
    ----------
    difference
        ``(..., C)``: colours minus background. Pixels count by the square of their distance, so
        that noise has no say.
    """
    flat = difference.reshape(-1, difference.shape[-1]).astype(np.float64)
    weight = (flat**2).sum(axis=1)
    if not weight.any():
        return np.full(flat.shape[1], flat.shape[1] ** -0.5, np.float32)
    moments = (flat * (weight / weight.max())[:, None]).T @ flat
    direction = np.linalg.eigh(moments)[1][:, -1]
    along = flat @ direction
    sign = np.sign((along * weight).sum()) or 1.0
    return (sign * direction).astype(np.float32)
