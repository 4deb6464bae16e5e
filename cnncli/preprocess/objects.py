"""Connected objects in a mask, found in runs of pixels and with no loop over them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Objects:
    """The connected objects of a mask, numbered from 0 by their first pixel.

    Parameters
    ----------
    labels
        ``(H, W)``: number of the object at each pixel, -1 where there is none.
    boxes
        ``(n, 4)``: top, left, bottom and right of each object, ends not included.
    areas
        ``(n,)``: pixels of each object.
    """

    labels: Ints
    boxes: Ints
    areas: Ints

    def mask(self, chosen: Mask) -> Mask:
        """Return the pixels of the objects for which `chosen` (n,) is true."""
        return np.append(chosen, False)[self.labels]

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the sum of `values` (H, W) over each object, ``(n,)``."""
        flat = self.labels.ravel() + 1
        return np.asarray(np.bincount(flat, values.ravel(), len(self.areas) + 1)[1:], np.float64)

    def outlines(self) -> NDArray[np.float64]:
        """Return the length of each object's outline in pixels, ``(n,)``.

        Steps in rows and columns are as long as the outline itself where it is upright or level,
        and 4/pi times as long on the average of all directions.
        """
        padded = np.pad(self.labels, 1, constant_values=-1)
        count = len(self.areas) + 1
        steps = np.zeros(count)
        for axis in (0, 1):
            here, there = (
                (padded[1:], padded[:-1]) if axis == 0 else (padded[:, 1:], padded[:, :-1])
            )
            changed = here != there
            for side in (here, there):
                steps += np.bincount(side[changed] + 1, minlength=count)
        return steps[1:] * (np.pi / 4)

    def edges(self) -> Ints:
        """Return how many pixels of the picture's edge each object covers, ``(n,)``."""
        border = [self.labels[0], self.labels[-1], self.labels[1:-1, 0], self.labels[1:-1, -1]]
        return np.bincount(np.concatenate(border) + 1, minlength=len(self.areas) + 1)[1:]


def label_components(mask: Mask) -> Objects:
    """Label the 8-connected objects of a mask.

    Each row is cut into runs; runs of neighbouring rows that touch are joined by repeatedly
    hooking the larger root to the smaller one and shortening all paths.

    Parameters
    ----------
    mask
        ``(H, W)``.

    Examples
    --------
    >>> label_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], bool)).areas.tolist()
    [3]
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 1), bool)
    padded[:, :-1] = mask
    flips = np.flatnonzero(np.diff(padded.ravel(), prepend=False))
    starts, ends = flips[::2], flips[1::2]
    if starts.size == 0:
        empty = np.empty(0, np.intp)
        return Objects(np.full(mask.shape, -1), np.empty((0, 4), np.intp), empty)
    numbers, count = _join(len(starts), *_touching(starts, ends, width + 1))
    labels = np.full(padded.size, -1)
    lengths = ends - starts
    labels[np.flatnonzero(padded)] = np.repeat(numbers, lengths)
    boxes = _boxes(numbers, count, starts // (width + 1), starts % (width + 1), lengths)
    areas = np.bincount(numbers, lengths, count).astype(np.intp)
    return Objects(labels.reshape(padded.shape)[:, :-1], boxes, areas)


def _touching(starts: Ints, ends: Ints, stride: int) -> tuple[Ints, Ints]:
    """Return pairs of runs that touch, also by a corner, one a row below the other."""
    first = np.searchsorted(ends, starts + stride, side="left")
    last = np.searchsorted(starts, ends + stride, side="right")
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(starts)), counts)
    offset = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offset


def _join(count: int, one: Ints, other: Ints) -> tuple[Ints, int]:
    """Return the number of each run's object, and how many objects there are."""
    root = np.arange(count)
    while True:
        a, b = root[one], root[other]
        if np.array_equal(a, b):
            break
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(root, root[root]):
            root = root[root]
    roots, numbers = np.unique(root, return_inverse=True)
    return numbers, len(roots)


def _boxes(numbers: Ints, count: int, rows: Ints, columns: Ints, lengths: Ints) -> Ints:
    boxes = np.empty((count, 4), np.intp)
    boxes[:, :2] = np.iinfo(np.intp).max
    boxes[:, 2:] = 0
    np.minimum.at(boxes[:, 0], numbers, rows)
    np.minimum.at(boxes[:, 1], numbers, columns)
    np.maximum.at(boxes[:, 2], numbers, rows + 1)
    np.maximum.at(boxes[:, 3], numbers, columns + lengths)
    return boxes
