"""Connected objects in a mask, found in runs of pixels and with no loop over them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
    shape
        Height and width of the mask.
    runs
        ``(r, 2)``: where each run of pixels in a row begins, and the place after its last one, both
        counted through all rows.
    numbers
        ``(r,)``: the object of each run.
    boxes
        ``(n, 4)``: top, left, bottom and right of each object, ends not included.
    areas
        ``(n,)``: pixels of each object.
    edges
        ``(n,)``: pixels of the picture's edge that it covers.
    outlines
        ``(n,)``: length of its outline in pixels. Steps in rows and columns are as long as the
        outline itself where it is upright or level, and 4/pi times as long on the average of all
        directions.
    """

    shape: tuple[int, int]
    runs: Ints
    numbers: Ints
    boxes: Ints
    areas: Ints
    edges: Ints
    outlines: NDArray[np.float64]

    @property
    def longest(self) -> Ints:
        """The longer side of each object's box, ``(n,)``."""
        return np.asarray((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1), np.intp)

    def mask(self, chosen: Mask) -> Mask:
        """Return the pixels of the objects for which `chosen` (n,) is true."""
        starts, ends = self.runs[chosen[self.numbers]].T
        steps = np.zeros(self.shape[0] * self.shape[1] + 1, np.int8)
        steps[starts] = 1
        steps[ends] -= 1  # a run may begin where the row above ends
        return np.cumsum(steps[:-1], dtype=np.int8).view(bool).reshape(self.shape)

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sum of `values` (H, W) over each object, ``(n,)``."""
        flat = np.append(values.ravel(), np.zeros(1, values.dtype))  # the last run may end there
        of_runs = np.add.reduceat(flat, self.runs.ravel(), dtype=np.float64)[::2]
        return np.asarray(np.bincount(self.numbers, of_runs, len(self.areas)), np.float64)


def label_components(masks: Mask, *, apart: bool = True) -> list[Objects]:
    """Find the 8-connected objects of masks, in all of them at once.

    Each row is cut into runs; runs of neighbouring rows that touch are joined by repeatedly
    hooking the larger root to the smaller one and shortening all paths.

    Parameters
    ----------
    masks
        ``(N, H, W)``.
    apart
        Otherwise all of a mask is one object.

    Examples
    --------
    >>> (found,) = label_components(np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], bool))
    >>> found.areas.tolist()
    [3]
    """
    count, height, width = masks.shape
    padded = np.zeros((count, height + 1, width + 1), bool)
    padded[:, :-1, :-1] = masks
    flips = np.flatnonzero(np.diff(padded.ravel(), prepend=False))
    starts, ends = flips[::2], flips[1::2]
    above, below = _touching(starts, ends, width + 1)
    rows, left = np.divmod(starts, width + 1)
    of_mask, rows = np.divmod(rows, height + 1)
    numbers = np.cumsum(np.diff(of_mask, prepend=-1) > 0) - 1
    if apart:
        numbers = _join(len(starts), above, below)
    n = int(numbers.max(initial=-1)) + 1
    lengths = ends - starts
    right = left + lengths
    boxes = np.empty((n, 4), np.intp)
    boxes[:, :2] = np.iinfo(np.intp).max
    boxes[:, 2:] = 0
    np.minimum.at(boxes[:, 0], numbers, rows)
    np.minimum.at(boxes[:, 1], numbers, left)
    np.maximum.at(boxes[:, 2], numbers, rows + 1)
    np.maximum.at(boxes[:, 3], numbers, right)
    sides = np.minimum((left == 0) + (right == width).astype(np.intp), lengths)
    edges = np.where((rows == 0) | (rows == height - 1), lengths, sides)
    # A run has two ends, and each of its pixels a side above and below; where runs meet it has not.
    common = np.minimum(right[above], right[below]) - np.maximum(left[above], left[below])
    steps = np.bincount(numbers, 2.0 + 2 * lengths, n)
    steps -= np.bincount(numbers[above], 2 * np.maximum(common, 0), n)
    areas, edges = (np.bincount(numbers, of, n).astype(np.intp) for of in (lengths, edges))
    measures: list[NDArray[Any]] = [boxes, areas, edges, steps * (np.pi / 4)]
    runs = np.stack([left, right], axis=1) + (rows * width)[:, np.newaxis]
    # Runs and objects of a mask follow those of the one before.
    ends_of = np.searchsorted(of_mask, np.arange(count + 1))
    spans = zip(pairwise(ends_of), pairwise(np.append(numbers, n)[ends_of]), strict=True)
    return [
        Objects((height, width), runs[a:b], numbers[a:b] - c, *(each[c:d] for each in measures))
        for (a, b), (c, d) in spans
    ]


def _touching(starts: Ints, ends: Ints, stride: int) -> tuple[Ints, Ints]:
    """Return pairs of runs that touch, also by a corner, one a row below the other."""
    first = np.searchsorted(ends, starts + stride, side="left")
    last = np.searchsorted(starts, ends + stride, side="right")
    counts = last - first
    above = np.repeat(np.arange(len(starts)), counts)
    offset = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offset


def _join(count: int, one: Ints, other: Ints) -> Ints:
    """Return the number of each run's object."""
    root = np.arange(count)
    while ((a := root[one]) != (b := root[other])).any():
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != (shorter := root[root])).any():
            root = shorter
    first = root == np.arange(count)
    return np.asarray((np.cumsum(first) - 1)[root], np.intp)
