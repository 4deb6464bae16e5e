"""The IDX format of MNIST and its relatives, plain or gzipped.

Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit
number, then the values (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
"""

import gzip
import hashlib
import math
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import DataError

MAX_BYTES = 4 << 30  # EMNIST's largest file has 0.55 GB
_STARTS = (b"\0\0\x08\1", b"\0\0\x08\3")  # of unsigned bytes in one and in three dimensions


def read_idx(path: Path, md5: str | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Of a file that holds more than its header says, only one byte more is read.

    Parameters
    ----------
    path
        A plain or gzipped IDX file.
    md5
        MD5 that the unpacked file must have.

    Returns
    -------
    numpy.ndarray
        uint8, ``(N,)`` labels or ``(N, H, W)`` pictures.

    Raises
    ------
    DataError
        If the file is missing, damaged, not the expected one, or says other sizes than it has
        bytes.
    """
    try:
        with path.open("rb") as file:
            stream = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file
            start = _read(stream, 4)
            sizes = _read(stream, 4 * start[3]) if start in _STARTS else b""
            whole = start in _STARTS and len(sizes) == 4 * start[3]
            shape = tuple(np.frombuffer(sizes, ">u4").tolist()) if whole else ()
            values = _read(stream, min(math.prod(shape), MAX_BYTES) + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {path}: {reason}; get the file again") from error
    if not whole:
        raise DataError(
            f"{path} is not an IDX file of bytes with 1 or 3 dimensions; get the file again"
        )
    if len(values) > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES} bytes; it is no IDX file of pictures")
    if len(values) != math.prod(shape):
        raise DataError(
            f"{path} says {shape} but has {len(values)} bytes of values; get the file again"
        )
    if 0 in shape:  # beside a 0 the other sizes may be anything, also more than NumPy has words for
        raise DataError(f"{path} says {shape}, which is nothing at all; get the file again")
    if md5 and hashlib.md5(start + sizes + values, usedforsecurity=False).hexdigest() != md5:
        raise DataError(
            f"{path} is not the original file of MNIST (another MD5); remove it to download it "
            f"again, or train on its folder as it is: --data {path.parent}"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read(stream: BufferedIOBase, most: int) -> bytes:
    """Read up to `most` bytes piece by piece: a promise alone allocates nothing."""
    pieces = []
    while most > 0 and (piece := stream.read(min(most, 1 << 24))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)
