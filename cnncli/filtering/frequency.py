"""What a kernel does to waves: its gain from plain areas to the finest stripes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import rounded
from cnncli.ops import Kernel

# Lengths of a wave in pixels; infinite is a plain area, 2 the finest stripes that pixels can show.
WAVES = (np.inf, 32.0, 16.0, 8.0, 4.0, 2.0)
DIRECTIONS = ("across", "down", "diagonal")


def gain(weights: NDArray[Any], scale: float, u: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    """Return how much larger or smaller waves come out: ``|sum(k exp(-2 pi i (u x + v y)))| / s``.

    Parameters
    ----------
    weights
        ``(kh, kw)``.
    scale
        Divisor of the response.
    u, v
        Frequencies across and down in waves per pixel, 0 to 1/2; any shape.

    Returns
    -------
    ndarray
        Gains, of the frequencies' shape.

    Examples
    --------
    >>> gain(np.array([[1, 1]]), 2, np.array([0.0, 0.5]), np.zeros(2)).round(6).tolist()
    [1.0, 0.0]
    """
    total = np.zeros(np.broadcast(u, v).shape, np.complex128)
    for (y, x), weight in np.ndenumerate(weights):
        if weight:
            total += weight * np.exp(-2j * np.pi * (u * x + v * y))
    return np.abs(total) / abs(scale)


def gain_table(weights: NDArray[Any], scale: float) -> dict[str, list[float]]:
    """Return the gains for :data:`WAVES` that run across, down and along the diagonal."""
    frequency = 1 / np.array(WAVES)
    none = np.zeros_like(frequency)
    pairs: Sequence[tuple[Any, Any]] = ((frequency, none), (none, frequency), (frequency,) * 2)
    return {
        name: gain(weights, scale, u, v).round(4).tolist()
        for name, (u, v) in zip(DIRECTIONS, pairs, strict=True)
    }


def gain_picture(kernel: Kernel, size: int = 65) -> NDArray[np.uint8]:
    """Return the gains as a grey picture: plain areas in the middle, finest stripes at the rim.

    Parameters
    ----------
    kernel
        With its scale; of several, the root of the sum of squares is shown.
    size
        Odd number of rows and columns.
    """
    axis = np.linspace(-0.5, 0.5, size)
    squares = [np.square(gain(k.weights, k.scale, axis, axis[:, np.newaxis])) for k in kernel.parts]
    gains = np.sqrt(np.sum(squares, axis=0))
    return rounded(gains * (255 / (gains.max() or 1)))
