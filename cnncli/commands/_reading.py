"""Which pictures a command gets, and a head start for the first of them."""

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
    return inputs, None if inputs[0] == STDIN else Ahead(inputs[0])
