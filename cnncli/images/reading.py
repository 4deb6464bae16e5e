"""From a file or stdin to a :class:`~cnncli.images.picture.Picture`."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.config import max_pixels as allowed_pixels
from cnncli.errors import ImageReadError
from cnncli.images import pnm
from cnncli.images.opening import (
    Opened,
    check_size,
    open_image,
    open_source,
    readable,
    take_ahead,
)
from cnncli.images.picture import Picture

_BAND_BYTES = 1 << 19  # copied at a time; stays in the cache
_DTYPES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "I": "=i4", "F": "=f4"}

# What Pillow may decode to, and the mode in which cnncli works. Only the nearest mode without
# loss is used: a palette becomes the colours it stands for, bilevel becomes 0 and 255.
_WORKING_MODE = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "CMYK": "CMYK",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I;16N": "I;16",
    "I": "I",
    "F": "F",
}


def read_picture(
    source: Path | str, *, max_pixels: int | None = None, enough: int | None = None
) -> Picture:
    """Read a picture, turned upright by its EXIF orientation.

    Of an animated file the first frame is read, and a notice says so.

    Parameters
    ----------
    source
        Path of a file, or ``"-"`` for stdin.
    max_pixels
        Refuse larger pictures; by default those above :func:`cnncli.config.max_pixels`.
    enough
        Pixels of the shorter side that are enough: a JPEG that has many more is decoded at a half,
        a quarter or an eighth of its size, and the picture's `scale` says so.

    Returns
    -------
    Picture
        Pixels and alpha apart; see :class:`~cnncli.images.picture.Picture`.

    Raises
    ------
    ImageReadError
        If the file is missing, is no picture, is damaged, or is larger than the limit.
    """
    name = "stdin" if str(source) == "-" else str(source)
    limit = max_pixels or allowed_pixels()
    opened = take_ahead(str(source), enough)
    if opened is not None:
        check_size(opened.image.size, name, limit)
        with readable(name):
            return _to_picture(opened, name)
    with open_source(source, limit) as file, readable(name):
        picture = _read_pnm(file, name, limit)
        return picture or _to_picture(open_image(file, name, limit, enough), name)


def _read_pnm(file: BinaryIO, name: str, limit: int) -> Picture | None:
    header = pnm.read_header(file) if file.seekable() else None
    if header is None:
        return None
    width, height, channels, maximum = header
    check_size((width, height), name, limit)
    mode = "RGB" if channels == 3 else "L" if maximum == 255 else "I;16"
    return Picture(pnm.read_pixels(file, header), None, mode, {"format": "PPM", "notices": ()})


def _to_picture(opened: Opened, name: str) -> Picture:
    image, decoded = opened.image, opened.image.mode
    working = _WORKING_MODE.get(decoded)
    if working is None:
        raise ImageReadError(f"{name} has the mode {decoded}; convert it to RGB first")
    if decoded == "P" and _is_grey(image.getpalette("RGB")):
        working = "L"
    if "transparency" in image.info and working in ("L", "RGB"):
        working += "A"  # a palette with transparency, or one colour that stands for clear
    if working not in (decoded, "I;16"):
        image = image.convert(working)
    pixels, alpha = (_upright(part, opened.orientation) for part in _arrays(image, working))
    return Picture(pixels, alpha, decoded, opened.info, opened.scale)


def _is_grey(palette: list[int]) -> bool:
    return palette[::3] == palette[1::3] == palette[2::3]


def _arrays(image: Any, mode: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Copy a Pillow image into arrays, band after band.

    ``np.asarray(image)`` asks Pillow for the bytes of the whole picture several times over; a
    band's bytes are still in the cache when they are copied to their place.
    """
    width, height = image.size
    channels = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    dtype = np.dtype(_DTYPES.get(image.mode, np.uint8))
    colours = channels - mode.endswith("A")
    shape = (height, width) if colours == 1 else (height, width, colours)
    pixels = np.empty(shape, dtype.newbyteorder("="))
    alpha = np.empty((height, width), np.uint8) if mode.endswith("A") else None
    step = max(1, _BAND_BYTES // (width * channels * dtype.itemsize))
    for top in range(0, height, step):
        bottom = min(height, top + step)
        data = image.crop((0, top, width, bottom)).tobytes()
        band = np.frombuffer(data, dtype).reshape(bottom - top, width, channels)
        pixels[top:bottom] = band[..., 0] if colours == 1 else band[..., :colours]
        if alpha is not None:
            alpha[top:bottom] = band[..., -1]
    return pixels, alpha


def _upright(array: NDArray[Any] | None, orientation: int) -> Any:
    """Return the array turned as the EXIF tag 274 asks (values 1 to 8; others mean upright)."""
    if array is None:
        return None
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
