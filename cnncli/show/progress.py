"""How far a batch is: one bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnncli.show.console import notice, result, stderr_console

_SECONDS = 3.0  # between two plain lines


class Progress:
    """Counts inputs and shows nothing of it: of one input, or where the user wants quiet."""

    def print(self, line: str) -> None:
        """Print a line of result."""
        result(line)

    def advance(self) -> None:
        """Tell that one more input is done."""


class _Lines(Progress):
    """A plain line every tenth, but none that would follow the last one at once."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what, self._done = total, what, 0
        self._told = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        tenth = self._done * 10 // self._total > (self._done - 1) * 10 // self._total
        waited = time.monotonic() - self._told >= _SECONDS
        if self._done == self._total or (tenth and waited):
            self._told = time.monotonic()
            share = self._done * 100 // self._total
            notice(f"{self._what}: {self._done} of {self._total} ({share} %)")


class _Bar(Progress):
    """A bar of Rich's on stderr; where stdout is the same screen, lines go above it."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task
        self._shared = sys.stdout.isatty()

    def print(self, line: str) -> None:
        if self._shared:
            self._bar.console.print(line, markup=False, soft_wrap=True)
        else:
            result(line)

    def advance(self) -> None:
        self._bar.advance(self._task)


@contextmanager
def batch_progress(total: int, what: str, *, quiet: bool) -> Iterator[Progress]:
    """Show the progress of a batch on stderr.

    Parameters
    ----------
    total
        Number of inputs; one alone, or none, shows nothing.
    what
        What is being done, such as ``"filtering"``.
    quiet
        Show nothing, results only.

    Yields
    ------
    Progress
        To be told of each line of result, and of each input that is done.
    """
    if total <= 1 or quiet:
        yield Progress()
    elif not sys.stderr.isatty():
        yield _Lines(total, what)
    else:
        from rich import progress

        columns = (
            progress.TextColumn(what),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=stderr_console(), transient=True) as bar:
            yield _Bar(bar, bar.add_task(what, total=total))
