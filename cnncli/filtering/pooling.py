"""Pooling of whole pictures: hidden colours take no part."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import UsageError
from cnncli.filtering.chain import is_opaque
from cnncli.filtering.settings import Pair
from cnncli.filtering.weighted import opacity
from cnncli.images import Picture
from cnncli.ops import pool2d, to_pixels

Array = NDArray[Any]


class PoolSettings(NamedTuple):
    """How a picture is pooled; the fields are the options of ``cnncli pool``."""

    size: Pair = (2, 2)
    stride: Pair | None = None
    mode: str = "max"
    edge: str = "partial"
    padding: Pair = (0, 0)
    whole: bool = False
    range: str = "clip"

    def check(self) -> None:
        """Refuse what no picture could make right, before any picture is read.

        (Modes and edges are refused by :func:`~cnncli.ops.pool2d`.)

        Raises
        ------
        UsageError
            If the range or a size is wrong.
        """
        if any(self.padding) and self.edge != "pad":
            pad = _text(self.padding)
            raise UsageError(f"padding {pad} needs --edge pad; the edge is {self.edge}")
        if any(2 * p > k for p, k in zip(self.padding, self.size, strict=True)):
            raise UsageError(
                f"padding {_text(self.padding)} exceeds half the window {self.size_text}; use less"
            )

    def describe(self) -> str:
        """Return the windows in words."""
        if self.whole:
            return "the whole picture"
        step = f", stride {_text(self.stride)}" if self.stride else ""
        return f"windows of {self.size_text}{step}, edge {self.edge}"

    @property
    def size_text(self) -> str:
        """The window as ``2``, ``2x3`` or ``global``."""
        return "global" if self.whole else _text(self.size)

    def windows(self, picture: Picture) -> dict[str, Any]:
        """Return the keyword arguments of :func:`~cnncli.ops.pool2d`."""
        if self.whole:
            return {"size": picture.pixels.shape[:2]}
        options = {"size": self.size, "stride": self.stride, "edge": self.edge}
        return options | {"padding": self.padding}


def _text(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def pool_picture(picture: Picture, settings: PoolSettings, threads: int | None = None) -> Picture:
    """Pool colour and alpha, on at most so many threads.

    Means and sums weigh colour by alpha; a maximum, minimum or median looks at pixels that are not
    wholly clear. Alpha itself is pooled by the same mode, by its mean for ``l2`` and ``sum``.

    Returns
    -------
    Picture
        Pixels of the input's type, rounded half up; float32 for the range ``raw``.

    Raises
    ------
    ShapeError, UsageError
        If no window fits or a name is unknown.
    """
    windows, alpha, dtype = settings.windows(picture), picture.alpha, picture.pixels.dtype
    opaque = alpha is None or is_opaque(alpha)
    if opaque and settings.range == "clip":
        # Rounded within the pooling, block by block, which needs no array of real numbers.
        pixels = pool2d(picture.pixels, mode=settings.mode, dtype=dtype, threads=threads, **windows)
    else:
        pixels = np.asarray(picture.pixels)
        pooled = (
            pool2d(pixels, mode=settings.mode, threads=threads, **windows)
            if alpha is None or opaque
            else _visible(pixels, alpha, settings.mode, windows)
        )
        pixels = to_pixels(pooled, dtype, range=settings.range)
    if alpha is None:
        return picture._replace(pixels=pixels)
    mode = "avg" if settings.mode in ("l2", "sum") else settings.mode
    alpha = to_pixels(pool2d(alpha, mode=mode, **windows), alpha.dtype)
    return picture._replace(
        pixels=pixels, alpha=opacity(alpha) if settings.range == "raw" else alpha
    )


def _visible(pixels: Array, alpha: Array, mode: str, windows: dict[str, Any]) -> Array:
    weights = opacity(alpha)
    if pixels.ndim == 3:
        weights = np.repeat(weights[:, :, np.newaxis], pixels.shape[2], axis=2)
    if mode in ("max", "min"):
        limits = np.iinfo(pixels.dtype)
        hidden = limits.min if mode == "max" else limits.max
        best = pool2d(np.where(weights > 0, pixels, hidden), mode=mode, **windows)
        return np.where(pool2d(weights, mode="max", **windows) > 0, best, 0)
    if mode == "median":
        return _visible_median(pixels, weights, windows)
    values = np.square(pixels, dtype=np.float64) if mode == "l2" else pixels
    total = pool2d(values * weights, mode="sum", **windows)
    if mode == "sum":
        return total
    if mode == "l2":
        return np.sqrt(total)
    cover = pool2d(weights, mode="sum", **windows)
    return np.divide(total, cover, out=np.zeros_like(total), where=cover > 0)


def _visible_median(pixels: Array, weights: Array, windows: dict[str, Any]) -> Array:
    """Return medians of visible values, 0 where there are none.

    Each pixel is written twice, one below the other: a visible one as itself, a hidden one as a
    huge negative and a huge positive value, which balance and so leave the median to the others.
    """
    huge = np.float32(1e38)
    doubled = np.empty((2 * pixels.shape[0], *pixels.shape[1:]), np.float32)
    doubled[::2] = np.where(weights > 0, pixels, -huge)
    doubled[1::2] = np.where(weights > 0, pixels, huge)
    rows, columns = windows["size"]
    steps = windows.get("stride") or (rows, columns)
    pads = windows.get("padding", (0, 0))
    taller = {
        "size": (2 * rows, columns),
        "stride": (2 * steps[0], steps[1]),
        "padding": (2 * pads[0], pads[1]),
    }
    return pool2d(doubled, mode="median", **{**windows, **taller})
