"""An image cut into bands: the border around each, and memory for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.borders import Border, border_index, output_size, pads

Array = npt.NDArray[Any]

ALIGNED = 16  # samples of a band's rows come in so many: they start on whole cache lines
_KEPT = 32 << 20  # bytes of scratch memory that wait for the next image


class Scratch:
    """Memory for one thread's intermediate results: fresh pages would cost more than the sums."""

    _idle: ClassVar[list["Scratch"]] = []

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self._used = 0

    @classmethod
    @contextmanager
    def lent(cls) -> Iterator["Scratch"]:
        """Lend memory that waits, or new one, and let it wait again afterwards.

        Infinities in float images are legitimate: NumPy does not warn of them meanwhile.
        """
        try:
            scratch = cls._idle.pop()
        except IndexError:
            scratch = cls()
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            yield scratch
        scratch.reset()
        cls._idle.append(scratch)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Return an array of arbitrary contents that starts on a cache line."""
        kind = np.dtype(dtype)
        size = (shape if isinstance(shape, int) else prod(shape)) * kind.itemsize
        start, self._used = self._used, self._used + -(-size // 64) * 64
        if self._used > self._block.size:
            return np.empty(shape, kind)
        return np.ndarray(shape, kind, self._block, start)

    def reset(self) -> None:
        """Take all arrays back; next time there is room for as many in one block."""
        if self._block.size < self._used <= _KEPT:
            whole = np.empty(self._used + 64, np.uint8)
            self._block = whole[-whole.ctypes.data % 64 :][: self._used]
        self._used = 0


class Band(NamedTuple):
    """A part of the output at stride 1.

    Parameters
    ----------
    y, x
        First row and column.
    rows, columns
        How many are wanted.
    tall, wide
        How many are computed: more where the algorithm has a fixed grid.
    """

    y: int
    x: int
    rows: int
    columns: int
    tall: int
    wide: int

    def view(self, values: Array, line: int, channels: int) -> Array:
        """Return the wanted ones of flat values in rows of `line` samples: a view."""
        step, shape = values.itemsize, (self.rows, self.columns, channels)
        strides = line * step, channels * step, step
        return np.ndarray(shape, values.dtype, values, strides=strides)


class Layout(NamedTuple):
    """How bands lie in an image of some shape, and how much comes out.

    Parameters
    ----------
    size
        Rows and columns of the image.
    channels
        Samples of a pixel; they stay interleaved.
    before
        Pixels that the border adds above and to the left.
    rows, columns
        For each row and column of the padded image the one that stands there, -1 for the constant.
    border, stride, dilation
        How windows lie.
    halo
        Rows and columns that a band needs beyond its own.
    full
        Rows and columns that come out at stride 1.
    shape
        The output's shape.
    """

    size: tuple[int, int]
    channels: int
    before: tuple[int, int]
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    border: Border
    stride: tuple[int, int]
    dilation: tuple[int, int]
    halo: tuple[int, int]
    full: tuple[int, int]
    shape: tuple[int, ...]

    @classmethod
    @lru_cache(maxsize=64)  # images of one shape share it: a small one is filtered in less time
    def of(
        cls,
        shape: tuple[int, ...],
        kernel: tuple[int, int],
        border: Border,
        stride: tuple[int, int],
        dilation: tuple[int, int],
    ) -> "Layout":
        """Return the layout for an image and a kernel of these shapes.

        Raises
        ------
        ShapeError
            If no window fits; it shows the formula.
        """
        (height, width), (kh, kw), (dy, dx) = shape[:2], kernel, dilation
        (top, bottom), (left, right) = pads(kh, dy, border), pads(kw, dx, border)
        rows = border_index(height, top, bottom, border.mode)
        columns = border_index(width, left, right, border.mode)
        tall = output_size(height, kh, stride[0], dy, top + bottom, "height")
        wide = output_size(width, kw, stride[1], dx, left + right, "width")
        halo, lie = (dy * (kh - 1), dx * (kw - 1)), (border, stride, dilation)
        full, channels = (len(rows) - halo[0], len(columns) - halo[1]), (*shape[2:], 1)[0]
        size, result = (height, width), (tall, wide, *shape[2:])
        return cls(size, channels, (top, left), rows, columns, *lie, halo, full, result)

    def part(self, start: int, stop: int) -> tuple["Layout", int, int]:
        """Return the layout of some rows of the output, and the rows of the image that they need.

        They are the first one and the one behind the last: an image of these rows gives the part.
        """
        y, end = start * self.stride[0], (stop - 1) * self.stride[0] + 1
        rows = self.rows[y : end + self.halo[0]]
        there = rows[rows >= 0]
        first, last = (int(there.min()), int(there.max()) + 1) if there.size else (0, 1)
        rows = np.where(rows < 0, -1, rows - first)
        size, before = (last - first, self.size[1]), (self.before[0] + first - y, self.before[1])
        full, shape = (end - y, self.full[1]), (stop - start, *self.shape[1:])
        part = self._replace(size=size, before=before, rows=rows, full=full, shape=shape)
        return part, first, last

    @property
    def steps(self) -> tuple[int, int]:
        """Rows and samples between taps."""
        return self.dilation[0], self.dilation[1] * self.channels

    def cut(self, samples: int, threads: int, fixed: tuple[int, int] | None) -> list[Band]:
        """Cut the output into bands of about so many samples, or of a fixed size.

        They are full rows, unless few of them would fit, and start at whole strides.
        """
        (rows, columns), (down, across), c = self.full, self.halo, self.channels
        if threads > 1:
            samples = min(samples, max(16384, rows * columns * c // (2 * threads)))
        tall, wide = max(1, samples // ((columns + across) * c)), columns
        if fixed is not None:
            tall, wide = fixed
        elif tall >= min(rows, 2 * down + 2):
            tall = -(-rows // -(-rows // tall))  # about equal ones: no short one is left at the end
        else:
            tall = min(rows, 4 * down + 4)
            wide = min(columns, max(samples // ((tall + down) * c) - across, 64, 2 * across))
        tall = tall if tall >= rows else -(-tall // self.stride[0]) * self.stride[0]
        wide = wide if wide >= columns else -(-wide // self.stride[1]) * self.stride[1]
        bands = []
        for y in range(0, rows, tall):
            for x in range(0, columns, wide):
                size = min(tall, rows - y), min(wide, columns - x)
                bands.append(Band(y, x, *size, *((tall, wide) if fixed else size)))
        return bands

    def pad(self, image: Array, band: Band, dtype: np.dtype[Any], scratch: Scratch) -> Array:
        """Return what lies around a band of an image, ``(rows + halo, samples + halo)``.

        Values are converted to the type, integers modulo 2**bits, as the sums are. A band on a
        fixed grid has zeros where it reaches beyond the image.
        """
        (down, across), c = self.halo, self.channels
        line = -(-(band.wide + across) * c // ALIGNED) * ALIGNED
        whole = scratch.empty((band.tall + down, line), dtype)
        if (band.tall, band.wide) != (band.rows, band.columns):
            whole.fill(0)
        whole[:, (band.wide + across) * c :] = 0
        pixels = whole[: band.rows + down, : (band.columns + across) * c]
        pixels = pixels.reshape(len(pixels), -1, c)
        image = image.reshape(*self.size, c)
        count, width = pixels.shape[:2]
        x, left, start = band.x, self.before[1], band.y - self.before[0]
        rows, columns = self.rows[band.y : band.y + count], self.columns[x : x + width]
        first = min(max(left - x, 0), width)
        last = max(min(left - x + image.shape[1], width), first)
        inside = slice(start, start + count) if 0 <= start <= len(image) - count else None
        if first < last:
            there = slice(first + x - left, last + x - left)
            np.copyto(pixels[:, first:last], image[inside or rows, there], "unsafe")
        for a, b in ((0, first), (last, width)):
            if a < b:
                seen = image[inside or rows[:, np.newaxis], columns[a:b]]
                np.copyto(pixels[:, a:b], seen, "unsafe")
        if self.border.mode == "constant":
            value = self.border.value
            outside = in_type(value if dtype.kind == "f" else int(value), dtype)
            pixels[:, columns < 0] = outside
            pixels[rows < 0] = outside
        return whole


def in_type(number: float, dtype: np.dtype[Any]) -> Any:
    """Return a number in a type; whole numbers wrap as sums do."""
    if dtype.kind == "f":
        return dtype.type(number)
    return np.array(number, np.int64).astype(dtype)[()]
