"""Tiles of an image, with the border already around them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.program import scalar
from cnncli.ops.windows import Border, border_index

Array = npt.NDArray[Any]


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

    def load(self, buffer: Array, y: int, x: int) -> None:
        """Fill a buffer from the padded image at row `y` and pixel `x`, converting to its type.

        Integers are converted modulo 2**bits, as the sums that follow are.
        """
        height, width = self.rows.shape
        down, right = self.before[0] - y, self.before[1] * self.channels - x * self.channels
        top, bottom = _inside(down, height, buffer.shape[0])
        left, end = _inside(right, width, buffer.shape[1])
        across = slice(left - right, end - right)
        np.copyto(
            buffer[top:bottom, left:end], self.rows[top - down : bottom - down, across], "unsafe"
        )
        for start, stop in ((0, top), (bottom, len(buffer))):
            if start < stop:
                index = self.row_index[y + start : y + stop].tolist()
                self._spread(buffer[start:stop, left:end], self.rows[:, across], index)
        self._load_columns(buffer, y, x, right, (left, end))

    def _load_columns(
        self, buffer: Array, y: int, x: int, right: int, inside: tuple[int, int]
    ) -> None:
        """Fill the columns outside the image, from the buffer itself where it has their pixels."""
        c = self.channels
        left, end, shift = inside[0] // c, inside[1] // c, right // c
        pixels = _columns(buffer, c)
        for start, stop in ((0, left), (end, len(pixels))):
            if start == stop:
                continue
            index = self.column_index[x + start : x + stop].tolist()
            low, high = min(index), max(index)
            source, first = pixels, -shift
            if low >= 0 and not left <= low + shift <= high + shift < end:
                rows = self.row_index[y : y + len(buffer)]
                source, first = _columns(self.rows[:, low * c : high * c + c][rows], c), low
            here = [i if i < 0 else i - first for i in index]
            self._spread(pixels[start:stop], source, here)

    def _spread(self, target: Array, source: Array, index: list[int]) -> None:
        """Copy ``source[index[i]]`` to ``target[i]``, neighbours and repetitions in one go."""
        first, last = index[0], index[-1]
        step = 1 if first <= last else -1
        if index.count(first) == len(index):
            self._fill(target, source[first], first)
        elif first >= 0 and index == list(range(first, last + step, step)):
            block = source[first : last + 1] if step > 0 else source[last : first + 1][::-1]
            np.copyto(target, block, "unsafe")
        else:
            for part, i in zip(target, index, strict=True):
                self._fill(part, source[i], i)

    def _fill(self, target: Array, values: Array, index: int) -> None:
        if index >= 0:
            np.copyto(target, values, "unsafe")
        elif target.dtype.kind == "f":
            target[...] = self.constant
        else:
            target[...] = scalar(int(self.constant), target.dtype)


def _columns(rows: Array, channels: int) -> Array:
    """Return rows of samples as columns of pixels ``(columns, rows, channels)``: a view."""
    return rows.reshape(len(rows), -1, channels).swapaxes(0, 1)


def _inside(offset: int, length: int, room: int) -> tuple[int, int]:
    """Return which part of [0, room) the span [offset, offset + length) covers."""
    start = min(max(offset, 0), room)
    return start, max(min(offset + length, room), start)
