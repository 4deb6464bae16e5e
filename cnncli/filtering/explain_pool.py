"""The arithmetic of one pooled pixel."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import UsageError
from cnncli.filtering.explain import channel_names
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)


def explain_pooled(picture: Picture, settings: PoolSettings, x: int, y: int) -> PoolExplanation:
    """Return the window of one pooled pixel, and what its mode makes of it.

    Raises
    ------
    UsageError
        If the place lies outside the result.
    """
    done = pool_picture(picture, settings).pixels
    height, width = done.shape[:2]
    if x >= width or y >= height:
        raise UsageError(
            f"--explain {x},{y} lies outside the result of {width}x{height}; "
            f"give up to {width - 1},{height - 1}"
        )
    rows, columns = (_window(picture, settings, axis, place) for axis, place in enumerate((y, x)))
    alpha = None
    if picture.alpha is not None:
        white = np.iinfo(picture.alpha.dtype).max
        alpha = picture.alpha[rows, columns] / white
    low, high = _bounds(picture, settings)
    channels = []
    for name, values, pixel in channel_names(picture, done[y, x]):
        window = values[rows, columns]
        channels.append(
            PooledChannel(name, window.tolist(), _pooled(window, alpha, settings.mode), pixel)
        )
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
    options = settings.windows(picture)
    size = options["size"]
    stride = options.get("stride") or size
    padding = options.get("padding", (0, 0))
    length, edge = picture.pixels.shape[axis], options.get("edge", "partial")
    span = Span.of(length, size[axis], stride[axis], padding[axis], edge, "axis")
    starts, stops = span.bounds()
    return slice(int(starts[place]), int(stops[place]))


def _pooled(window: Array, alpha: Array | None, mode: str) -> float:
    """Return what the mode makes of a window; hidden pixels take no part."""
    weights = np.ones(window.shape) if alpha is None else alpha
    seen = window[weights > 0]
    if not seen.size:
        return 0.0
    values = window.astype(np.float64)
    if mode == "max":
        return float(seen.max())
    if mode == "min":
        return float(seen.min())
    if mode == "median":
        return float(np.median(seen))
    if mode == "l2":
        return float(np.sqrt((values**2 * weights).sum()))
    total = (values * weights).sum()
    return float(total / weights.sum() if mode == "avg" else total)


def _bounds(picture: Picture, settings: PoolSettings) -> tuple[float | None, float | None]:
    if settings.range != "minmax":
        return None, None
    pixels = pool_picture(picture, replace(settings, range="raw")).pixels
    return float(pixels.min()), float(pixels.max())
