"""From a :class:`~cnncli.images.picture.Picture` to a file or stdout."""

import io
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import ImageWriteError
from cnncli.files import atomic_write
from cnncli.images import pnm
from cnncli.images.formats import (
    PILLOW_MODES,
    format_of,
    require_fit,
    save_options,
)
from cnncli.images.picture import Picture
from cnncli.remote import is_url, write_object

_LARGE = 4_000_000  # pixels, from which a JPEG file is encoded in strips
_SMALL = 1 << 18  # bytes, below which Pillow's PNG encoder is as good


def write_picture(
    path: Path | str,
    picture: Picture,
    format: str | None = None,  # noqa: A002 (Pillow's word)
    *,
    threads: int | None = None,
) -> None:
    """Write a picture whole, or leave nothing behind.

    Parameters
    ----------
    path
        The file; its suffix names the format. ``"-"`` writes to stdout.
    picture
        Pixels and alpha; the metadata in ``info`` that the format can carry is kept.
    format
        Overrides the suffix (``"PNG"``, ``"JPEG"``, ``"NPY"``, …); stdout gets PNG by default.
    threads
        At most so many for encoding; all processors by default.

    Raises
    ------
    ImageWriteError
        If the format is unknown, cannot hold this kind of picture, or the disk refuses.
    """
    if str(path) == "-":
        name = format or "PNG"
        require_fit(name, picture, "stdout")
        sys.stdout.buffer.write(_encoded(picture, name, threads))
        sys.stdout.buffer.flush()
        return
    name = format or format_of(Path(path))
    require_fit(name, picture, str(path))
    if is_url(str(path)):
        write_object(str(path), _encoded(picture, name, threads))
        return
    try:
        with atomic_write(Path(path)) as file:
            _encode(file, picture, name, threads)
    except OSError as error:
        raise ImageWriteError(
            f"{path}: {error.strerror or error}; check the folder, its permissions and free space"
        ) from None
    except MemoryError:
        raise ImageWriteError(f"{path} needs more memory than there is; use --jobs 1") from None
    except Exception as error:  # encoders raise many kinds for sizes and metadata they cannot hold
        raise ImageWriteError(f"{path}: {name} cannot hold this ({error}); write .png") from None


def _encoded(picture: Picture, name: str, threads: int | None) -> bytes:
    buffer = io.BytesIO()
    _encode(buffer, picture, name, threads)
    return buffer.getvalue()


def _encode(file: BinaryIO, picture: Picture, name: str, threads: int | None) -> None:
    if name == "NPY":
        np.save(file, _joined(picture), allow_pickle=False)
    elif name in ("PPM", "PFM"):
        pnm.write_pnm(file, picture.pixels)
    elif name == "TIFF" and picture.kind not in PILLOW_MODES:
        from cnncli.images import float_tiff

        channels = float_tiff.as_channels(picture.pixels, picture.alpha)
        float_tiff.write_float_tiff(file, channels, alpha=picture.alpha is not None)
    elif name == "JPEG" and _is_large_jpeg(picture):
        from cnncli.images import jpeg

        jpeg.write_jpeg(file, picture.pixels, save_options(name, picture), threads=threads)
    elif name != "PNG" or not _write_own_png(file, picture, threads):
        _to_pillow(picture).save(file, name, **save_options(name, picture))


def _is_large_jpeg(picture: Picture) -> bool:
    """Whether strips of the picture are worth a thread each."""
    height, width = picture.pixels.shape[:2]
    return picture.kind in ("L", "RGB") and bool(height * width >= _LARGE)


def _write_own_png(file: BinaryIO, picture: Picture, threads: int | None) -> bool:
    """Write with the project's own encoder where it is faster; say whether it did."""
    if picture.kind not in ("L", "LA", "RGB", "RGBA") or picture.pixels.size < _SMALL:
        return False
    from cnncli.images import png

    pixels = _joined(picture)
    method = png.choose_method(pixels)
    if method is not None:
        png.write_png(file, pixels, method, png.metadata_chunks(picture.info), threads=threads)
    return method is not None


def _joined(picture: Picture) -> NDArray[Any]:
    if picture.alpha is None:
        return picture.pixels
    return np.dstack([picture.pixels, picture.alpha])


def _to_pillow(picture: Picture) -> Any:
    from PIL import Image

    array = np.ascontiguousarray(_joined(picture))
    height, width = array.shape[:2]
    mode, raw = PILLOW_MODES[picture.kind]
    return Image.frombuffer(
        mode, (width, height), array.reshape(-1).view(np.uint8), "raw", raw, 0, 1
    )
