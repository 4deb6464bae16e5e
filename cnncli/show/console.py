"""The two streams: results on stdout, everything else on stderr.

Rich is imported only when something is drawn; a plain notice costs no import.
"""

import sys
from functools import cache
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


# Control characters, and marks that turn the reading direction: file names and other people's
# texts must not move the cursor, colour the screen or disguise a name. Lines may end.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if code not in (9, 10)
}


def plain(text: str, stream: TextIO) -> str:
    """Return text that a stream can show: what it has no letter for is spelt out.

    Control characters too, except on stdout where a program reads it.
    """
    if stream.isatty() or stream is not sys.stdout:
        text = text.translate(_CONTROLS)
    # A console that cannot show a letter gets an escape, not a crash (cp1252 on Windows).
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def result(text: str) -> None:
    """Write one line of result to stdout."""
    sys.stdout.write(plain(text, sys.stdout) + "\n")


def notice(text: str, *, quiet: bool = False) -> None:
    """Write one line of information to stderr, unless `quiet`."""
    if not quiet:
        sys.stderr.write(plain(text, sys.stderr) + "\n")
        sys.stderr.flush()


def error(text: str) -> None:
    """Write one ``error: …`` line to stderr, whatever line ends the text has."""
    notice("error: " + " ".join(part.strip() for part in text.splitlines()))


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
