"""Pixels whose rows are made when they are asked for: how a picture goes through a command.

The encoder asks the filter for the rows of a strip, the filter asks the decoder for those it needs,
and several threads work on a strip each: while one is filtered, earlier ones are encoded and later
ones decoded, and no picture but the decoder's own is ever whole in memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# Bytes of rows that are copied at a time where all are wanted: they stay in a cache.
_BAND = 1 << 19


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
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, make: Callable[[int, int], Array]
    ) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(dtype)
        self._make = make

    def __getitem__(self, rows: slice) -> Array:
        """Return some rows, one after another."""
        return self._make(*rows.indices(self.shape[0])[:2])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return all rows."""
        whole = np.empty(self.shape, self.dtype)
        step = max(1, _BAND * self.shape[0] // max(whole.nbytes, 1))
        for start in range(0, self.shape[0], step):
            whole[start : start + step] = self[start : start + step]
        return whole if dtype is None else whole.astype(dtype, copy=False)
