"""Fills a tile's buffer from an image: rows as they are, or running sums of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.ops.source import Copy, Source

Array = npt.NDArray[Any]


class Loader:
    """Loads the tiles of one machine, one after the other.

    Parameters
    ----------
    summed
        Each row of a buffer is the sum of so many rows of the image, from its own downwards: sums
        that start from those of the tile above, if that was the last one loaded.
    """

    def __init__(self, summed: int) -> None:
        self._summed = summed
        self._buffer: Array | None = None
        self._index: Array | None = None
        self._place: tuple[int, float] | None = None
        self._copies: list[Copy] | None = None
        self._above: tuple[int, Array] | None = None  # sums, and the row that comes below them

    def end(self) -> None:
        """Forget the image; how buffers are filled serves the next one, too."""
        self._above = None

    def load(self, source: Source, buffer: Array, y: int, x: int) -> None:
        """Fill a buffer from the padded image at row `y` and pixel `x`, as its type.

        How the columns outside the image are filled is found once for tiles in a column.
        """
        place = x, source.constant
        known = buffer is self._buffer and source.column_index is self._index
        if not known or place != self._place:
            outside = source._replace(constant=source.constant * self._summed)
            self._copies = outside.columns(buffer, x)
            self._buffer, self._index, self._place = buffer, source.column_index, place
        if self._summed > 1:
            self._sum_rows(source, buffer, y, x)
        else:
            source.load_rows(buffer, y, x)
        copies = self._copies
        for target, values in source.far_columns(buffer, y, x) if copies is None else copies:
            np.copyto(target, values, "unsafe")

    def _sum_rows(self, source: Source, buffer: Array, y: int, x: int) -> None:
        """Fill the columns within the image: each row is the one above, plus the difference.

        Tiles are as wide as the image, so that none comes from another column.
        """
        left, end, across = source.across(buffer, x)
        inner, k, kind = buffer[:, left:end], self._summed, buffer.dtype
        if self._above is not None and self._above[0] == y:
            first, above = 0, self._above[1]
        else:
            np.add.reduce(source.lines(y, k, across, kind), axis=0, dtype=kind, out=inner[0])
            first, above = 1, inner[0]
        count = len(inner) - first
        entering = source.lines(y + first + k - 1, count, across, kind)
        leaving = source.lines(y + first - 1, count, across, kind)
        np.subtract(entering, leaving, out=inner[first:], dtype=kind, casting="unsafe")
        for row in inner[first:]:
            np.add(above, row, row)
            above = row
        self._above = y + len(inner), above.copy()
