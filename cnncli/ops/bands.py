"""An image cut into bands: the border around each, memory for it, and threads that share them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cnncli.ops.borders import Border, Windows, border_index, output_size, pads, parse_windows

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


class Layout(NamedTuple):
    """An image as bands read it, and how much comes out.

    Parameters
    ----------
    image
        ``(H, W * channels)``; interleaved channels stay as they are.
    channels
        Samples of a pixel.
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

    image: Array
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
    def of(cls, image: Array, kernel: tuple[int, int], windows: Windows) -> "Layout":
        """Return the layout for a kernel, or raise a ShapeError that shows the formula."""
        border, strides, dilations = parse_windows(windows)
        before, index, halo, full, kept = [], [], [], [], []
        for axis, name in enumerate(("height", "width")):
            n, k, s, d = image.shape[axis], kernel[axis], strides[axis], dilations[axis]
            margin = pads(k, d, border)
            total = sum(margin)
            kept.append(output_size(n, k, stride=s, dilation=d, padding=total, axis=name))
            before.append(margin[0])
            index.append(border_index(n, *margin, border.mode))
            halo.append(d * (k - 1))
            full.append(n + total - halo[axis])
        lines = np.ascontiguousarray(image).reshape(len(image), -1)
        channels = image.shape[2] if image.ndim == 3 else 1
        pairs: list[tuple[int, int]] = [(a, b) for a, b in (before, halo, full)]
        lie = (border, strides, dilations)
        return cls(lines, channels, pairs[0], *index, *lie, *pairs[1:], (*kept, *image.shape[2:]))  # type: ignore[call-arg, arg-type]

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

    def pad(self, band: Band, dtype: np.dtype[Any], scratch: Scratch) -> Array:
        """Return the image around a band, ``(rows + halo, samples + halo)``.

        Values are converted to the type, integers modulo 2**bits, as the sums are. A band on a
        fixed grid has zeros where it reaches beyond the image.
        """
        (down, across), c = self.halo, self.channels
        line = -(-(band.wide + across) * c // ALIGNED) * ALIGNED
        whole = scratch.empty((band.tall + down, line), dtype)
        if (band.tall, band.wide) != (band.rows, band.columns):
            whole.fill(0)
        whole[:, (band.wide + across) * c :] = 0
        self._fill(band, whole[: band.rows + down, : (band.columns + across) * c])
        return whole

    def _fill(self, band: Band, padded: Array) -> None:
        c, count, x, left = self.channels, len(padded), band.x, self.before[1]
        pixels, image = padded.reshape(count, -1, c), self.image.reshape(len(self.image), -1, c)
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
            outside = in_type(value if padded.dtype.kind == "f" else int(value), padded.dtype)
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
