"""``X,Y`` on the command line."""

from collections.abc import Sequence
from pathlib import Path

from cnncli.errors import UsageError


def parse_place(text: str) -> tuple[int, int]:
    """Return column and row from ``"40,25"``.

    Raises
    ------
    UsageError
        If it is not two whole numbers from 0.

    >>> parse_place("40,25")
    (40, 25)
    """
    parts = text.replace(",", " ").split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--explain {text!r} is no place; give column,row such as 40,25")
    return int(parts[0]), int(parts[1])


def one_place(text: str, inputs: Sequence[Path]) -> tuple[int, int]:
    """Return :func:`parse_place` of the text, for exactly one picture.

    Raises
    ------
    UsageError
        If there are several pictures, or the text is no place.
    """
    if len(inputs) > 1:
        raise UsageError(f"--explain takes one picture and there are {len(inputs)}; name one")
    return parse_place(text)
