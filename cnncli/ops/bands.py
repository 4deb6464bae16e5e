"""An image cut into bands: the border around each, memory for it, and threads that share them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cnncli.ops.borders import Border, border_index, output_size, pads

Array = npt.NDArray[Any]
Item = TypeVar("Item")

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
        """Lend memory that waits, or new one, and let it wait again afterwards."""
        try:
            scratch = cls._idle.pop()
        except IndexError:
            scratch = cls()
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


@dataclass(frozen=True, eq=False)
class Layout:
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
        padded = whole[: band.rows + down, : (band.columns + across) * c]
        self._fill(image.reshape(*self.size, c), band, padded.reshape(len(padded), -1, c))
        return whole

    def _fill(self, image: Array, band: Band, pixels: Array) -> None:
        count, x, left = len(pixels), band.x, self.before[1]
        width, start = pixels.shape[1], band.y - self.before[0]
        rows, columns = self.rows[band.y : band.y + count], self.columns[x : x + width]
        first = min(max(left - x, 0), width)
        last = max(min(left - x + image.shape[1], width), first)
        inside = slice(start, start + count) if 0 <= start <= len(image) - count else None
        if first < last:
            across = slice(first + x - left, last + x - left)
            np.copyto(pixels[:, first:last], image[inside or rows, across], "unsafe")
        for a, b in ((0, first), (last, width)):
            if a < b:
                seen = image[inside or rows[:, np.newaxis], columns[a:b]]
                np.copyto(pixels[:, a:b], seen, "unsafe")
        if self.border.mode == "constant":
            value = self.border.value
            outside = in_type(value if pixels.dtype.kind == "f" else int(value), pixels.dtype)
            pixels[:, columns < 0] = outside
            pixels[rows < 0] = outside


def in_type(number: float, dtype: np.dtype[Any]) -> Any:
    """Return a number in a type; whole numbers wrap as sums do."""
    if dtype.kind == "f":
        return dtype.type(number)
    return np.array(number, np.int64).astype(dtype)[()]


@contextmanager
def shared(
    work: Callable[[Iterable[Item]], None], items: Sequence[Item], threads: int
) -> Iterator[Iterable[Item]]:
    """Share items between this thread and `threads` - 1 more that call `work` on them.

    Plain threads: importing :mod:`concurrent.futures` takes longer than starting them. The first
    error of any thread stops the others and is raised here. Infinities in float images are
    legitimate: NumPy, whose error state belongs to a thread, does not warn of them.

    Yields
    ------
    Iterable
        The items that are still left, for this thread.
    """
    left, errors = iter(items), list[BaseException]()
    quiet = {"over": "ignore", "invalid": "ignore", "under": "ignore"}

    def run() -> None:
        try:
            with np.errstate(**quiet):  # type: ignore[arg-type]
                work(left)
        except BaseException as error:
            errors.append(error)
            deque(left, maxlen=0)  # nothing is left for the others

    others = [threading.Thread(target=run) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    try:
        with np.errstate(**quiet):  # type: ignore[arg-type]
            yield left
    finally:
        deque(left, maxlen=0)
        for thread in others:
            thread.join()
    if errors:
        raise errors[0]
