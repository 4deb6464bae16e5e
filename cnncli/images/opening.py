"""Open and decode a file with Pillow, in a thread ahead of its use if wanted; no NumPy here."""

import io
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from cnncli.config import max_pixels
from cnncli.errors import ImageReadError
from cnncli.images.heif import is_heif
from cnncli.remote import is_url, read_object

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

# Bytes that Pillow hands to a decoder at a time. For every block a decoder that works ahead waits
# for Python's lock, and Pillow's own blocks of 64 KB are many.
_BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A decoded Pillow image.

    Parameters
    ----------
    image
        With its pixels loaded.
    info
        What :class:`~cnncli.images.picture.Picture` keeps.
    orientation
        EXIF's number from 1 to 8.
    scale
        Pixels of the file, across, for one of the image.
    """

    image: Any
    info: dict[str, Any]
    orientation: int
    scale: int = 1


class _Ahead:
    """A picture that is decoded in a thread of its own before anybody asks for it."""

    def __init__(self, source: str, enough: int | None) -> None:
        self.source = source
        self.enough = enough
        self._opened: Opened | None = None
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def _open(self) -> None:
        with suppress(Exception), Path(self.source).open("rb") as file:
            if file.read(2) not in (b"P5", b"P6"):  # PNM is read without Pillow
                file.seek(0)
                self._opened = open_image(file, self.source, max_pixels(), self.enough)

    def result(self) -> Opened | None:
        """Return the picture once it is decoded, None for PNM and for what went wrong."""
        self._thread.join()
        return self._opened


_ahead: list[_Ahead] = []  # at most one


def decode_ahead(source: str, enough: int | None = None) -> None:
    """Begin to decode a picture that will probably be asked for, while NumPy is still imported.

    Without it a command on a JPEG of 12 MP took 1.04 times as long and one on a PNG 1.02 times
    (medians of 9 and 5 pairs, two busy cores; not measured on quiet ones). It is a guess and
    changes nothing: who asks for another picture, or for one that cannot be read, goes the usual
    way. What is no regular file (a pipe) can be read once only, and not here.
    """
    if os.path.isfile(source):  # noqa: PTH113 (Path's raises for a name too long)
        _ahead.append(_Ahead(source, enough))


def take_ahead(source: str, enough: int | None = None) -> Opened | None:
    """Return the picture if :func:`decode_ahead` was told of it; once, so its memory is freed."""
    if _ahead and (_ahead[0].source, _ahead[0].enough) == (source, enough):
        return _ahead.pop().result()
    return None


def open_source(source: Path | str, limit: int) -> BinaryIO:
    """Open a file, a whole object, or all of stdin for ``"-"``.

    Parameters
    ----------
    source
        A path.
    limit
        Pixels of the largest picture allowed: a stream is read as far as that may take.

    Raises
    ------
    ImageReadError
        If there is nothing to read, or more than the largest picture allowed.
    """
    if is_url(str(source)):
        return io.BytesIO(read_object(str(source)))
    if str(source) == "-":
        return _in_memory(sys.stdin.buffer, "stdin", limit)
    try:
        file = Path(source).open("rb")  # noqa: SIM115 (the caller closes it)
        if file.seekable():
            return file
        with file:  # a pipe with a name, such as the shell's <(command)
            return _in_memory(file, str(source), limit)
    except FileNotFoundError:
        raise ImageReadError(f"{source}: no such file; check the path") from None
    except IsADirectoryError:
        raise ImageReadError(f"{source} is a folder; name a picture in it") from None
    except OSError as error:
        raise ImageReadError(
            f"{source}: {error.strerror or error}; check the path and its permissions"
        ) from None


def _in_memory(stream: BinaryIO, name: str, limit: int) -> BinaryIO:
    """Read a stream that cannot be rewound, up to what the largest picture allowed may take."""
    most = _MAX_BYTES_PER_PIXEL * limit + _MAX_OTHER_BYTES
    data = stream.read(most + 1)
    if not data:
        raise ImageReadError(f"{name} is empty; pipe a picture into it")
    if len(data) > most:
        raise ImageReadError(
            f"{name} sends more than {most} bytes, more than {limit} pixels need; "
            "raise --max-pixels if it is a picture"
        )
    return io.BytesIO(data)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one line that names the file."""
    try:
        yield
    except ImageReadError:
        raise
    except MemoryError:
        raise ImageReadError(f"{name} does not fit into memory; scale it down first") from None
    except Exception as error:  # decoders raise whatever the damage leads to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageReadError(f"{name} is damaged or cut off ({reason}); get a whole copy") from None


def open_image(file: BinaryIO, name: str, limit: int, enough: int | None = None) -> Opened:
    """Decode a file with Pillow, if it has at most so many pixels.

    Of a JPEG whose shorter side has at least twice, four or eight times `enough` pixels, blocks
    of as many pixels are averaged while it is decoded: 12 MP take a third of the time.

    Raises
    ------
    ImageReadError
        If it is no picture or too large; what a broken one raises is left to :func:`readable`.
    """
    from PIL import Image, UnidentifiedImageError

    # Pillow's own check also sees a picture inside another one (an ICO's PNG); up to twice its
    # limit it only warns, and the check below refuses with a message that helps.
    Image.MAX_IMAGE_PIXELS = limit
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        formats = (*_FORMATS, "HEIF") if is_heif(file, name) else _FORMATS
        image = Image.open(file, formats=formats)
    except Image.DecompressionBombError:
        raise _too_large(name, f"claims more than {2 * limit} pixels", limit) from None
    except UnidentifiedImageError:
        raise ImageReadError(
            f"{name} is not a picture that can be read; give a PNG, JPEG, TIFF, WebP, BMP, "
            "GIF or PNM file"
        ) from None
    check_size(image.size, name, limit)
    info = _info(image)
    image.decodermaxblock = _BLOCK
    width = image.width
    if enough is not None:
        image.draft(None, (enough, enough))
    image.load()
    check_size(image.size, name, limit)  # an ICO's directory need not tell the truth
    return Opened(image, info, _orientation(image, info), round(width / image.width))


def check_size(size: tuple[int, int], name: str, limit: int) -> None:
    """Refuse a picture without pixels, or with too many."""
    width, height = size
    if width * height > limit:
        raise _too_large(name, f"has {width}x{height} pixels", limit)
    if width < 1 or height < 1:
        raise ImageReadError(f"{name} has {width}x{height} pixels; give a picture that has some")


def _too_large(name: str, what: str, limit: int) -> ImageReadError:
    return ImageReadError(
        f"{name} {what} and the limit is {limit}; raise it with --max-pixels if you trust it"
    )


def _info(image: Any) -> dict[str, Any]:
    """Collect what a result keeps; called before the pixels are decoded."""
    info: dict[str, Any] = {"format": image.format, "notices": _notices(image)}
    info.update({key: image.info[key] for key in _KEPT if key in image.info})
    if "dpi" in info and not all(0 < float(value) < 1e6 for value in info["dpi"]):
        del info["dpi"]  # one inch of nothing (1/0): no format can be told that
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
