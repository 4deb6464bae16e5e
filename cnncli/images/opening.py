"""Open and decode a file with Pillow, in a thread ahead of its use if wanted; no NumPy here."""

import io
import mmap
import os
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from cnncli.errors import ImageReadError
from cnncli.images.heif import is_heif
from cnncli.limits import max_pixels
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

# Bytes that Pillow hands to a decoder at a time: four times as many are no faster, and 4 MB more.
_BLOCK = 1 << 18
_CHUNK = 1 << 16  # bytes of compressed pixels in a part
_SMALL = 1 << 16  # bytes of a file that is decoded in no time
_STRIPE = 64  # columns that tell how far a decoder is


class Opened:
    """A picture's file, opened; its pixels are decoded from the top down, and used meanwhile.

    Pillow does not say how far it is. But a PNG or a JPEG is decoded into a canvas that was black:
    rows above one that is not black any more are there. (A black stripe is waited out.) A command
    on a PNG of 12 MP takes 0.83 times as long as one that decodes first (n = 5, two cores).

    Parameters
    ----------
    image
        Pillow's, with nothing decoded.
    file
        Closed once the pixels are decoded.
    name, limit
        For messages, and pixels of the largest picture allowed.
    scale
        Pixels of the file, across, for one of the image.
    """

    def __init__(self, image: Any, file: BinaryIO, name: str, limit: int, scale: int = 1) -> None:
        self.image, self.scale = image, scale
        self._file, self._name, self._limit = file, name, limit
        self._canvas, self._done, self._more = image, 0, threading.Condition()
        self._error: BaseException | None = None
        self._read = _blocks(image, file)
        self.streams = self._read is not None
        self.info = _info(image, self.streams)  # what a result keeps
        if not self.streams:
            self.decode()
            self.wait(1)
        self.orientation = _orientation(image, self.info, self.streams)  # from 1 to 8, as in EXIF

    def decode(self) -> None:
        """Decode all pixels; what goes wrong is raised where they are waited for."""
        try:
            with self._file:
                if self._read is not None:
                    self._watch(self._read)
                self.image.load()
            check_size(self.image.size, self._name, self._limit)  # an ICO need not tell the truth
        except BaseException as error:
            self._error = error
        self._canvas = self.image
        self._tell(self.image.height)

    def _watch(self, read: Callable[[int], bytes]) -> None:
        from PIL import Image

        self._canvas = canvas = Image.new(self.image.mode, self.image.size)
        self.image.im = canvas.im
        left, height = canvas.width // 2, canvas.height
        right = min(left + _STRIPE, canvas.width)

        def read_on(size: int) -> bytes:
            stripe = canvas.crop((left, self._done, right, height))
            if box := stripe.getbbox():
                self._tell(self._done + box[3] - 1)
            return read(size)

        self.image.load_read = read_on  # Pillow's hook for formats whose data lie in blocks

    def _tell(self, rows: int) -> None:
        with self._more:
            self._done = rows
            self._more.notify_all()

    def wait(self, rows: int) -> None:
        """Wait until so many rows are decoded; raise ImageReadError if they cannot be."""
        with self._more:
            while self._done < rows:
                self._more.wait()
        if self._error is not None:
            with readable(self._name):
                raise self._error

    def convert(self, mode: str) -> None:
        """Go on with the picture in another of Pillow's modes."""
        self.image = self._canvas = self.image.convert(mode)

    def rows(self, top: int, bottom: int) -> bytes:
        """Return the bytes of some rows once they are decoded."""
        self.wait(bottom)
        return bytes(self._canvas.crop((0, top, self.image.width, bottom)).tobytes())


def _blocks(image: Any, file: BinaryIO) -> Callable[[int], bytes] | None:
    """Return what reads a picture's data, if they go from the top down, and end with the file."""
    if image.mode not in ("L", "RGB") or "transparency" in image.info:
        return None
    if image.format == "JPEG":
        return image.load_read  # type: ignore[no-any-return]
    if image.format != "PNG" or image.info.get("interlace") or isinstance(file, io.BytesIO):
        return None  # what came through a pipe is in memory as it is
    if not (found := _data_of_png(file)):
        return None
    left = iter(found)

    def read_chunks(size: int) -> bytes:
        """Read several chunks at once: after each read Python's lock is waited for."""
        some = list(islice(left, max(1, size // _CHUNK)))
        start = some[0][0] if some else 0
        file.seek(start)
        data = file.read(some[-1][1] - start if some else 0)
        file.seek(0, os.SEEK_END)  # Pillow finds nothing further
        return b"".join([data[at - start : end - start] for at, end in some])

    return read_chunks


def _data_of_png(file: BinaryIO) -> list[tuple[int, int]]:
    """Return where parts of the pixels begin and end; none if anything comes after them."""
    found = list[tuple[int, int]]()
    # Each read would give up Python's lock and wait for it, a thousand times for a large file.
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = 8
        while (name := data[place + 4 : place + 8]) != b"IEND":
            start, end = place + 8, place + 8 + int.from_bytes(data[place : place + 4], "big")
            if name == b"IDAT":
                found += [(at, min(at + _CHUNK, end)) for at in range(start, end, _CHUNK)]
            elif found or len(name) < 4:  # a text, another frame, or the file is cut off
                return []
            place = end + 4
    return found


def _opened_by_pillow(file: BinaryIO, name: str) -> Any:
    """Return Pillow's image; the two most frequent formats come without the others' plug-ins.

    Without these a command on 28x28 pixels takes 0.96 times as long (n = 5, two cores). And their
    size is known before Pillow refuses it, so that the message can say it.
    """
    from PIL import Image

    start = file.read(8)
    file.seek(0)
    with suppress(SyntaxError, IndexError, TypeError, struct.error):  # as Image.open does
        if start == b"\x89PNG\r\n\x1a\n":
            from PIL.PngImagePlugin import PngImageFile

            return PngImageFile(file)
        if start[:3] == b"\xff\xd8\xff":
            from PIL.JpegImagePlugin import jpeg_factory

            return jpeg_factory(file)
    return Image.open(file, formats=(*_FORMATS, "HEIF") if is_heif(file, name) else _FORMATS)


_ahead: dict[tuple[str, int | None], "SimpleQueue[Opened | None]"] = {}  # at most one


def decode_ahead(source: str, enough: int | None = None) -> None:
    """Begin to decode a picture that will probably be asked for, while NumPy is still imported.

    A command on a JPEG of 12 MP takes 0.86 times as long with it (n = 5, two cores).
    It is a guess and changes nothing: who asks for another picture, or for one that cannot be
    read, goes the usual way. What is no regular file (a pipe) can be read once only, and not here;
    of a small file two threads that import Pillow and NumPy only wait for each other: a command on
    28x28 pixels took 1.05 times as long (n = 40).
    """
    if os.path.isfile(source) and os.path.getsize(source) > _SMALL:  # noqa: PTH113, PTH202 (Path's raise for a name too long)
        _ahead[source, enough] = SimpleQueue()
        arguments = source, enough, _ahead[source, enough]
        threading.Thread(target=_open_ahead, args=arguments, daemon=True).start()


def _open_ahead(source: str, enough: int | None, answer: "SimpleQueue[Opened | None]") -> None:
    opened = None
    with suppress(Exception), ExitStack() as closing:
        file = closing.enter_context(Path(source).open("rb"))
        if file.read(2) not in (b"P5", b"P6"):  # PNM is read without Pillow
            file.seek(0)
            opened = open_image(file, source, max_pixels(), enough)
            closing.pop_all()  # it is closed when all is decoded
    answer.put(opened)
    if opened is not None and opened.streams:
        opened.decode()


def take_ahead(source: str, enough: int | None = None) -> Opened | None:
    """Return the picture if :func:`decode_ahead` was told of it; once, so its memory is freed.

    It is opened then, and may be decoding; it is None for PNM and for what went wrong.
    """
    answer = _ahead.pop((source, enough), None)
    return None if answer is None else answer.get()


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
    """Open a file with Pillow, if it has at most so many pixels; it is closed in the end.

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
        image = _opened_by_pillow(file, name)
        check_size(image.size, name, limit)
        image.decodermaxblock = _BLOCK
        width = image.width
        if enough is not None:
            image.draft(None, (enough, enough))
        return Opened(image, file, name, limit, round(width / image.width))
    except Image.DecompressionBombError:
        raise _too_large(name, f"claims more than {2 * limit} pixels", limit) from None
    except UnidentifiedImageError:
        raise ImageReadError(
            f"{name} is not a picture that can be read; give a PNG, JPEG, TIFF, WebP, BMP, "
            "GIF or PNM file"
        ) from None


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


def _info(image: Any, streams: bool) -> dict[str, Any]:
    """Collect what a result keeps; called before the pixels are decoded."""
    info: dict[str, Any] = {"format": image.format, "notices": _notices(image)}
    info.update({key: image.info[key] for key in _KEPT if key in image.info})
    if "dpi" in info and not all(0 < float(value) < 1e6 for value in info["dpi"]):
        del info["dpi"]  # one inch of nothing (1/0): no format can be told that
    if image.format == "MPO":
        info["format"] = "JPEG"  # its first picture is one, and so is the result
    if image.format == "PNG":  # to ask for its texts decodes the pixels: more may come after them
        text = (
            {k: v for k, v in image.info.items() if isinstance(v, str)} if streams else image.text
        )
        info["text"] = {key: str(value) for key, value in text.items()}
    return info


def _orientation(image: Any, info: dict[str, Any], streams: bool) -> int:
    """Return the EXIF orientation, and keep the other EXIF fields for the result."""
    from PIL import Image

    exif = Image.Image.getexif(image) if streams else image.getexif()  # a PNG's own decodes it
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
