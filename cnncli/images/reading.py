"""From a file or stdin to a :class:`~cnncli.images.picture.Picture`."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from cnncli.limits import max_pixels as allowed_pixels
from cnncli.rows import Rows

_DTYPES = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "I": "=i4", "F": "=f4"}

# What Pillow may decode to, and the mode in which cnncli works. Only the nearest mode without
# loss is used: a palette becomes the colours it stands for, bilevel becomes 0 and 255.
_WORKING_MODE = {mode: mode for mode in ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F")}
_WORKING_MODE |= {"1": "L", "La": "LA", "RGBa": "RGBA", "P": "RGB", "PA": "RGBA"}
_WORKING_MODE |= dict.fromkeys(("RGBX", "YCbCr", "HSV"), "RGB")
_WORKING_MODE |= dict.fromkeys(("I;16L", "I;16B", "I;16N"), "I;16")


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
        Refuse larger pictures; by default those above :func:`cnncli.limits.max_pixels`.
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
    return begin_picture(source, max_pixels=max_pixels, enough=enough).whole()


def begin_picture(
    source: Path | str,
    *,
    max_pixels: int | None = None,
    enough: int | None = None,
    threads: int = 1,
) -> Picture:
    """Begin to read a picture as :func:`read_picture` does.

    Where nothing has to be turned or taken apart the pixels are :class:`~cnncli.rows.Rows`: with
    several threads they are decoded while the first ones are used, and what goes wrong then is
    raised where they are asked for.
    """
    name = "stdin" if str(source) == "-" else str(source)
    limit = max_pixels or allowed_pixels()
    opened = take_ahead(str(source), enough)
    if opened is not None:
        check_size(opened.image.size, name, limit)
        with readable(name):
            return _to_picture(opened, name)
    file = open_source(source, limit)
    with readable(name), ExitStack() as closing:
        closing.enter_context(file)
        if header := pnm.read_header(file):
            check_size(header[:2], name, limit)
            return pnm.read_picture(file, header)
        opened = open_image(file, name, limit, enough)
        closing.pop_all()  # it is closed when all is decoded
        if opened.streams and threads > 1:
            threading.Thread(target=opened.decode, daemon=True).start()
        elif opened.streams:
            opened.decode()
        return _to_picture(opened, name)


def _to_picture(opened: Opened, name: str) -> Picture:
    decoded = opened.image.mode
    working = _WORKING_MODE.get(decoded)
    if working is None:
        raise ImageReadError(f"{name} has the mode {decoded}; convert it to RGB first")
    if decoded == "P" and _is_grey(opened.image.getpalette("RGB")):
        working = "L"
    if "transparency" in opened.image.info and working in ("L", "RGB"):
        working += "A"  # a palette with transparency, or one colour that stands for clear
    if working not in (decoded, "I;16"):
        opened.convert(working)
    pixels: Any = _rows(opened, working)
    if not working.endswith("A") and opened.orientation == 1 and pixels.dtype.itemsize <= 2:
        return Picture(pixels, None, decoded, opened.info, opened.scale)
    whole, alpha = _upright(np.asarray(pixels), opened.orientation), None
    if working.endswith("A"):
        colours = 0 if working == "LA" else np.s_[:3]
        whole, alpha = map(np.ascontiguousarray, (whole[..., colours], whole[..., -1]))
    return Picture(whole, alpha, decoded, opened.info, opened.scale)


def _is_grey(palette: list[int]) -> bool:
    return palette[::3] == palette[1::3] == palette[2::3]


def _rows(opened: Opened, mode: str) -> Rows:
    """Return the pixels as rows ``(H, W[, C])``, alpha among the channels."""
    width, height = opened.image.size
    channels = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    shape = (height, width, channels)[: 2 + (channels > 1)]
    dtype = np.dtype(_DTYPES.get(opened.image.mode, np.uint8))
    native = dtype.newbyteorder("=")

    def make(top: int, bottom: int) -> NDArray[Any]:
        band = np.frombuffer(opened.rows(top, bottom), dtype)
        return band.reshape(bottom - top, *shape[1:]).astype(native, copy=False)

    return Rows(shape, native, make)


def _upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the array turned as the EXIF tag 274 asks (values 1 to 8; others mean upright)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
