"""Separable kernels of real numbers as products with banded Toeplitz matrices.

A 1-D correlation of `t` outputs is a product with the matrix whose columns are the taps, each
shifted down by one. Blocks of the band, taken as strided views, are multiplied by it: nothing is
copied, and the cost grows slowly with the number of taps.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from cnncli.ops.bands import Scratch
from cnncli.ops.kernels import Kernel

Array = npt.NDArray[Any]
Terms = list[tuple[Array, Array]]

# Outputs of one block down and across: small ones multiply fewer zeros, and 16 floats fill the
# widest vector register. With 15 taps these run at the processor's peak.
TALL, WIDE = 4, 16
# Of a tile, at most: large enough that two threads, which need Python's lock for each call, take
# 0.6 of one's time. With tiles of 192x512 they took 1.0.
_ROWS, _SAMPLES = 512, 1024
# OpenBLAS keeps a product of fewer multiplications on the calling thread. Its results then do not
# depend on how many threads it could use, and ours do not wait for its own.
_QUIET = 262_144
# Nanoseconds a sample on one core: fixed and for each tap.
_COST = {4: (0.4, 0.018), 8: (0.8, 0.036)}


def nanoseconds(terms: Terms | None, dtype: np.dtype[Any]) -> float:
    """Estimate the time for each sample; infinite where there are no terms."""
    if terms is None:
        return float("inf")
    fixed, each = _COST[dtype.itemsize]
    return len(terms) * (fixed + each * sum(map(len, terms[0])))


def tile(size: tuple[int, int], halo: tuple[int, int], channels: int) -> tuple[int, int]:
    """Return rows and pixels of a tile: whole blocks whose products OpenBLAS does not split.

    They depend on the sizes of kernel and image alone, so that every output is always computed at
    the same place of the same product.
    """
    (rows, columns), (down, across) = size, halo
    samples = min(_SAMPLES, _QUIET // (TALL * (TALL + down)) - across * channels)
    tall = min(_ROWS, _QUIET // (WIDE * (WIDE + across * channels)))
    return _even(rows, tall, TALL), _even(columns, samples // channels, WIDE)


def _even(size: int, most: int, step: int) -> int:
    """Return the length of about equal parts of a size: whole steps, and at most so many."""
    parts = -(-size // max(most // step * step, step))
    return -(-size // (parts * step)) * step


@lru_cache(maxsize=16)  # a small image is filtered in less time than these take
def matrices(
    kernel: Kernel, steps: tuple[int, int], dtype: np.dtype[Any]
) -> list[tuple[Array, Array]]:
    """Return for each term of a kernel what blocks are multiplied by, from the left and the right.

    ``steps`` are the rows and samples between taps.
    """
    return [
        (_banded(column, TALL, steps[0], dtype).T.copy(), _banded(row, WIDE, steps[1], dtype))
        for column, row in kernel.terms or []
    ]


def correlate_toeplitz(
    padded: Array,
    scratch: Scratch,
    shape: tuple[int, int],
    *,
    matrices: list[tuple[Array, Array]],
) -> Array:
    """Return the sums of products of a band that is a whole tile, in rows as long as `padded`'s.

    Parameters
    ----------
    padded
        ``(rows + halo, samples + halo)``, contiguous.
    scratch
        Gives memory.
    shape
        Rows and samples of the tile.
    matrices
        From :func:`matrices`.
    """
    size = shape[0], padded.shape[1]
    total, middle, other = (scratch.empty(size, padded.dtype) for _ in range(3))
    for i, (left, right) in enumerate(matrices):
        out = other if i else total
        np.matmul(left, _blocks(padded, TALL, left.shape[1]), out=_blocks(middle, TALL, TALL))
        np.matmul(_windows(middle, len(right), shape[1]), right, out=_windows(out, WIDE, shape[1]))
        if i:
            np.add(total, other, out=total)
    return total.reshape(-1)


def _blocks(array: Array, rows: int, height: int) -> Array:
    """Return overlapping blocks of `height` rows, one every `rows` rows, as a view."""
    count = (len(array) - height) // rows + 1
    line, step = array.strides
    return as_strided(array, (count, height, array.shape[1]), (rows * line, line, step))


def _windows(array: Array, width: int, samples: int) -> Array:
    """Return windows of `width` samples, one every :data:`WIDE`, as ``(windows, rows, width)``."""
    line, step = array.strides
    return as_strided(array, (samples // WIDE, len(array), width), (WIDE * step, line, step))


def _banded(weights: Array, outputs: int, dilation: int, dtype: np.dtype[Any]) -> Array:
    """Return the matrix M with ``x @ M`` the correlation of x with the weights.

    Examples
    --------
    >>> _banded(np.array([1, 2]), 3, 1, np.dtype("float32")).tolist()
    [[1.0, 0.0, 0.0], [2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]]
    """
    matrix = np.zeros((outputs + dilation * (len(weights) - 1), outputs), dtype)
    place = np.arange(outputs)
    for i, weight in enumerate(weights):
        matrix[place + i * dilation, place] = weight
    return matrix
