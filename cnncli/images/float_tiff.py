"""Real numbers with several channels as an uncompressed TIFF, which Pillow cannot write.

Reference: TIFF revision 6.0, sections 2 and 8 (image file directory) and 19 (sample format).
"""

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG = 3, 4  # TIFF's field types: 16 and 32 bits
_BIG = 2**32 - 2**16  # offsets have 32 bits


def write_float_tiff(file: BinaryIO, pixels: NDArray[np.float32], *, alpha: bool = False) -> None:
    """Write float32 ``(H, W, C)`` as one uncompressed strip, interleaved.

    Parameters
    ----------
    file
        A binary file at its start.
    pixels
        The samples; three colours make an RGB TIFF, any other number a grey one with extra
        samples.
    alpha
        Whether the last channel is opacity.

    Raises
    ------
    OSError
        If the picture is larger than the 4 GB that a TIFF holds.
    """
    height, width, channels = pixels.shape
    if pixels.nbytes > _BIG:
        raise OSError("a TIFF holds up to 4 GB; write .npy instead")
    colours = 3 if channels - alpha >= 3 else 1
    extra = [2 if alpha and i == channels - 1 else 0 for i in range(colours, channels)]
    data_at = 8
    directory_at = data_at + pixels.nbytes
    fields: list[tuple[int, int, list[int]]] = [
        (256, _LONG, [width]),
        (257, _LONG, [height]),
        (258, _SHORT, [32] * channels),  # bits per sample
        (259, _SHORT, [1]),  # compression: none
        (262, _SHORT, [2 if colours == 3 else 1]),  # photometric: RGB, or black is zero
        (273, _LONG, [data_at]),
        (277, _SHORT, [channels]),  # samples per pixel
        (278, _LONG, [height]),  # rows per strip
        (279, _LONG, [pixels.nbytes]),
        *([(338, _SHORT, extra)] if extra else []),  # extra samples; 2 is unassociated alpha
        (339, _SHORT, [3] * channels),  # sample format: IEEE floating point
    ]
    file.write(struct.pack("<2sHI", b"II", 42, directory_at))
    file.write(np.ascontiguousarray(pixels, dtype="<f4").data)
    file.write(_directory(fields, directory_at))


def _directory(fields: list[tuple[int, int, list[int]]], at: int) -> bytes:
    """Return the directory; values of more than four bytes follow it."""
    entries, values = b"", b""
    values_at = at + 2 + 12 * len(fields) + 4
    for tag, kind, numbers in fields:
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            offset, values = values_at + len(values), values + packed
            packed = struct.pack("<I", offset)
        entries += struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    return struct.pack("<H", len(fields)) + entries + struct.pack("<I", 0) + values
