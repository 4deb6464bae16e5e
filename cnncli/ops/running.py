"""Columns of equal weights by running sums: the row above, plus what comes in, less what leaves.

A box of any height then takes two sums a sample. They are made row by row, so that rows have to be
long to be worth the calls, and by one thread: others would wait for Python's lock at every row.
"""

import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.engines import Recorded, evenly, samples_of_a_tile
from cnncli.ops.program import Program, one_dimension

Array = npt.NDArray[Any]


class Running(NamedTuple):
    """Rows of whole numbers that are all alike: a column of ones times a row.

    Integers only: sums may wrap on the way, as addition and subtraction are exact modulo 2**bits.

    Parameters
    ----------
    rows
        Height of the column.
    row
        ``(kw,)`` int64.
    dtype
        Type of the sums.
    dilation
        Pixels between taps across.
    """

    rows: int
    row: Array
    dtype: np.dtype[Any]
    dilation: int

    @classmethod
    def of(cls, kernel: Array, dtype: np.dtype[Any], dilation: tuple[int, int]) -> "Running | None":
        """Return the engine for a kernel, or None where its rows differ."""
        alike = kernel.dtype.kind == "i" and len(kernel) > 1 and (kernel == kernel[0]).all()
        if not alike or dilation[0] != 1:
            return None
        return cls(len(kernel), kernel[0], dtype, dilation[1])

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own: rows are summed while loaded."""
        return 0, self.dilation * (len(self.row) - 1)

    @property
    def alone(self) -> int:
        """Samples for one thread: all of them."""
        return sys.maxsize

    def planar(self, channels: int) -> bool:  # noqa: ARG002
        """Whether to take channels apart: never."""
        return False

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:  # noqa: ARG002 (always one)
        """Return full-width tiles."""
        room = samples_of_a_tile(self.dtype, 1)
        tall = min(rows, max(1, room // ((columns + self.halo[1]) * channels)))
        return evenly(rows, tall), columns

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record the sums across; those down are made while the tile is loaded."""
        across = self.halo[1] * channels
        stride = columns * channels + across
        flat = program.empty(rows * stride, self.dtype)
        n, step = rows * stride - across, self.dilation * channels
        response = one_dimension(program, flat, n, step, self.row, spare=True)
        return Recorded(flat.reshape(-1, stride), response, stride, self.rows)
