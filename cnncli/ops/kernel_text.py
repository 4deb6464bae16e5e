"""Kernels from text and from the contents of ``.txt``, ``.csv``, ``.json`` and ``.npy`` files."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError
from cnncli.ops.dtypes import as_kernel

Array = npt.NDArray[Any]

_EXAMPLE = 'write rows as "-1 0 1; -1 0 1; -1 0 1", numbers as 2, -0.5, 1e-3 or 1/9'


def parse_kernel(text: str) -> Array:
    """Read a kernel such as ``"-1 0 1; -1 0 1; -1 0 1"``.

    Rows end with ``;`` or a line end; numbers part on spaces, tabs or commas; ``1/9`` is a
    number; what follows ``#`` in a line is a remark.

    Parameters
    ----------
    text
        The kernel's numbers.

    Returns
    -------
    ndarray
        ``(kh, kw)`` int64 if all numbers are whole, else float64.

    Raises
    ------
    KernelError
        If there is no number, a word is no number, or rows differ in length.

    Examples
    --------
    >>> parse_kernel("1 2; 3, 4").tolist()
    [[1, 2], [3, 4]]
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    rows = [row.split() for line in lines for row in line.replace(",", " ").split(";")]
    rows = [row for row in rows if row]
    if not rows:
        raise KernelError(f"kernel {text[:40]!r} has no numbers; {_EXAMPLE}")
    return _matrix([[_number(word) for word in row] for row in rows])


def parse_signal(text: str) -> Array:
    """Read one row of numbers, such as ``"1,0,2,3,1,0,1"``, as an array ``(N,)``.

    Raises
    ------
    KernelError
        If there are several rows or :func:`parse_kernel` cannot read it.
    """
    try:
        matrix = parse_kernel(text)
    except KernelError as error:
        what = str(error).partition("; ")[0].replace("kernel", "signal")
        raise KernelError(f"{what}; write one row, as 1,0,2,3,1,0,1") from None
    if matrix.shape[0] != 1:
        raise KernelError(f"signal has {matrix.shape[0]} rows; give one row, as 1,0,2,3,1,0,1")
    row: Array = matrix[0]
    return row


def kernel_from_bytes(data: bytes, suffix: str) -> Array:
    """Read a kernel from a file's contents.

    Parameters
    ----------
    data
        The bytes of the file.
    suffix
        ``.txt``, ``.csv``, ``.json`` (an array of rows of numbers or of ``"1/9"``) or ``.npy``.

    Returns
    -------
    ndarray
        ``(kh, kw)`` int64 or float64; a file of one row of numbers gives ``(1, kw)``.

    Raises
    ------
    KernelError
        If the format is unknown or the contents are no kernel.
    """
    reader = KERNEL_READERS.get(suffix.lower())
    if reader is None:
        known = ", ".join(KERNEL_READERS)
        raise KernelError(f"kernel files of type {suffix!r} are unknown; use one of {known}")
    return reader(data)


def _from_text(data: bytes) -> Array:
    try:
        return parse_kernel(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise KernelError(f"kernel file is not text: {data[:12]!r}; {_EXAMPLE}") from None


def _from_json(data: bytes) -> Array:
    import json

    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise KernelError(f"kernel file is not JSON ({error}); write [[0, 1], [1, 0]]") from None
    if isinstance(rows, list) and rows and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    if not isinstance(rows, list) or not rows or not all(isinstance(r, list) and r for r in rows):
        raise KernelError(f"kernel file holds {str(rows)[:40]}; write [[0, 1], [1, 0]]")
    return _matrix([[_number(str(word)) for word in row] for row in rows])


def _from_npy(data: bytes) -> Array:
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # NumPy reads the header as Python, which fails in many ways
        reason = " ".join(str(error).split())[:100]
        raise KernelError(f"kernel file is not a .npy array ({reason}); use numpy.save") from None
    return as_kernel(array[np.newaxis] if array.ndim == 1 else array)


KERNEL_READERS: Mapping[str, Callable[[bytes], Array]] = MappingProxyType(
    {".txt": _from_text, ".csv": _from_text, ".json": _from_json, ".npy": _from_npy}
)

_PLAIN_NUMBER = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?(/\d+(\.\d*)?)?", re.IGNORECASE
)


def _number(word: str) -> Fraction:
    if not _PLAIN_NUMBER.fullmatch(word):
        raise KernelError(f"{word!r} in the kernel is not a number; {_EXAMPLE}")
    top, _, bottom = word.partition("/")
    try:
        return Fraction(top) / Fraction(bottom or 1)
    except ZeroDivisionError:
        raise KernelError(f"{word!r} in the kernel divides by zero; {_EXAMPLE}") from None
    except ValueError:  # Python reads whole numbers up to 4,300 digits
        raise KernelError(f"{word[:20]}… in the kernel has too many digits; {_EXAMPLE}") from None


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Array:
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise KernelError(
            f"kernel rows have different lengths {lengths}; give every row as many numbers"
        )
    whole = all(value.denominator == 1 and abs(value) < 2**63 for row in rows for value in row)
    try:
        return as_kernel([[int(v) if whole else float(v) for v in row] for row in rows])
    except OverflowError:
        raise KernelError("a number in the kernel is too large; stay below 1e308") from None
