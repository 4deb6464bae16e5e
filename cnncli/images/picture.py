"""A decoded picture: pixels, alpha and what else the file said."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Weights of red, green and blue in luma: ITU-R BT.601, in 1/65536 as Pillow and JPEG use them.
_LUMA = (19595, 38470, 7471)


class Picture(NamedTuple):
    """One picture in memory, upright.

    Parameters
    ----------
    pixels
        ``(H, W)`` grey or ``(H, W, C)`` colour without alpha: uint8, uint16, int32 or float32.
        On their way through a command they may be :class:`~cnncli.rows.Rows`.
    alpha
        ``(H, W)`` opacity of the same depth, or None where everything is opaque.
    mode
        Pillow's name of the mode as decoded from the file (``"P"``, ``"I;16"``, …).
    info
        What a copy keeps: ``format``, ``icc_profile``, ``dpi``, ``exif``, …; ``notices`` is a
        tuple of sentences about what could not be taken over from the file.
    scale
        Pixels of the file, across, for one of these: above 1 where it was decoded smaller.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    mode: str = "L"
    info: Mapping[str, Any] = {}
    scale: int = 1

    def whole(self) -> "Picture":
        """Return the picture with all of its rows in memory."""
        return self._replace(pixels=np.asarray(self.pixels))

    @property
    def kind(self) -> str:
        """What the arrays hold, in Pillow's names; ``"F*C"`` where Pillow has none.

        >>> Picture(np.zeros((2, 2, 3), np.uint8), mode="P").kind
        'RGB'
        """
        channels = 1 if self.pixels.ndim == 2 else self.pixels.shape[2]
        if self.pixels.dtype == np.uint8:
            name = {1: "L", 3: "RGB", 4: "CMYK"}.get(channels)
            if name:
                return name + ("A" if self.alpha is not None else "")
        single = {"uint16": "I;16", "int32": "I", "float32": "F"}.get(self.pixels.dtype.name)
        if single and channels == 1 and self.alpha is None:
            return single
        return f"{self.pixels.dtype.name}*{channels + (self.alpha is not None)}"


def to_uint8_rgb(
    picture: Picture, background: tuple[int, int, int] = (255, 255, 255)
) -> NDArray[np.uint8]:
    """Return the picture as a screen shows it, uint8 ``(H, W, 3)``.

    Deeper pixels are scaled to 8 bits (16-bit by their full range, float by their own), CMYK is
    converted, and a transparent picture lies on `background`.
    """
    pixels = _to_uint8(picture.pixels)
    if picture.pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _from_cmyk(pixels)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
    if picture.alpha is None:
        return pixels
    opacity = _to_uint8(picture.alpha).astype(np.uint32)[:, :, np.newaxis]
    ground = np.array(background, np.uint32)
    mixed = (pixels * opacity + ground * (255 - opacity) + 127) // 255
    return mixed.astype(np.uint8)


def to_uint8_grey(picture: Picture) -> NDArray[np.uint8]:
    """Return the luma of :func:`to_uint8_rgb`, uint8 ``(H, W)``; grey pictures stay exact."""
    if picture.pixels.ndim == 2 and picture.alpha is None:
        return _to_uint8(picture.pixels)
    rgb = to_uint8_rgb(picture).astype(np.uint32)
    luma: NDArray[np.uint32] = rgb @ np.array(_LUMA, np.uint32)
    return ((luma + 32768) >> 16).astype(np.uint8)


def rounded(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return numbers as pixels from 0 to 255, rounded half up."""
    pixels: NDArray[np.uint8] = np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)
    return pixels


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        top: NDArray[np.uint8] = np.right_shift(pixels, 8).astype(np.uint8)
        return top
    finite = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and 1 < high <= 255:  # grey levels of an 8-bit picture, kept as real numbers
        low, high = 0.0, 255.0
    return rounded(np.multiply(np.subtract(finite, low), 255 / ((high - low) or 1.0)))


def _from_cmyk(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    light = 255 - pixels.astype(np.uint32)
    mixed: NDArray[np.uint32] = (light[:, :, :3] * light[:, :, 3:] + 127) // 255
    return mixed.astype(np.uint8)
