"""The two streams: results on stdout, everything else on stderr.

Rich is imported only when something is drawn; a plain notice costs no import.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def _writable(stream: TextIO, text: str) -> str:
    # A console that cannot show a letter gets an escape, not a crash (cp1252 on Windows).
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def result(text: str) -> None:
    """Write one line of result to stdout."""
    sys.stdout.write(_writable(sys.stdout, text + "\n"))


def notice(text: str, *, quiet: bool = False) -> None:
    """Write one line of information to stderr, unless `quiet`."""
    if not quiet:
        sys.stderr.write(_writable(sys.stderr, text + "\n"))
        sys.stderr.flush()


def warning(text: str) -> None:
    """Write one ``warning: …`` line to stderr; warnings are shown even when quiet."""
    notice(f"warning: {text}")


@cache
def stdout_console() -> "Console":
    """Return the Rich console for results; honours ``NO_COLOR`` and the terminal's width."""
    from rich.console import Console

    return Console(highlight=False, safe_box=True)


@cache
def stderr_console() -> "Console":
    """Return the Rich console for progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, safe_box=True)
