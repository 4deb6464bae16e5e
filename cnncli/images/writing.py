"""From a :class:`~cnncli.images.picture.Picture` to a file or stdout."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError, ImageWriteError
from cnncli.files import atomic_write
from cnncli.images import pnm
from cnncli.images.formats import (
    PILLOW_MODES,
    format_of,
    require_fit,
    save_options,
)
from cnncli.images.picture import Picture
from cnncli.images.strips import Strips
from cnncli.pipeline import core_count, ordered_map
from cnncli.remote import is_url, write_object

_LARGE = 1_000_000  # pixels, from which a JPEG file is encoded in strips
_SMALL = 1 << 18  # bytes, below which Pillow's PNG encoder is as good, and faster


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
    name = format or ("PNG" if str(path) == "-" else format_of(Path(path)))
    require_fit(name, picture, "stdout" if str(path) == "-" else str(path))
    with _target(str(path), name) as file:
        strips = _strips(picture, name)
        if strips is None:
            _encode(file, picture, name)
            return
        # Here a row is made: decoded and filtered where the encoder asks for it.
        used = min(len(strips.starts), threads or core_count())
        for part in ordered_map(strips.encode, strips.starts, used):
            file.write(strips.join(part))


@contextmanager
def _target(path: str, name: str) -> Iterator[BinaryIO]:
    """Open what is written to, and turn what goes wrong into one line."""
    if path == "-" or is_url(path):
        buffer = io.BytesIO()
        yield buffer
        if path == "-":
            sys.stdout.buffer.write(buffer.getvalue())
            sys.stdout.buffer.flush()
        else:
            write_object(path, buffer.getvalue())
        return
    try:
        with atomic_write(Path(path)) as file:
            yield file
    except CnncliError:  # of the rows, which come into being while they are written
        raise
    except OSError as error:
        raise ImageWriteError(
            f"{path}: {error.strerror or error}; check the folder, its permissions and free space"
        ) from None
    except MemoryError:
        raise ImageWriteError(f"{path} needs more memory than there is; use --jobs 1") from None
    except Exception as error:  # encoders raise many kinds for sizes and metadata they cannot hold
        raise ImageWriteError(f"{path}: {name} cannot hold this ({error}); write .png") from None


def _strips(picture: Picture, name: str) -> Strips | None:
    """Return how the picture is written strip by strip, None where Pillow writes the whole."""
    pixels = picture.pixels
    if name in ("PPM", "PFM"):
        return pnm.pnm_strips(pixels)
    if name == "JPEG" and picture.kind in ("L", "RGB") and np.prod(pixels.shape[:2]) > _LARGE:
        from cnncli.images import jpeg

        return jpeg.jpeg_strips(pixels, save_options(name, picture))
    if name == "PNG" and pixels.dtype == np.uint8 and np.prod(pixels.shape) > _SMALL:
        from cnncli.images import png

        return png.png_strips(_joined(picture), png.metadata_chunks(picture.info))
    return None


def _encode(file: BinaryIO, picture: Picture, name: str) -> None:
    if name == "NPY":
        np.save(file, _joined(picture), allow_pickle=False)
    elif name == "TIFF" and picture.kind not in PILLOW_MODES:
        from cnncli.images import float_tiff

        values = np.asarray(_joined(picture))
        float_tiff.write_float_tiff(file, values, alpha=picture.alpha is not None)
    else:
        _to_pillow(picture).save(file, name, **save_options(name, picture))


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
