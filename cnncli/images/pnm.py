"""PGM, PPM and PFM without Pillow: a short header and the bytes of the array.

Reference: the format pages of Netpbm, https://netpbm.sourceforge.net/doc/pnm.html
"""

import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# Magic, width, height and the largest value, apart by white space and comments; then one byte.
_HEADER = re.compile(
    rb"P([56])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s"
)
_HEADER_BYTES = 4096  # as many comments as that are read here; others are Pillow's
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


def read_pixels(file: BinaryIO, header: tuple[int, int, int, int]) -> NDArray[Any]:
    """Read the pixels that follow :func:`read_header`.

    Returns
    -------
    ndarray
        ``(H, W)`` or ``(H, W, 3)``, uint8 or uint16.

    Raises
    ------
    OSError
        If the file ends too early.
    """
    width, height, channels, maximum = header
    pixels = np.empty((height, width, channels)[: 2 + (channels > 1)], _DEPTHS[maximum])
    if file.readinto(pixels.data.cast("B") if pixels.size else b"") != pixels.nbytes:  # type: ignore[attr-defined]
        raise OSError(f"it ends before its {pixels.nbytes} bytes of pixels")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def write_pnm(file: BinaryIO, pixels: NDArray[Any]) -> None:
    """Write ``(H, W[, 3])`` as PGM or PPM (uint8, uint16), or as PFM (float32)."""
    height, width = pixels.shape[:2]
    colour = pixels.ndim == 3
    if pixels.dtype == np.float32:
        # PFM: the sign of the scale says little-endian, and the rows go from bottom to top.
        file.write(b"P%c\n%d %d\n-1.0\n" % (b"F" if colour else b"f", width, height))
        file.write(np.ascontiguousarray(pixels[::-1], dtype="<f4").data)
        return
    maximum = int(np.iinfo(pixels.dtype).max)
    file.write(b"P%c\n%d %d\n%d\n" % (b"6" if colour else b"5", width, height, maximum))
    file.write(np.ascontiguousarray(pixels, dtype=_DEPTHS[maximum]).data)
