"""Tiles of an image, with the border already around them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.program import scalar
from cnncli.ops.windows import Border, border_index

Array = npt.NDArray[Any]
Copy = tuple[Array, Any]  # where to, and what


class Source(NamedTuple):
    """An image as rows of samples, and what lies outside it.

    Parameters
    ----------
    rows
        ``(H, W * channels)``; interleaved channels stay as they are.
    channels
        Samples of a pixel.
    before
        Pixels that the border adds above and to the left.
    row_index, column_index
        For each row and column of the padded image the one that stands there, -1 for the constant.
    constant
        The value where an index is -1.
    """

    rows: Array
    channels: int
    before: tuple[int, int]
    row_index: npt.NDArray[np.intp]
    column_index: npt.NDArray[np.intp]
    constant: float

    @classmethod
    def of(
        cls, image: Array, border: Border, rows: tuple[int, int], columns: tuple[int, int]
    ) -> "Source":
        """Return the source of an image ``(H, W[, C])`` padded by `rows` and `columns`."""
        height, width = image.shape[:2]
        channels = image.shape[2] if image.ndim == 3 else 1
        return cls(
            np.ascontiguousarray(image).reshape(height, width * channels),
            channels,
            (rows[0], columns[0]),
            border_index(height, *rows, border.mode),
            border_index(width, *columns, border.mode),
            border.value,
        )

    def planes(self) -> "list[Source]":
        """Return one source for each channel."""
        if self.channels == 1:
            return [self]
        return [
            self._replace(rows=self.rows[:, c :: self.channels], channels=1)
            for c in range(self.channels)
        ]

    def load_rows(self, buffer: Array, y: int, x: int) -> None:
        """Fill those columns of a buffer that lie within the image, from row `y` and pixel `x`.

        The padded image is converted to the buffer's type, integers modulo 2**bits, as the sums
        that follow are.
        """
        left, end, across = self.across(buffer, x)
        height, inner = len(self.rows), buffer[:, left:end]
        first, count = y - self.before[0], len(buffer)
        if first >= 0 and first + count <= height:
            np.copyto(inner, self.rows[first : first + count, across], "unsafe")
            return
        top, bottom = _inside(-first, height, count)
        np.copyto(inner[top:bottom], self.rows[first + top : first + bottom, across], "unsafe")
        for start, stop in ((0, top), (bottom, count)):
            if start < stop:
                index = self.row_index[y + start : y + stop].tolist()
                for target, values in self._spread(inner[start:stop], self.rows[:, across], index):
                    np.copyto(target, values, "unsafe")

    def lines(self, y: int, count: int, across: slice, dtype: np.dtype[Any]) -> Array:
        """Return rows of the padded image, a view where it has no other: samples `across`.

        Rows of the border have the type `dtype`.
        """
        first = y - self.before[0]
        if first >= 0 and first + count <= len(self.rows):
            return self.rows[first : first + count, across]
        index = self.row_index[y : y + count]
        found = self.rows[:, across][index].astype(dtype)
        found[index < 0] = scalar(int(self.constant), dtype)
        return found

    def columns(self, buffer: Array, x: int) -> list[Copy] | None:
        """Return the copies within a buffer that fill its columns outside the image.

        They are the same for all images of this width and border. None where other columns of the
        image have to come in: the far side of a picture in parts, or one narrower than its border.
        """
        return self._outside(buffer, x, None)

    def far_columns(self, buffer: Array, y: int, x: int) -> list[Copy]:
        """Return the copies that fill the columns outside the image, some of them from it."""
        rows = self.row_index[y : y + len(buffer)]
        return self._outside(buffer, x, rows) or []

    def _outside(
        self, buffer: Array, x: int, rows: npt.NDArray[np.intp] | None
    ) -> list[Copy] | None:
        """Return the copies from the buffer itself, or from `rows` of the image where need be."""
        c = self.channels
        left, end, _ = self.across(buffer, x)
        shift, pixels = self.before[1] - x, _columns(buffer, c)
        left, end = left // c, end // c
        copies: list[Copy] = []
        for start, stop in ((0, left), (end, len(pixels))):
            if start == stop:
                continue
            index = self.column_index[x + start : x + stop].tolist()
            low, high = min(index), max(index)
            source, first = pixels, -shift
            if low >= 0 and not left <= low + shift <= high + shift < end:
                if rows is None:
                    return None
                source, first = _columns(self.rows[:, low * c : high * c + c][rows], c), low
            here = [i if i < 0 else i - first for i in index]
            copies += self._spread(pixels[start:stop], source, here)
        return copies

    def across(self, buffer: Array, x: int) -> tuple[int, int, slice]:
        """Return the samples of a buffer at pixel `x` that lie within the image, and which."""
        right, width = (self.before[1] - x) * self.channels, self.rows.shape[1]
        left, end = _inside(right, width, buffer.shape[1])
        return left, end, slice(left - right, end - right)

    def _spread(self, target: Array, source: Array, index: list[int]) -> list[Copy]:
        """Return copies ``source[index[i]]`` to ``target[i]``, as few as can be."""
        first, last = index[0], index[-1]
        step = 1 if first <= last else -1
        if index.count(first) == len(index):
            return [(target, self._values(target, source, first))]
        if first >= 0 and index == list(range(first, last + step, step)):
            block = source[first : last + 1] if step > 0 else source[last : first + 1][::-1]
            return [(target, block)]
        parts = zip(target, index, strict=True)
        return [(part, self._values(part, source, i)) for part, i in parts]

    def _values(self, target: Array, source: Array, index: int) -> Any:
        if index >= 0:
            return source[index]
        if target.dtype.kind == "f":
            return self.constant
        return scalar(int(self.constant), target.dtype)


def _columns(rows: Array, channels: int) -> Array:
    """Return rows of samples as columns of pixels ``(columns, rows, channels)``: a view."""
    return rows.reshape(len(rows), -1, channels).swapaxes(0, 1)


def _inside(offset: int, length: int, room: int) -> tuple[int, int]:
    """Return which part of [0, room) the span [offset, offset + length) covers."""
    start = min(max(offset, 0), room)
    return start, max(min(offset + length, room), start)
