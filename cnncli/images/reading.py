"""From a file or stdin to a :class:`~cnncli.images.picture.Picture`."""

import io
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.config import max_pixels
from cnncli.errors import ImageReadError
from cnncli.images import pnm
from cnncli.images.picture import Picture

_ORIENTATION = 0x0112  # the EXIF tag
_KEPT = ("icc_profile", "dpi", "comment", "compression")  # a result takes them over

# Formats that are pixels and nothing else. Pillow knows more, and some of them run programs (an
# EPS is handed to Ghostscript) or draw vectors. Those of the first line need no further plug-in.
_FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "GIF", "PPM"),
    *("TIFF", "WEBP", "AVIF", "JPEG2000", "ICO", "QOI", "TGA"),
)

# A stream may be as long as the largest picture is without compression, and some metadata.
_MAX_BYTES_PER_PIXEL = 8  # four channels of 16 bits
_MAX_OTHER_BYTES = 64 << 20

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
        return _in_memory(sys.stdin.buffer, name)
    try:
        file = Path(source).open("rb")  # noqa: SIM115 (the caller closes it)
        if file.seekable():
            return file
        with file:  # a pipe with a name, such as the shell's <(command)
            return _in_memory(file, name)
    except FileNotFoundError:
        raise ImageReadError(f"{name}: no such file; check the path") from None
    except IsADirectoryError:
        raise ImageReadError(f"{name} is a folder; name a picture in it") from None
    except OSError as error:
        raise ImageReadError(
            f"{name}: {error.strerror or error}; check the path and its permissions"
        ) from None


def _in_memory(stream: BinaryIO, name: str) -> BinaryIO:
    """Read a stream that cannot be rewound, up to what the largest picture allowed may take."""
    most = _MAX_BYTES_PER_PIXEL * max_pixels() + _MAX_OTHER_BYTES
    data = stream.read(most + 1)
    if not data:
        raise ImageReadError(f"{name} is empty; pipe a picture into it")
    if len(data) > most:
        raise ImageReadError(
            f"{name} sends more than {most} bytes, more than {max_pixels()} pixels need; "
            "raise --max-pixels if it is a picture"
        )
    return io.BytesIO(data)


def _decode(file: BinaryIO, name: str) -> Picture:
    try:
        return _decode_pnm(file, name) or _decode_pillow(file, name)
    except ImageReadError:
        raise
    except MemoryError:
        raise ImageReadError(f"{name} does not fit into memory; scale it down first") from None
    except Exception as error:  # decoders raise whatever the damage leads to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageReadError(f"{name} is damaged or cut off ({reason}); get a whole copy") from None


def _decode_pnm(file: BinaryIO, name: str) -> Picture | None:
    header = pnm.read_header(file) if file.seekable() else None
    if header is None:
        return None
    width, height, channels, maximum = header
    _check_size((width, height), name)
    mode = "RGB" if channels == 3 else "L" if maximum == 255 else "I;16"
    return Picture(pnm.read_pixels(file, header), None, mode, {"format": "PPM", "notices": ()})


def _decode_pillow(file: BinaryIO, name: str) -> Picture:
    from PIL import Image, UnidentifiedImageError

    # Pillow's own check also sees a picture inside another one (an ICO's PNG); up to twice its
    # limit it only warns, and the check below refuses with a message that helps.
    Image.MAX_IMAGE_PIXELS = max_pixels()
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError:
        raise _too_large(name, f"claims more than {2 * max_pixels()} pixels") from None
    except UnidentifiedImageError:
        raise ImageReadError(
            f"{name} is not a picture that can be read; give a PNG, JPEG, TIFF, WebP, BMP, "
            "GIF or PNM file"
        ) from None
    with image:
        _check_size(image.size, name)
        info = _info(image)
        image.load()
        _check_size(image.size, name)  # an ICO's directory need not tell the truth
        return _to_picture(image, info, name)


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > max_pixels():
        raise _too_large(name, f"has {width}x{height} pixels")
    if width < 1 or height < 1:
        raise ImageReadError(f"{name} has {width}x{height} pixels; give a picture that has some")


def _too_large(name: str, what: str) -> ImageReadError:
    return ImageReadError(
        f"{name} {what} and the limit is {max_pixels()}; raise it with --max-pixels if you trust it"
    )


def _to_picture(image: Any, info: dict[str, Any], name: str) -> Picture:
    decoded, orientation = image.mode, _orientation(image, info)
    working = _WORKING_MODE.get(decoded)
    if working is None:
        raise ImageReadError(f"{name} has the mode {decoded}; convert it to RGB first")
    if decoded == "P" and _is_grey(image.getpalette("RGB")):
        working = "L"
    if "transparency" in image.info and working in ("L", "RGB"):
        working += "A"  # a palette with transparency, or one colour that stands for clear
    if working not in (decoded, "I;16"):
        image = image.convert(working)
    pixels, alpha = _split(_upright(np.asarray(image), orientation), working)
    return Picture(pixels, alpha, decoded, info)


def _is_grey(palette: list[int]) -> bool:
    return palette[::3] == palette[1::3] == palette[2::3]


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
    """Collect what a result keeps; called before the pixels are decoded."""
    info: dict[str, Any] = {"format": image.format, "notices": _notices(image)}
    info.update({key: image.info[key] for key in _KEPT if key in image.info})
    if image.format == "MPO":
        info["format"] = "JPEG"  # its first picture is one, and so is the result
    if text := getattr(image, "text", None):
        info["text"] = {key: str(value) for key, value in text.items()}
    return info


def _orientation(image: Any, info: dict[str, Any]) -> int:
    """Return the EXIF orientation, and keep the other EXIF fields for the result."""
    exif = image.getexif()
    orientation = int(exif.get(_ORIENTATION, 1))
    if "exif" in image.info:  # in a TIFF the fields describe its strips, and are not kept
        exif.pop(_ORIENTATION, None)  # the pixels are upright now
        info["exif"] = exif.tobytes()
    return orientation


def _notices(image: Any) -> tuple[str, ...]:
    notices = []
    # A phone's MPO file holds smaller copies of the same picture, not an animation.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        notices.append("has several frames; the first one is used")
    if image.mode in ("RGB", "RGBA", "LA") and _has_16_bits(image):
        notices.append("has 16 bits a channel; they are read as 8")
    return tuple(notices)


def _has_16_bits(image: Any) -> bool:
    arguments = image.tile[0].args if image.tile else ""
    return ";16" in str(arguments) or (image.format == "PPM" and "65535" in str(arguments))
