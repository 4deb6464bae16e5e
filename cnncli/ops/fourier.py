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

# Lengths that transform fast; the best one for a kernel wastes little on the halo.
_LENGTHS = (32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048)


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

    def planar(self, channels: int) -> bool:  # noqa: ARG002
        """Whether to take channels apart: always."""
        return True

    def tile(self, rows: int, columns: int, channels: int, threads: int) -> tuple[int, int]:  # noqa: ARG002 (the grid is fixed)
        """Return what a transform of the best length leaves beside the halo."""
        down, across = self.halo
        return _best_length(rows, down) - down, _best_length(columns, across) - across

    def record(self, program: Program, rows: int, columns: int, channels: int) -> Recorded:  # noqa: ARG002 (planar)
        """Record transform, product and inverse of a tile.

        The spectrum lies transposed, so that the transforms down the columns read whole rows.
        ``norm="forward"`` scales with a factor that is not 1: with the default NumPy would pass a
        Python 1, which resolves to double precision and back.
        """
        m = columns + self.halo[1]
        shape = rows + self.halo[0], m
        spectrum = self._spectrum(shape)
        buffer = program.zeros(shape, self.dtype)
        once = program.empty(spectrum.shape, spectrum.dtype)
        twice = program.empty(spectrum.shape, spectrum.dtype)
        response = program.empty((rows, m), self.dtype)
        fft = np.fft
        program.call(partial(fft.rfft, buffer, axis=1, norm="forward", out=once.T))
        program.call(partial(fft.fft, once, axis=1, norm="forward", out=twice))
        program.call(np.multiply, twice, spectrum, twice)
        program.call(partial(fft.ifft, twice, axis=1, norm="backward", out=once))
        program.call(
            partial(fft.irfft, once[:, :rows].T, n=m, axis=1, norm="backward", out=response)
        )
        if self.whole:
            program.call(np.rint, response, response)
        return Recorded(buffer, response.ravel(), m)

    def _spectrum(self, shape: tuple[int, int]) -> Array:
        """Return the conjugate spectrum, times what the forward transforms divide by."""
        spread = np.zeros(shape)
        (dy, dx), (down, across) = self.dilation, self.halo
        spread[: down + 1 : dy, : across + 1 : dx] = self.kernel
        spectrum = np.conj(np.fft.rfft2(spread)).T * (shape[0] * shape[1])
        return spectrum.astype(np.complex64 if self.dtype == np.float32 else np.complex128)


def _work(outputs: int, halo: int, n: int) -> float:
    """Return the relative cost of an axis cut into transforms of length n, halo included.

    Short transforms pay for their calls, long ones leave the cache.
    """
    tiles = -(-outputs // (n - halo))
    return tiles * n * (1 + 30 / n + n / 4000 + (n / 3200) ** 2)


def _best_length(outputs: int, halo: int) -> int:
    """Return the transform length with the least work."""
    fitting = [n for n in _LENGTHS if n > halo] or [1 << (2 * halo).bit_length()]
    return min(fitting, key=lambda n: _work(outputs, halo, n))


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
