"""Dense kernels by fast Fourier transforms of overlapping tiles: the cost hardly grows with size.

Overlap-save: a tile is loaded with its halo, multiplied in the frequency domain, and the part of
the cyclic result that did not wrap around is kept.
"""

from functools import lru_cache, partial
from math import log2
from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.ops.bands import Scratch
from cnncli.ops.kernels import Kernel

Array = npt.NDArray[Any]

# Lengths that transform fast, 2, 3 and 5 their only factors: with many of them one is found that
# wastes little on the halo and on the last tile.
_LENGTHS = tuple(n for n in range(32, 2049, 8) if 2**11 * 3**3 * 5**2 % n == 0)


def tile(size: tuple[int, int], halo: tuple[int, int]) -> tuple[int, int]:
    """Return what transforms of the best length leave beside the halo: from sizes alone."""
    rows, columns = (_best_length(n, h) - h for n, h in zip(size, halo, strict=True))
    return rows, columns


def correlate_fourier(
    padded: Array,
    scratch: Scratch,
    shape: tuple[int, int],
    *,
    spectrum: Array,
    width: int,
    channels: int,
    whole: bool,
) -> Array:
    """Return the sums of products of a band that is a whole tile, in rows as long as `padded`'s.

    The spectrum lies transposed, so that the transforms down the columns read whole rows.
    ``norm="forward"`` scales with a factor that is not 1: with the default NumPy would pass a
    Python 1, which resolves to double precision and back.

    Parameters
    ----------
    padded
        ``(rows + halo, samples + halo)``; overwritten.
    scratch
        Gives memory.
    spectrum
        From :func:`spectrum_of`.
    shape
        Rows and samples of the tile.
    width
        Pixels of a transform.
    channels
        Samples of a pixel; they are transformed one by one.
    whole
        Round the response to whole numbers: exact where :func:`is_exact` says so.
    """
    fft, rows = np.fft, shape[0]
    waves = scratch.empty(spectrum.shape, spectrum.dtype)
    for c in range(channels):
        plane = padded[:, c : width * channels : channels]
        fft.rfft(plane, axis=1, norm="forward", out=waves.T)
        fft.fft(waves, axis=1, norm="forward", out=waves)
        np.multiply(waves, spectrum, out=waves)
        fft.ifft(waves, axis=1, norm="backward", out=waves)
        fft.irfft(waves[:, :rows].T, n=width, axis=1, norm="backward", out=plane[:rows])
    response: Array = padded[:rows].reshape(-1)
    return np.rint(response, out=response) if whole else response


@lru_cache(maxsize=2)  # pictures of one size share it
def spectrum_of(
    kernel: Kernel, dilation: tuple[int, int], shape: tuple[int, int], dtype: np.dtype[Any]
) -> Array:
    """Return the conjugate spectrum of a kernel, times what the forward transforms divide by.

    Parameters
    ----------
    kernel
        What slides.
    dilation
        Rows and columns between taps.
    shape
        Rows and pixels of a transform.
    dtype
        float32 or float64: the precision of the transforms.

    Returns
    -------
    ndarray
        Transposed, ``(columns // 2 + 1, rows)``.
    """
    spread = np.zeros(shape)
    (kh, kw), (dy, dx) = kernel.shape, dilation
    spread[: dy * kh : dy, : dx * kw : dx] = kernel.weights
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
    return min(fitting, key=partial(_work, outputs, halo))


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
