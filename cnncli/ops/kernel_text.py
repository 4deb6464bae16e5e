"""Kernels and signals from text."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from cnncli.errors import KernelError
from cnncli.ops.dtypes import as_kernel

Array = npt.NDArray[Any]

EXAMPLE = 'write rows as "-1 0 1; -1 0 1; -1 0 1", numbers as 2, -0.5, 1e-3 or 1/9'


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
        raise KernelError(f"kernel {text[:40]!r} has no numbers; {EXAMPLE}")
    return kernel_of_words(rows)


_PLAIN_NUMBER = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?(/\d+(\.\d*)?)?", re.IGNORECASE
)


def _number(word: str) -> Fraction:
    if not _PLAIN_NUMBER.fullmatch(word):
        raise KernelError(f"{word!r} in the kernel is not a number; {EXAMPLE}")
    top, _, bottom = word.partition("/")
    try:
        return Fraction(top) / Fraction(bottom or 1)
    except ZeroDivisionError:
        raise KernelError(f"{word!r} in the kernel divides by zero; {EXAMPLE}") from None
    except ValueError:  # Python reads whole numbers up to 4,300 digits
        raise KernelError(f"{word[:20]}… in the kernel has too many digits; {EXAMPLE}") from None


def kernel_of_words(words: Sequence[Sequence[str]]) -> Array:
    """Return rows of words such as ``1/9`` as a kernel, or raise a KernelError."""
    rows = [[_number(word) for word in row] for row in words]
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
