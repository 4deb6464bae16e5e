"""PGM, PPM and PFM without Pillow: a short header and the bytes of the array.

Reference: the format pages of Netpbm, https://netpbm.sourceforge.net/doc/pnm.html
"""

import io
import os
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from cnncli.images.picture import Picture
from cnncli.images.strips import Strips
from cnncli.rows import Rows

# Magic, width, height and the largest value, apart by white space and comments; then one byte.
_HEADER = re.compile(
    rb"P([56])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s"
)
_HEADER_BYTES = 4096  # as many comments as that are read here; others are Pillow's
_STRIP = 1 << 20  # samples that are written at a time
_DEPTHS: dict[int, str] = {255: "u1", 65535: ">u2"}


def read_header(file: BinaryIO) -> tuple[int, int, int, int] | None:
    """Return width, height, channels and the largest value of a raw PGM or PPM.

    The file is left at its first pixel, or at its start when the answer is None: it is not such
    a file, or its values would have to be scaled.
    """
    head = file.read(_HEADER_BYTES)
    match = _HEADER.match(head)
    if match is None or int(match[4]) not in _DEPTHS:
        file.seek(0)
        return None
    file.seek(match.end())
    return int(match[2]), int(match[3]), 3 if match[1] == b"6" else 1, int(match[4])


def read_picture(file: BinaryIO, header: tuple[int, int, int, int]) -> Picture:
    """Return the picture whose pixels follow :func:`read_header`.

    They are uint8 or uint16 rows, read from the file whenever they are asked for.

    Raises
    ------
    OSError
        If the file ends too early.
    """
    width, height, channels, maximum = header
    shape, depth = (height, width, channels)[: 2 + (channels > 1)], np.dtype(_DEPTHS[maximum])
    line, start = width * channels, file.tell()
    if file.seek(0, os.SEEK_END) - start < height * line * depth.itemsize:
        raise OSError(f"it ends before its {height * line * depth.itemsize} bytes of pixels")
    # What came through a pipe is in memory already.
    read: Any = np.frombuffer if isinstance(file, io.BytesIO) else np.fromfile
    source = file.getvalue() if isinstance(file, io.BytesIO) else file.name

    def make(top: int, bottom: int) -> NDArray[Any]:
        offset, count = start + top * line * depth.itemsize, (bottom - top) * line
        values = read(source, dtype=depth, count=count, offset=offset)
        pixels: NDArray[Any] = values.reshape(bottom - top, *shape[1:])
        return pixels.astype(depth.newbyteorder("="), copy=False)

    pixels: Any = Rows(shape, depth.newbyteorder("="), make)
    mode = "RGB" if channels == 3 else "L" if maximum == 255 else "I;16"
    return Picture(pixels, None, mode, {"format": "PPM", "notices": ()})


def pnm_strips(pixels: NDArray[Any] | Rows) -> Strips:
    """Return how ``(H, W[, 3])`` become PGM or PPM (uint8, uint16), or PFM (float32)."""
    height, width = pixels.shape[:2]
    colour = pixels.ndim == 3
    if pixels.dtype == np.float32:
        # PFM: the sign of the scale says little-endian, and the rows go from bottom to top.
        head, depth = b"P%c\n%d %d\n-1.0\n" % (b"F" if colour else b"f", width, height), "<f4"
        pixels, tall = np.asarray(pixels)[::-1], height
    else:
        maximum = int(np.iinfo(pixels.dtype).max)
        tall = max(1, _STRIP // (width * (1 + 2 * colour)))
        head = b"P%c\n%d %d\n%d\n" % (b"6" if colour else b"5", width, height, maximum)
        depth = _DEPTHS[maximum]

    def encode(start: int) -> bytes:
        rows = np.ascontiguousarray(pixels[start : start + tall], dtype=depth).tobytes()
        return rows if start else head + rows

    return Strips(range(0, height, tall), encode, bytes)
