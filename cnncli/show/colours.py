"""From numbers to colours: black is zero, orange more than zero, blue less."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import rounded

# Positions between -1 and 1, and the colours there. Zero is black as the paper of a digit is to
# the network; blue and orange stay apart for colour-blind eyes, and light grows with size.
_POSITIONS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_COLOURS = ((158, 220, 255), (36, 122, 222), (0, 0, 0), (226, 98, 16), (255, 232, 150))
_STEPS = 1023  # odd, so that zero has a step of its own in the middle of 2 * _STEPS + 1


def largest(values: NDArray[np.floating]) -> float:
    """Return the largest absolute value, the end of a layer's shared scale; 1 where all are 0."""
    return float(np.abs(values).max(initial=0)) or 1.0


def diverging(values: NDArray[np.floating], limit: float) -> NDArray[np.uint8]:
    """Return colours of numbers between ``-limit`` and ``limit``.

    Parameters
    ----------
    values
        Any shape; what lies beyond the limit gets its colour.
    limit
        Above 0.

    Returns
    -------
    ndarray
        uint8, the same shape and three channels.

    Examples
    --------
    >>> diverging(np.array([-2.0, 0.0, 2.0]), 2.0).tolist()
    [[158, 220, 255], [0, 0, 0], [255, 232, 150]]
    """
    index = np.rint(np.clip(values / limit, -1, 1) * _STEPS).astype(np.intp) + _STEPS
    coloured: NDArray[np.uint8] = _table()[index]
    return coloured


@cache
def _table() -> NDArray[np.uint8]:
    ramp = np.linspace(-1, 1, 2 * _STEPS + 1)
    channels = [np.interp(ramp, _POSITIONS, channel) for channel in zip(*_COLOURS, strict=True)]
    return rounded(np.stack(channels, axis=-1))


def greys(values: NDArray[np.floating], limit: float) -> NDArray[np.uint8]:
    """Return :func:`diverging` for a screen without colours: zero grey, more lighter, less darker.

    Where nothing is negative, zero is black.

    Examples
    --------
    >>> greys(np.array([-2.0, 0.0, 2.0]), 2.0)[:, 0].tolist()
    [0, 128, 255]
    """
    low = -limit if values.min(initial=0) < 0 else 0.0
    grey = rounded(np.clip((values - low) / (limit - low), 0, 1) * 255)
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


def mixed(picture: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Lay a heat map over a picture: where the heat is 0 the picture stays, dimmed to grey.

    Parameters
    ----------
    picture
        uint8 ``(H, W, 3)``.
    heat
        ``(H, W)``; its largest absolute value is the end of the colours.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)``.
    """
    limit = largest(heat)
    strength = (np.abs(heat) / limit)[:, :, np.newaxis]
    grey = picture.mean(axis=2, keepdims=True) * 0.55
    colour = diverging(heat, limit).astype(np.float64)
    # Light of the colour takes the place of the picture's as the heat grows, but for a quarter:
    # the strokes stay visible below the hottest place.
    blend = grey * (1 - 0.75 * strength) + colour * (0.75 * strength)
    return rounded(blend)
