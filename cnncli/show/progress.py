"""How far a batch is: one bar on a terminal, a plain line every tenth elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cnncli.show.console import notice, result, stderr_console


@contextmanager
def batch_progress(total: int, what: str, *, quiet: bool) -> Iterator[Callable[[str | None], None]]:
    """Show the progress of a batch on stderr.

    Parameters
    ----------
    total
        Number of inputs; one alone shows nothing.
    what
        What is being done, such as ``"filtering"``.
    quiet
        Show nothing, results only.

    Yields
    ------
    callable
        To be called once an input, with a line of result for stdout or None.
    """
    if total == 1 or quiet:
        yield _result_only
    elif sys.stderr.isatty():
        yield from _bar(total, what)
    else:
        yield from _lines(total, what)


def _result_only(line: str | None) -> None:
    if line is not None:
        result(line)


def _bar(total: int, what: str) -> Iterator[Callable[[str | None], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=stderr_console(), transient=True)
    shared = sys.stdout.isatty()  # both streams on one screen: lines go above the bar

    def advance(line: str | None) -> None:
        if line is not None and shared:
            bar.console.print(line, markup=False, soft_wrap=True)
        else:
            _result_only(line)
        bar.advance(task)

    with bar:
        task = bar.add_task(what, total=total)
        yield advance


def _lines(total: int, what: str) -> Iterator[Callable[[str | None], None]]:
    done = 0

    def advance(line: str | None) -> None:
        nonlocal done
        _result_only(line)
        done += 1
        if done == total or done * 10 // total > (done - 1) * 10 // total:
            notice(f"{what}: {done} of {total} ({done * 100 // total} %)")

    yield advance
