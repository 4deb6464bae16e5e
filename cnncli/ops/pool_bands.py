"""Maxima, minima, sums and means of windows: in which types, and in which bands on which threads.

:mod:`~cnncli.ops.pool_work` does a band.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.ops.caches import second_level_cache
from cnncli.ops.dtypes import result_dtype, value_range
from cnncli.ops.engines import ROOMY
from cnncli.ops.finish import narrowest
from cnncli.ops.pool_work import Band, Bands, BandWork
from cnncli.ops.program import Arena
from cnncli.ops.spans import Span
from cnncli.ops.tiles import Worker, processors, share

Array = npt.NDArray[Any]

# Bytes of a band's reduced rows. Small ones stay in a roomy second-level cache; large ones let
# memory reach its full speed, and threads meet seldom: see `engines.SMALL_TILE`.
_SMALL_BAND, _LARGE_BAND = 250_000, 3_000_000
_ALONE = 10_000_000  # samples for one thread, below which another costs more than it saves


def pool_bands(
    image: Array,
    spans: tuple[Span, Span],
    mode: str,
    dtype: npt.DTypeLike | None,
    threads: int | None,
) -> Array:
    """Return the reduced windows as `dtype`, rounded half up and clipped for integers.

    Without a `dtype` they are as :func:`natural_dtype` says.
    """
    height, width = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else 1
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    natural = natural_dtype(image, spans, mode)
    kind = natural if dtype is None else np.dtype(dtype)
    out = np.empty((spans[0].count, spans[1].count, channels), kind)
    sums = _sums_type(image, spans, mode)
    bands = Bands(rows, channels, spans, mode, sums, out, kind == natural)
    crew = min(threads or processors(), max(1, image.size // _ALONE))
    work = _cut(bands, crew)
    crew = min(crew, len(work))

    def borrow() -> Worker:
        arena = Arena.borrow()
        return BandWork(bands, arena).work, arena.give_back

    share(borrow, work, crew)
    return out.reshape(spans[0].count, spans[1].count, *image.shape[2:])


def natural_dtype(image: Array, spans: tuple[Span, Span], mode: str) -> np.dtype[Any]:
    """Return the type that holds results as they are."""
    if mode in ("max", "min"):
        return image.dtype
    if mode == "sum":
        return result_dtype(image, np.ones((spans[0].size, spans[1].size), np.int64))
    return result_dtype(image, np.ones((1, 1)))


def _sums_type(image: Array, spans: tuple[Span, Span], mode: str) -> np.dtype[Any]:
    """Return the type to reduce in: sums of integers in the narrowest that holds them all."""
    if mode in ("max", "min"):
        return image.dtype
    if mode == "l2":
        return np.dtype(np.float64)
    exact = natural_dtype(image, spans, "sum")
    if exact.kind == "f":
        return exact
    low, high = value_range(image)
    size = spans[0].size * spans[1].size
    half = size // 2 + 1  # for the rounding of a mean
    return narrowest(min(low, 0) * size, max(high, 0) * size + half) or exact


def _cut(bands: Bands, threads: int) -> list[Band]:
    """Cut the outputs into bands of about equal work, each within one run of windows."""
    down = bands.spans[0]
    small = threads == 1 and second_level_cache() >= ROOMY
    size = _SMALL_BAND if small else _LARGE_BAND
    each = max(1, size // (bands.line * bands.channels * bands.sums.itemsize))
    count = -(-down.count // each)
    if threads > 1:
        count = max(count, 4 * threads)
    each = -(-down.count // count)
    return [
        Band(first, min(first + each, run.stop), run)
        for run in down.runs()
        for first in range(run.first, run.stop, each)
    ]
