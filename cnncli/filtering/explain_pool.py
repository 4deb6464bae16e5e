"""The arithmetic of one pooled pixel."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.filtering.explain import channel_names, refuse_outside
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.images import Picture
from cnncli.ops.pool import Span

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class PooledChannel:
    """One channel of the pixel: its window, what the mode makes of it, and what is written."""

    name: str
    window: list[list[float]]
    value: float
    pixel: float


@dataclass(frozen=True, slots=True)
class PoolExplanation:
    """How one pooled pixel came about; the fields are the keys of ``--json``.

    Parameters
    ----------
    x, y
        Column and row in the result.
    mode, range
        As asked for.
    left, top
        First column and row of the window in the picture.
    count
        Pixels in the window.
    opacity
        Alpha of the window, from 0 to 1, or None where everything is opaque.
    low, high
        Smallest and largest value of the whole result, for the range ``minmax``.
    depth
        Type of the pixel, such as ``uint8``.
    channels
        The arithmetic, channel by channel.
    """

    x: int
    y: int
    mode: str
    range: str
    left: int
    top: int
    count: int
    opacity: list[list[float]] | None
    low: float | None
    high: float | None
    depth: str
    channels: list[PooledChannel]


def explain_pooled(picture: Picture, settings: PoolSettings, x: int, y: int) -> PoolExplanation:
    """Return the window of one pooled pixel, and what its mode makes of it.

    Raises
    ------
    UsageError
        If the place lies outside the result.
    """
    done = pool_picture(picture, settings).pixels
    refuse_outside(done, x, y)
    rows, columns = (_window(picture, settings, axis, place) for axis, place in enumerate((y, x)))
    alpha = None
    if picture.alpha is not None:
        alpha = picture.alpha[rows, columns] / np.iinfo(picture.alpha.dtype).max
    low, high = None, None
    if settings.range == "minmax":
        raw = pool_picture(picture, replace(settings, range="raw")).pixels
        low, high = float(raw.min()), float(raw.max())
    channels = []
    for name, values, pixel in channel_names(picture, done[y, x]):
        seen = values[rows, columns]
        value = _pooled(seen, alpha, settings.mode)
        channels.append(PooledChannel(name, seen.tolist(), value, pixel))
    return PoolExplanation(
        x=x,
        y=y,
        mode=settings.mode,
        range=settings.range,
        left=columns.start,
        top=rows.start,
        count=(rows.stop - rows.start) * (columns.stop - columns.start),
        opacity=None if alpha is None else alpha.tolist(),
        low=low,
        high=high,
        depth=done.dtype.name,
        channels=channels,
    )


def _window(picture: Picture, settings: PoolSettings, axis: int, place: int) -> slice:
    length = picture.pixels.shape[axis]
    size = length if settings.whole else settings.size[axis]
    stride = size if settings.whole or not settings.stride else settings.stride[axis]
    edge = "partial" if settings.whole else settings.edge
    starts, stops = Span.of(length, size, stride, settings.padding[axis], edge, "axis").bounds()
    return slice(int(starts[place]), int(stops[place]))


def _pooled(window: Array, alpha: Array | None, mode: str) -> float:
    """Return what the mode makes of a window; hidden pixels take no part."""
    weights = np.ones(window.shape) if alpha is None else alpha
    seen = window[weights > 0]
    if not seen.size:
        return 0.0
    pick: Any = {"max": np.max, "min": np.min, "median": np.median}.get(mode)
    if pick:
        return float(pick(seen))
    total = (window.astype(np.float64) ** (2 if mode == "l2" else 1) * weights).sum()
    if mode == "avg":
        total /= weights.sum()
    return float(np.sqrt(total) if mode == "l2" else total)
