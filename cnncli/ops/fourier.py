"""Dense kernels by fast Fourier transforms of overlapping tiles: the cost hardly grows with size.

Overlap-save: a tile is loaded with its halo, multiplied in the frequency domain, and the part of
the cyclic result that did not wrap around is kept.
"""

from functools import lru_cache, partial
from math import log2
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.engines import Recorded
from cnncli.ops.program import Program

Array = npt.NDArray[Any]

# Lengths that transform fast, 2, 3 and 5 their only factors: with many of them one is found that
# wastes little on the halo and on the last tile.
_LENGTHS: tuple[int, ...] = tuple(
    sorted(
        2**a * 3**b * 5**c
        for a in range(3, 12)
        for b in range(4)
        for c in range(3)
        if 32 <= 2**a * 3**b * 5**c <= 2048
    )
)


class Fourier(NamedTuple):
    """A kernel of any shape, its tiles on a grid that depends on sizes alone.

    Parameters
    ----------
    kernel
        ``(kh, kw)``.
    dtype
        float32 or float64: the precision of the transforms.
    dilation
        Rows and columns between taps.
    whole
        Round the response to whole numbers: exact where :func:`is_exact` says so.
    """

    kernel: Array
    dtype: np.dtype[Any]
    dilation: tuple[int, int]
    whole: bool = False

    @property
    def halo(self) -> tuple[int, int]:
        """Rows and pixels that a tile needs beyond its own."""
        kh, kw = self.kernel.shape
        return self.dilation[0] * (kh - 1), self.dilation[1] * (kw - 1)

    @property
    def alone(self) -> int:
        """Samples for one thread: few, as each takes much time."""
        return 300_000

    def planar(self, channels: int) -> bool:  # noqa: ARG002
        """Whether to take channels apart: never; the transforms do, on their way in and out."""
        return False

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:  # noqa: ARG002 (the grid is fixed)
        """Return what a transform of the best length leaves beside the halo."""
        down, across = self.halo
        return _best_length(rows, down) - down, _best_length(columns, across) - across

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:
        """Record transform, product and inverse of a tile, channel by channel.

        The spectrum lies transposed, so that the transforms down the columns read whole rows.
        ``norm="forward"`` scales with a factor that is not 1: with the default NumPy would pass a
        Python 1, which resolves to double precision and back.
        """
        height, width = rows + self.halo[0], columns + self.halo[1]
        weights = self.kernel.astype(np.float64).tobytes()
        spectrum = _spectrum(weights, self.kernel.shape, self.dilation, (height, width), self.dtype)
        buffer = program.zeros((height, width * channels), self.dtype)
        waves = program.empty(spectrum.shape, spectrum.dtype)
        kept = waves[:, :rows].T
        fft = np.fft
        for c in range(channels):
            plane = buffer[:, c::channels]
            program.call(partial(fft.rfft, plane, axis=1, norm="forward", out=waves.T))
            program.call(partial(fft.fft, waves, axis=1, norm="forward", out=waves))
            program.call(np.multiply, waves, spectrum, waves)
            program.call(partial(fft.ifft, waves, axis=1, norm="backward", out=waves))
            inverse = partial(fft.irfft, kept, n=width, axis=1, norm="backward")
            program.call(partial(inverse, out=plane[:rows]))  # the pixels have been read by then
        response = buffer[:rows].ravel()
        if self.whole:
            program.call(np.rint, response, response)
        return Recorded(buffer, response, width * channels)


@lru_cache(maxsize=2)
def _spectrum(
    weights: bytes,
    size: tuple[int, ...],
    dilation: tuple[int, int],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
) -> Array:
    """Return the conjugate spectrum of a kernel, times what the forward transforms divide by.

    It lies transposed, ``(columns // 2 + 1, rows)``. Threads and pictures of one size share it.
    """
    spread = np.zeros(shape)
    (kh, kw), (dy, dx) = size, dilation
    spread[: dy * kh : dy, : dx * kw : dx] = np.frombuffer(weights).reshape(size)
    spectrum = np.conj(np.fft.rfft2(spread)).T * (shape[0] * shape[1])
    return spectrum.astype(np.complex64 if dtype == np.float32 else np.complex128, order="C")


def _work(outputs: int, halo: int, n: int) -> float:
    """Return the relative cost of an axis cut into transforms of length n, halo included.

    Short transforms pay for their calls, long ones leave the cache.
    """
    tiles = -(-outputs // (n - halo))
    return tiles * n * (1 + 30 / n + n / 4000 + (n / 3200) ** 2)


def _best_length(outputs: int, halo: int) -> int:
    """Return the transform length with the least work."""
    fitting = [n for n in _LENGTHS if n > halo] or [1 << (2 * halo).bit_length()]
    return min((_work(outputs, halo, n), n) for n in fitting)[1]


@lru_cache(maxsize=256)
def nanoseconds(size: tuple[int, int], halo: tuple[int, int], dtype: np.dtype[Any]) -> float:
    """Estimate the time for each sample of an image of `size` rows and columns, on one core."""
    cost = 3.7 if dtype == np.float32 else 6.0
    for outputs, margin in zip(size, halo, strict=True):
        cost *= _work(outputs, margin, _best_length(outputs, margin)) / outputs
    return cost


def is_exact(kernel: Array, halo: tuple[int, int], largest: int) -> bool:
    """Whether float64 transforms of whole numbers, rounded, give the exact response.

    The error of each output is below ``c * eps * log2(N) * |x| * |k|`` in Euclidean norms, with
    N samples in a tile and a small c (Higham, "Accuracy and Stability of Numerical Algorithms",
    24.1; c = 10 is generous). It must stay below a quarter.

    Parameters
    ----------
    kernel
        Whole numbers.
    halo
        Rows and pixels beyond a tile's own.
    largest
        Bound of the pixels' absolute values.
    """
    samples = float(max(_LENGTHS[-1], 4 * halo[0]) * max(_LENGTHS[-1], 4 * halo[1]))
    size = largest * samples**0.5 * float(np.linalg.norm(kernel.astype(np.float64)))
    return bool(10 * 2.0**-53 * log2(samples) * size < 0.25)
