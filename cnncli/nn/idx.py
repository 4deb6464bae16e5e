"""The IDX format of MNIST and its relatives, plain or gzipped.

Two zero bytes, a type code, the number of dimensions, each dimension as a big-endian 32-bit
number, then the values (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
"""

import gzip
import math
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import DataError

MAX_BYTES = 4 << 30  # EMNIST's largest file has 0.55 GB
_UINT8 = 0x08
_LONGEST_HEADER = 16  # of three dimensions


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Parameters
    ----------
    path
        A plain or gzipped IDX file.

    Returns
    -------
    numpy.ndarray
        uint8, ``(N,)`` labels or ``(N, H, W)`` pictures.

    Raises
    ------
    DataError
        If the file is missing, damaged, or says other sizes than it has bytes.
    """
    return parse_idx(read_bytes(path), path)


def _promised(head: bytes) -> int:
    """Return the size of the file that an IDX header promises; 0 for other headers."""
    count = head[3] if len(head) >= 4 else 0
    sizes = (int.from_bytes(head[i : i + 4], "big") for i in range(4, 4 + 4 * count, 4))
    return 4 + 4 * count + math.prod(sizes) if count in (1, 3) else 0


def _read(stream: BufferedIOBase, most: int) -> bytes:
    """Read up to `most` bytes piece by piece: a promise alone allocates nothing."""
    pieces = []
    while most > 0 and (piece := stream.read(min(most, 1 << 24))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of an IDX file, unpacked if they are gzipped.

    Of a file that holds more than its header says, only one byte more is read.

    Parameters
    ----------
    path
        A plain or gzipped file.

    Raises
    ------
    DataError
        If it cannot be read, is damaged, or is larger than any data set of this kind.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if packed else file
            head = _read(stream, _LONGEST_HEADER)
            # One byte more than the header promises shows that there is too much.
            rest = min(_promised(head), MAX_BYTES) + 1 - len(head)
            data = head + _read(stream, rest)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {path}: {reason}; get the file again") from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES} bytes; it is no IDX file of pictures")
    return data


def parse_idx(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the array that IDX bytes hold.

    Parameters
    ----------
    data
        The unpacked file.
    path
        Where it came from, for messages.

    Raises
    ------
    DataError
        If the header or the length is wrong.
    """
    if len(data) < 4 or data[0] or data[1] or data[2] != _UINT8 or data[3] not in (1, 3):
        raise DataError(
            f"{path} is not an IDX file of bytes with 1 or 3 dimensions; get the file again"
        )
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) != start + math.prod(shape):
        raise DataError(
            f"{path} says {shape} but has {len(data) - start} bytes of values; get the file again"
        )
    if 0 in shape:  # beside a 0 the other sizes may be anything, also more than NumPy has words for
        raise DataError(f"{path} says {shape}, which is nothing at all; get the file again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
