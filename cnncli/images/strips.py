"""A file that is made of strips of a picture, each encoded by itself, in threads."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Strips(NamedTuple):
    """How a picture becomes a file.

    Parameters
    ----------
    starts
        First row of each strip.
    encode
        Takes one of them and returns the strip's part of the file; in any thread, in any order.
    join
        Takes the parts in order and returns the bytes that go into the file.
    """

    starts: range
    encode: Callable[[int], Any]
    join: Callable[[Any], bytes]
