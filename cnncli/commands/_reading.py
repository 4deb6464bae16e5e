"""Which pictures a command gets, and a head start for the first of them."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnncli.errors import UsageError
from cnncli.images.opening import Ahead
from cnncli.inputs import STDIN, expand_inputs


def start_reading(images: Sequence[str] | None) -> tuple[list[Path], Ahead | None]:
    """Return the inputs, and the first one's decoding, started while NumPy is still imported.

    Raises
    ------
    UsageError
        If no picture is named.
    ImageReadError
        If what is named does not exist.
    """
    if not images:
        raise UsageError("no picture is named; name files, folders, globs or - for stdin")
    inputs = expand_inputs(images)
    # What is no regular file (a pipe) can be read once only, and not by two readers.
    is_file = os.path.isfile(inputs[0])  # noqa: PTH113 (Path's raises for a name too long)
    return inputs, Ahead(inputs[0]) if is_file and inputs[0] != STDIN else None
