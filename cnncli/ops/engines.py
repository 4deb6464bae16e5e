"""What every filter engine offers, and the one that adds shifted tiles tap by tap."""

from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cnncli.ops.caches import second_level_cache
from cnncli.ops.factors import Product, column_and_row, product
from cnncli.ops.finish import Finish, record_real
from cnncli.ops.kernels import Combine
from cnncli.ops.program import Program, one_dimension, scalar, taps

Array = npt.NDArray[Any]

FLOAT32: np.dtype[Any] = np.dtype(np.float32)

# Samples of a tile of 16 bits each, fewer of wider ones. Two or three buffers of a small tile stay
# in a second-level cache of 2 MiB. Those of a large one stay in a third-level cache, which keeps up
# with these sums where it is near. Several threads take large tiles on every machine: each call
# needs Python's lock for a moment, and waiting for it costs more than the cache saves.
SMALL_TILE, LARGE_TILE = 175_000, 700_000
ROOMY = 2 << 20  # bytes of a core's second-level cache from which small tiles are worth while
_ALONE = 15_000_000  # samples for one thread, times the calls on each
_MANY_TAPS = 400  # beyond, one by one is never cheapest, and counting them costs time itself


class Recorded(NamedTuple):
    """A tile's buffers: what to fill, and where the response appears.

    ``buffer`` is ``(rows + halo, stride)``, ``response`` is flat with rows ``stride`` apart. Each
    row of the buffer is the sum of so many rows of the image, from its own downwards.
    """

    buffer: Array
    response: Array
    stride: int
    summed: int = 1


class Engine(Protocol):
    """An algorithm for correlating one tile."""

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own."""

    @property
    def alone(self) -> int:
        """Samples for one thread, below which another costs more than it saves."""

    def planar(self, channels: int) -> bool:
        """Whether channels are loaded one by one."""

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:
        """Return rows and pixels of a tile for an output of `rows` and `columns`."""

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record the work on a tile of `rows` and `columns`."""


class Taps(NamedTuple):
    """Shifted tiles, weighted and added up: exact for integers, and the same for every tiling.

    Channels stay interleaved: the pixel to the right is `channels` samples away.

    Parameters
    ----------
    kernels
        Kernels of equal shape, int64 or float64.
    dtype
        Type of the sums. For integers it must hold every final sum.
    dilation
        Rows and columns between taps.
    scales
        One divisor for each kernel of a combination.
    combine
        How several responses become one, or None for a single kernel.
    precision
        Type of a combination: float32 or float64.
    """

    kernels: tuple[Array, ...]
    dtype: np.dtype[Any]
    dilation: tuple[int, int]
    scales: tuple[int, ...] = ()
    combine: Combine | None = None
    precision: np.dtype[Any] = FLOAT32

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own."""
        kh, kw = self.kernels[0].shape
        return self.dilation[0] * (kh - 1), self.dilation[1] * (kw - 1)

    @property
    def alone(self) -> int:
        """Samples for one thread: many, as each takes little time, more so with few calls."""
        total = sum(calls(kernel, self.dtype) for kernel in self.kernels)
        return _ALONE * 2 // (self.dtype.itemsize * max(1, total))

    def planar(self, channels: int) -> bool:  # noqa: ARG002
        """Whether to take channels apart: never."""
        return False

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:
        """Return full-width tiles, or narrower ones where a few rows are too many samples."""
        room = samples_of_a_tile(self.dtype, threads) // len(self.kernels)
        room = min(room, max(16384, rows * columns * channels // (2 * threads)))
        down, across = self.halo
        tall = room // ((columns + across) * channels)
        least = min(rows, 2 * down + 2)
        if tall >= least:
            return evenly(rows, tall), columns
        tall = min(rows, 4 * down + 4)
        wide = room // ((tall + down) * channels) - across
        return tall, min(columns, max(wide, 64, 2 * across))

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record the sums of products for one tile, and their combination.

        The tile is loaded anew each time, so the last kernel may overwrite it.
        """
        down, across = self.halo
        stride = (columns + across) * channels
        n = rows * stride - across * channels
        flat = program.empty((rows + down) * stride, self.dtype)
        steps = self.dilation[0] * stride, self.dilation[1] * channels
        sums = [record_kernel(program, flat, n, steps, kernel) for kernel in self.kernels[:-1]]
        sums.append(record_kernel(program, flat, n, steps, self.kernels[-1], spare=True))
        response = self._combined(program, sums) if self.combine else sums[0]
        return Recorded(flat.reshape(-1, stride), response, stride)

    def _combined(self, program: Program, sums: list[Array]) -> Array:
        join = np.add if self.combine == "magnitude" else np.maximum
        values = []
        for one, scale in zip(sums, self.scales, strict=True):
            divided = Finish(self.precision, "real", Fraction(scale), precision=self.precision)
            value = record_real(program, one, divided)
            if self.combine == "magnitude":
                program.call(np.multiply, value, value, value)
            values.append(value)
        total = values[0]
        for value in values[1:]:
            program.call(partial(join, total, value, out=total))
        if self.combine == "magnitude":
            program.call(np.sqrt, total, total)
        return total


def evenly(length: int, most: int) -> int:
    """Return how long about equal parts are, so that no short one is left at the end.

    >>> evenly(100, 45)
    34
    """
    return -(-length // -(-length // most))


def samples_of_a_tile(dtype: np.dtype[Any], threads: int) -> int:
    """Return how many samples of a type a tile should have."""
    small = threads == 1 and second_level_cache() >= ROOMY
    return (SMALL_TILE if small else LARGE_TILE) * 2 // dtype.itemsize


def record_kernel(
    program: Program,
    flat: Array,
    n: int,
    steps: tuple[int, int],
    kernel: Array,
    *,
    spare: bool = False,
) -> Array:
    """Record one kernel's sums over a flat tile in as few passes as its structure allows.

    A column times a row takes a vertical pass, whose halo rows are only loaded, then a horizontal
    one. A whole-number kernel that is such a product but for its centre takes one tap more.
    Anything else goes tap by tap. A `spare` tile may be overwritten.
    """
    down, right = steps
    kh, kw = kernel.shape
    found = product(kernel)
    if found is not None and not found.centre:
        return _product(program, flat, n, steps, found.column, found.row, spare=spare)
    if found is not None:
        return _product_and_centre(program, flat, n, steps, found, spare=spare)
    if 1 in (kh, kw):
        step = right if kh == 1 else down
        return one_dimension(program, flat, n, step, kernel.ravel(), spare=spare)
    places = [(i * down + j * right, kernel[i, j].item()) for i, j in np.argwhere(kernel).tolist()]
    return taps(program, flat, n, places, spare=spare)


def _product_and_centre(
    program: Program,
    flat: Array,
    n: int,
    steps: tuple[int, int],
    found: Product,
    *,
    spare: bool,
) -> Array:
    """Record a product of weights of one sign, and add its centre, which may be multiplied here."""
    column, row, weight = found
    sign = -1 if column.sum() < 0 else 1
    total = _product(program, flat, n, steps, sign * column, row, spare=False)
    place = len(column) // 2 * steps[0] + len(row) // 2 * steps[1]
    centre = flat[place : place + n]
    if abs(weight) != 1:
        scaled = centre if spare else program.empty(n, flat.dtype)
        program.call(np.multiply, centre, scalar(abs(weight), flat.dtype), scaled)
        centre = scaled
    if sign > 0:
        program.call(np.add if weight > 0 else np.subtract, total, centre, total)
    elif weight > 0:
        program.call(np.subtract, centre, total, total)
    else:
        program.call(np.add, centre, total, total)
        program.call(np.negative, total, total)
    return total


def _product(
    program: Program,
    flat: Array,
    n: int,
    steps: tuple[int, int],
    column: Array,
    row: Array,
    *,
    spare: bool,
) -> Array:
    down, right = steps
    m = n + (len(row) - 1) * right
    middle = one_dimension(program, flat, m, down, column, spare=spare)
    spare = spare or not np.may_share_memory(middle, flat)
    return one_dimension(program, middle, n, right, row, spare=spare)


def calls(kernel: Array, sums: np.dtype[Any]) -> int:
    """Return how many calls a tile takes, counted on a recording in miniature."""
    return _counted(kernel.tobytes(), kernel.shape, kernel.dtype, sums)


@lru_cache(maxsize=256)
def _counted(
    weights: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], sums: np.dtype[Any]
) -> int:
    kernel = np.frombuffer(weights, dtype).reshape(shape)
    taps = int(np.count_nonzero(kernel))
    if min(shape) > 1 and taps > _MANY_TAPS and column_and_row(kernel) is None:
        return 2 * taps
    program = Program()
    record_kernel(program, np.zeros(kernel.size + 1, sums), 1, (shape[1], 1), kernel)
    return len(program.steps)
