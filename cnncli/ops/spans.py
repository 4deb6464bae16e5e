"""Pooling windows along one axis: where they start, how many pixels they have."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.errors import ShapeError
from cnncli.ops.windows import output_size


class Run(NamedTuple):
    """Windows ``first`` to ``stop - 1``, each of `length` pixels, the first one at `start`."""

    first: int
    stop: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Span:
    """The windows along one axis.

    Parameters
    ----------
    length
        Pixels of the axis.
    size, stride
        Of the windows.
    pad
        Virtual pixels before the first real one.
    count
        Number of windows.
    """

    length: int
    size: int
    stride: int
    pad: int
    count: int

    @classmethod
    def of(cls, length: int, size: int, stride: int, pad: int, edge: str, axis: str) -> "Span":
        """Return the windows for an edge rule, or raise a ShapeError."""
        if pad > size // 2:
            raise ShapeError(
                f"padding {pad} exceeds half the window of {size}; use at most {size // 2}"
            )
        if edge != "partial":
            count = output_size(length, size, stride=stride, padding=2 * pad, axis=axis)
            return cls(length, size, stride, pad, count)
        count = -(-max(length - size, 0) // stride) + 1
        if (count - 1) * stride >= length:
            count -= 1  # with steps longer than windows the last one may start beyond the edge
        return cls(length, min(size, length), stride, 0, count)

    def bounds(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return first and past-the-last real pixel of each window."""
        starts = np.arange(self.count) * self.stride - self.pad
        return np.maximum(starts, 0), np.minimum(starts + self.size, self.length)

    def counts(self) -> npt.NDArray[np.intp]:
        """Return how many real pixels each window has."""
        starts, stops = self.bounds()
        return stops - starts

    def runs(self) -> list[Run]:
        """Return the windows in runs of equal lengths, a stride apart."""
        if not self.pad and (self.count - 1) * self.stride + self.size <= self.length:
            return [Run(0, self.count, 0, self.size)]
        starts, stops = self.bounds()
        counts = stops - starts
        breaks = (np.diff(counts) != 0) | (np.diff(starts) != self.stride)
        edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), self.count]
        return [Run(a, b, int(starts[a]), int(counts[a])) for a, b in pairwise(edges)]
