"""From a file or stdin to a :class:`~cnncli.images.picture.Picture`."""

import io
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.config import max_pixels
from cnncli.errors import ImageReadError
from cnncli.images.picture import Picture

_ORIENTATION = 0x0112  # the EXIF tag
_KEPT = ("icc_profile", "dpi", "comment", "xmp")  # taken over to a result as they are

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


def read_picture(source: Path | str) -> Picture:
    """Read a picture, turned upright by its EXIF orientation.

    Of an animated file the first frame is read, and a notice says so.

    Parameters
    ----------
    source
        Path of a file, or ``"-"`` for stdin.

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
    file = _open(source, name)
    with file:
        return _decode(file, name)


def _open(source: Path | str, name: str) -> BinaryIO:
    if str(source) == "-":
        data = sys.stdin.buffer.read()
        if not data:
            raise ImageReadError("stdin is empty; pipe a picture into it")
        return io.BytesIO(data)
    try:
        return Path(source).open("rb")
    except FileNotFoundError:
        raise ImageReadError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise ImageReadError(f"{name} is a folder; name a picture in it") from None
    except OSError as error:
        raise ImageReadError(
            f"{name}: {error.strerror or error}; check the path and its permissions"
        ) from None


def _decode(file: BinaryIO, name: str) -> Picture:
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # the limit is checked here, with a message that helps
    try:
        with Image.open(file) as image:
            _check_size(image.size, name)
            image.load()
            return _to_picture(image, name)
    except UnidentifiedImageError:
        raise ImageReadError(
            f"{name} is not a picture that can be read; give a PNG, JPEG, TIFF, WebP, BMP, "
            "GIF or PNM file"
        ) from None
    # Pillow's decoders raise whatever the damage leads to.
    except (OSError, SyntaxError, ValueError, EOFError, ArithmeticError, LookupError) as error:
        raise ImageReadError(f"{name} is damaged or cut off ({error}); get a whole copy") from None
    except MemoryError:
        raise ImageReadError(f"{name} does not fit into memory; scale it down first") from None


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > max_pixels():
        raise ImageReadError(
            f"{name} has {width}x{height} pixels and the limit is {max_pixels()}; "
            "set CNNCLI_MAX_PIXELS to allow more"
        )


def _to_picture(image: Any, name: str) -> Picture:
    decoded, info = image.mode, _info(image)
    orientation = image.getexif().get(_ORIENTATION, 1)
    working = _WORKING_MODE.get(decoded)
    if working is None:
        raise ImageReadError(f"{name} has the mode {decoded}; convert it to RGB first")
    if "transparency" in image.info and working in ("L", "RGB"):
        working += "A"  # a palette with transparency, or one colour that stands for clear
    if working not in (decoded, "I;16"):
        image = image.convert(working)
    pixels, alpha = _split(_upright(np.asarray(image), orientation), working)
    return Picture(pixels, alpha, decoded, info)


def _split(array: NDArray[Any], mode: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if mode == "I;16":
        array = array.astype(np.uint16, copy=False)  # native byte order
    if mode == "LA":
        return np.ascontiguousarray(array[:, :, 0]), np.ascontiguousarray(array[:, :, 1])
    if mode == "RGBA":
        return np.ascontiguousarray(array[:, :, :3]), np.ascontiguousarray(array[:, :, 3])
    return np.ascontiguousarray(array), None


def _upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view turned as the EXIF tag 274 asks (values 1 to 8; others mean upright)."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _info(image: Any) -> dict[str, Any]:
    info: dict[str, Any] = {"format": image.format}
    info.update({key: image.info[key] for key in _KEPT if key in image.info})
    if "exif" in image.info:
        exif = image.getexif()
        if _ORIENTATION in exif:
            exif[_ORIENTATION] = 1  # the pixels are upright now
        info["exif"] = exif.tobytes()
    if text := getattr(image, "text", None):
        info["text"] = dict(text)
    info["notices"] = _notices(image)
    return info


def _notices(image: Any) -> tuple[str, ...]:
    notices = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notices.append(f"has {frames} frames; the first one is used")
    return tuple(notices)
