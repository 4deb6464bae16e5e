"""A picture of any depth and transparency as plain uint8 colours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.images import Picture, to_uint8_grey, to_uint8_rgb

BRIGHT = 170  # an opaque part without anything darker needs a black ground to be seen
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def to_colours(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture as uint8 ``(H, W, 1)`` or ``(H, W, 3)``, transparent parts filled.

    Transparent parts become white, or black where everything that is opaque is bright: white ink
    on nothing stays visible. Deep integers keep their highest used bits.
    """
    picture = picture._replace(
        pixels=_highest_bits(picture.pixels),
        alpha=None if picture.alpha is None else _eight_bits(picture.alpha),
    )
    if picture.pixels.ndim == 2 and picture.alpha is None:
        return to_uint8_grey(picture)[:, :, np.newaxis]
    return to_uint8_rgb(picture, BLACK if _is_bright(picture) else WHITE)


def to_channels(colours: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Return uint8 ``(H, W, 1 or 3)`` colours with the number of channels that is asked for."""
    if colours.shape[2] == channels:
        return colours
    if channels == 1:
        return to_uint8_grey(Picture(colours))[:, :, np.newaxis]
    return np.repeat(colours, channels, axis=2)


def _highest_bits(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return integers as uint8 so that the largest value uses the highest bit (12-bit scans)."""
    if pixels.dtype == np.uint8 or pixels.dtype.kind == "f":
        return pixels
    positive = np.maximum(pixels, 0)
    bits = int(positive.max(initial=0)).bit_length()
    return np.asarray(np.right_shift(positive, max(bits - 8, 0)), np.uint8)


def _eight_bits(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    if alpha.dtype == np.uint8:
        return alpha
    most = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1.0
    scaled = np.clip(alpha.astype(np.float32) / most, 0, 1) * 255
    return np.asarray(np.floor(scaled + 0.5), np.uint8)


def _is_bright(picture: Picture) -> bool:
    """Tell whether nothing opaque is dark, and something is transparent."""
    if picture.alpha is None or picture.alpha.min() > 127:
        return False
    grey = to_uint8_grey(picture._replace(alpha=None))
    opaque = grey[picture.alpha > 127]
    return opaque.size > 0 and int((opaque <= BRIGHT).sum()) <= 0.05 * (opaque.size - 1)
