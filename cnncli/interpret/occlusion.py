"""Which pixels decided: cover one region after another and see what the answer loses.

The method is occlusion sensitivity (Zeiler and Fergus, "Visualizing and Understanding
Convolutional Networks", 2014, section 4.2). It asks nothing of the network but its answers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import UsageError

Array = NDArray[np.float32]
Ask = Callable[[Array], Array]  # (N, C, H, W) to probabilities (N, K)

MOST_PLACES = 1024  # of the patch; larger pictures are walked in longer steps
_AT_ONCE = 64  # covered pictures in memory

_ROUNDING = 1e-5  # of a probability


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a network's input, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        """Return where it is: ``columns 8-14, rows 5-11``."""
        right, low = self.left + self.width - 1, self.top + self.height - 1
        return f"columns {self.left}-{right}, rows {self.top}-{low}"

    def cover(self, image: Array, fill: Array) -> Array:
        """Return a copy of ``(C, H, W)`` with the rectangle filled, one value a channel."""
        covered = image.copy()
        covered[:, *self.area()] = fill[:, np.newaxis, np.newaxis]
        return covered

    def area(self) -> tuple[slice, slice]:
        """Return its rows and columns."""
        return np.s_[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How much a class loses where a patch covers the picture.

    Parameters
    ----------
    confidence_drop
        float32 ``(H, W)``: for each pixel the mean of ``confidence - confidence when covered``
        over all patches that cover it. Negative where covering helps the class.
    strongest, opposing
        The patch that costs the class most, and the one that helps it most (or costs least).
    """

    confidence_drop: Array
    strongest: Region
    opposing: Region


def occlusion(ask: Ask, image: Array, index: int, patch: int, fill: Array) -> Sensitivity:
    """Cover a square patch of a picture, place by place, and note what one class loses.

    Parameters
    ----------
    ask
        Any network: pictures ``(N, C, H, W)`` to probabilities ``(N, K)``.
    image
        Network input ``(C, H, W)``.
    index
        The class.
    patch
        Edge of the square in pixels.
    fill
        What stands for "nothing is here": one normalised value a channel, ``(C,)``.

    Returns
    -------
    Sensitivity
        From at most 1,024 places, a grid that reaches all four edges.

    Raises
    ------
    UsageError
        If the patch is not smaller than the picture.
    """
    regions = list(patches(image.shape[1], image.shape[2], patch))
    confidence = float(ask(image[np.newaxis])[0, index])
    drops = np.concatenate(
        [confidence - ask(batch)[:, index] for batch in _covered(image, regions, fill)]
    )
    total = np.zeros(image.shape[1:], np.float64)
    count = np.zeros(image.shape[1:], np.int64)
    for region, drop in zip(regions, drops.tolist(), strict=True):
        total[region.area()] += drop
        count[region.area()] += 1
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    # Regions that hide the same differ by rounding, which threads change: the first of them.
    strongest, opposing = (
        regions[int((part > part.max() - _ROUNDING).argmax())] for part in (drops, -drops)
    )
    return Sensitivity(mean, strongest, opposing)


def patches(height: int, width: int, patch: int) -> Iterator[Region]:
    """Yield the places of a square patch, row by row.

    Raises
    ------
    UsageError
        If the patch is not smaller than the picture.

    Examples
    --------
    >>> [(r.left, r.top) for r in patches(3, 4, 2)]
    [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    """
    if not 0 < patch < min(height, width):
        raise UsageError(
            f"--patch {patch} does not fit a picture of {width}x{height}; "
            f"use 1 to {min(height, width) - 1}"
        )
    step = 1
    while len(_starts(height, patch, step)) * len(_starts(width, patch, step)) > MOST_PLACES:
        step += 1
    for top, left in product(_starts(height, patch, step), _starts(width, patch, step)):
        yield Region(left, top, patch, patch)


def _starts(size: int, patch: int, step: int) -> list[int]:
    last = size - patch
    return [*range(0, last, step), last]


def _covered(image: Array, regions: list[Region], fill: Array) -> Iterator[Array]:
    for start in range(0, len(regions), _AT_ONCE):
        yield np.stack([each.cover(image, fill) for each in regions[start : start + _AT_ONCE]])


def strongest_window(heat: Array, patch: int) -> Region:
    """Return the square of a heat map with the largest sum; the first of equals.

    Raises
    ------
    UsageError
        If the patch is not smaller than the map.
    """
    regions = patches(heat.shape[0], heat.shape[1], patch)
    return max(regions, key=lambda region: heat[region.area()].sum(dtype=np.float64))
