"""What every filter engine offers, and the one that adds shifted tiles tap by tap."""

from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from cnncli.ops.factors import column_and_row, product_and_centre
from cnncli.ops.finish import Finish, record_real
from cnncli.ops.kernels import Combine
from cnncli.ops.program import Program, one_dimension, taps

Array = npt.NDArray[Any]

FLOAT32: np.dtype[Any] = np.dtype(np.float32)

# Samples of a tile of 16 bits each, fewer of wider ones: a few such buffers stay near the
# second-level cache, yet calls are so long that threads seldom wait for the interpreter's lock.
TILE_ALONE, TILE_SHARED = 400_000, 800_000


class Recorded(NamedTuple):
    """A tile's buffers: what to fill, and where the response appears.

    ``buffer`` is ``(rows + halo, stride)``, ``response`` is flat with rows ``stride`` apart.
    """

    buffer: Array
    response: Array
    stride: int


class Engine(Protocol):
    """An algorithm for correlating one tile."""

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own."""

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

    def planar(self, channels: int) -> bool:  # noqa: ARG002
        """Whether to take channels apart: never."""
        return False

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:
        """Return full-width tiles, or narrower ones where a few rows are too many samples."""
        room = TILE_ALONE if threads == 1 else TILE_SHARED
        room = room * 2 // (self.dtype.itemsize * len(self.kernels))
        room = min(room, max(16384, rows * columns * channels // (2 * threads)))
        down, across = self.halo
        tall = room // ((columns + across) * channels)
        least = min(rows, 2 * down + 2)
        if tall >= least:
            return min(tall, rows), columns
        tall = min(rows, 4 * down + 4)
        wide = room // ((tall + down) * channels) - across
        return tall, min(columns, max(wide, 64, 2 * across))

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record the sums of products for one tile, and their combination."""
        down, across = self.halo
        stride = (columns + across) * channels
        n = rows * stride - across * channels
        flat = program.zeros((rows + down) * stride, self.dtype)
        steps = self.dilation[0] * stride, self.dilation[1] * channels
        sums = [record_kernel(program, flat, n, steps, kernel) for kernel in self.kernels]
        response = self._combined(program, sums, flat) if self.combine else sums[0]
        return Recorded(flat.reshape(-1, stride), response, stride)

    def _combined(self, program: Program, sums: list[Array], source: Array) -> Array:
        join = np.add if self.combine == "magnitude" else np.maximum
        values = []
        for one, scale in zip(sums, self.scales, strict=True):
            divided = Finish(self.precision, "real", Fraction(scale), precision=self.precision)
            value = record_real(program, one, source, divided)
            if self.combine == "magnitude":
                program.call(np.multiply, value, value, value)
            values.append(value)
        total = values[0]
        for value in values[1:]:
            program.call(partial(join, total, value, out=total))
        if self.combine == "magnitude":
            program.call(np.sqrt, total, total)
        return total


def record_kernel(
    program: Program, flat: Array, n: int, steps: tuple[int, int], kernel: Array
) -> Array:
    """Record one kernel's sums over a flat tile in as few passes as its structure allows.

    A column times a row takes a vertical pass, whose halo rows are only loaded, then a horizontal
    one. A whole-number kernel that is such a product but for its centre takes one tap more.
    Anything else goes tap by tap.
    """
    down, right = steps
    kh, kw = kernel.shape
    factors = column_and_row(kernel)
    if factors is not None and min(kh, kw) > 1 and _worth_factoring(kernel, *factors):
        return _product(program, flat, n, steps, factors)
    split = product_and_centre(kernel) if factors is None else None
    if split is not None and _worth_factoring(kernel, *split[:2]):
        column, row, weight = split
        sign = -1 if column.sum() < 0 else 1
        centre = kh // 2 * down + kw // 2 * right
        total = _product(program, flat, n, steps, (sign * column, row))
        scaled = taps(program, flat, n, [(centre, abs(weight))])
        if sign > 0:
            program.call(np.add if weight > 0 else np.subtract, total, scaled, total)
        elif weight > 0:
            program.call(np.subtract, scaled, total, total)
        else:
            program.call(np.add, scaled, total, total)
            program.call(np.negative, total, total)
        return total
    if 1 in (kh, kw):
        return one_dimension(program, flat, n, right if kh == 1 else down, kernel.ravel())
    places = [(i * down + j * right, kernel[i, j].item()) for i, j in np.argwhere(kernel).tolist()]
    return taps(program, flat, n, places)


def _product(
    program: Program, flat: Array, n: int, steps: tuple[int, int], factors: tuple[Array, Array]
) -> Array:
    column, row = factors
    down, right = steps
    middle = one_dimension(program, flat, n + (len(row) - 1) * right, down, column)
    spare = not np.may_share_memory(middle, flat)
    return one_dimension(program, middle, n, right, row, spare=spare)


def _worth_factoring(kernel: Array, column: Array, row: Array) -> bool:
    """Whether two passes have fewer taps: not so for kernels of one row, or nearly empty ones."""
    return bool(np.count_nonzero(column) + np.count_nonzero(row) < np.count_nonzero(kernel))
