"""Separable kernels of real numbers as products with banded Toeplitz matrices.

A 1-D correlation of `t` outputs is a product with the matrix whose columns are the taps, each
shifted down by one. Blocks of the tile, taken as strided views, are multiplied by it: nothing is
copied, and the cost grows slowly with the number of taps.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from cnncli.ops.engines import Recorded
from cnncli.ops.program import Program

Array = npt.NDArray[Any]

# Outputs of one block down and across: small ones multiply fewer zeros, and 16 floats fill the
# widest vector register. With 15 taps these run at the processor's peak.
TALL, WIDE = 4, 16
_ROWS, _SAMPLES = 192, 512  # of a tile: three buffers of it fill a second-level cache of 1 MiB
# OpenBLAS keeps a product of fewer multiplications on the calling thread. Its results then do not
# depend on how many threads it could use, and ours do not wait for its own.
_QUIET = 262_144


class Toeplitz(NamedTuple):
    """A kernel that is a short sum of columns times rows.

    Tiles lie on a grid that depends on the sizes of kernel and image alone, so every output is
    always computed at the same place of the same product.

    Parameters
    ----------
    terms
        (column, row) pairs whose products add up to the kernel.
    dtype
        float32 or float64.
    dilation
        Rows and columns between taps.
    """

    terms: tuple[tuple[Array, Array], ...]
    dtype: np.dtype[Any]
    dilation: tuple[int, int]

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own."""
        column, row = self.terms[0]
        return self.dilation[0] * (len(column) - 1), self.dilation[1] * (len(row) - 1)

    @property
    def alone(self) -> int:
        """Samples for one thread: many, as matrix products keep a core's cache to themselves."""
        return 1_500_000

    def planar(self, channels: int) -> bool:
        """Whether to take channels apart: costly, but so are bands of zeros between the taps."""
        return self.halo[1] * (channels - 1) > 40

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:  # noqa: ARG002 (the grid is fixed)
        """Return a tile of whole blocks whose products OpenBLAS does not split."""
        down, across = self.halo
        step = 1 if self.planar(channels) else channels
        samples = min(_SAMPLES, _QUIET // (TALL * (TALL + down)) - across * step)
        tall = min(_ROWS, _QUIET // (WIDE * (WIDE + across * step)), rows + TALL - 1)
        wide = min(samples // step, columns + WIDE - 1)
        return max(1, tall // TALL) * TALL, max(1, wide // WIDE) * WIDE

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record the vertical and the horizontal product of each term, and their sum."""
        down, across = self.halo
        samples = columns * channels
        line = -(-(samples + across * channels) // WIDE) * WIDE  # rows start on whole cache lines
        buffer = program.zeros((rows + down, line), self.dtype)
        middle = program.zeros((rows, line), self.dtype)
        total = program.empty((rows, samples), self.dtype)
        for i, (column, row) in enumerate(self.terms):
            out = total if i == 0 else program.empty(total.shape, self.dtype)
            if len(column) == 1:
                self._record_horizontal(program, buffer, out, row * column[0], channels)
            else:
                self._record_vertical(program, buffer, middle, column)
                self._record_horizontal(program, middle, out, row, channels)
            if i:
                program.call(np.add, total, out, total)
        return Recorded(buffer, total.ravel(), samples)

    def _record_vertical(
        self, program: Program, buffer: Array, middle: Array, column: Array
    ) -> None:
        left = _band(column, TALL, self.dilation[0], self.dtype).T.copy()
        tall = _blocks(buffer, TALL, left.shape[1])
        program.call(np.matmul, left, tall, _blocks(middle, TALL, TALL))

    def _record_horizontal(
        self, program: Program, middle: Array, out: Array, row: Array, channels: int
    ) -> None:
        right = _band(row, WIDE, self.dilation[1] * channels, self.dtype)
        count, step = out.shape[1] // WIDE, out.itemsize
        windows = as_strided(
            middle, (count, len(out), len(right)), (WIDE * step, middle.strides[0], step)
        )
        target = as_strided(out, (count, len(out), WIDE), (WIDE * step, out.strides[0], step))
        program.call(np.matmul, windows, right, target)


def _blocks(array: Array, rows: int, height: int) -> Array:
    """Return overlapping blocks of `height` rows, one every `rows` rows, as a view."""
    count = (len(array) - height) // rows + 1
    line, step = array.strides
    return as_strided(array, (count, height, array.shape[1]), (rows * line, line, step))


def _band(weights: Array, outputs: int, dilation: int, dtype: np.dtype[Any]) -> Array:
    """Return the matrix M with ``x @ M`` the correlation of x with the weights.

    Examples
    --------
    >>> _band(np.array([1, 2]), 3, 1, np.dtype("float32")).tolist()
    [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]]
    """
    matrix = np.zeros((outputs + dilation * (len(weights) - 1), outputs), dtype)
    place = np.arange(outputs)
    for i, weight in enumerate(weights):
        matrix[place + i * dilation, place] = weight
    return matrix
