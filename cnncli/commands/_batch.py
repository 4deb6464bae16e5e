"""What convolve and pool have in common: read, change, write and report every input."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cnncli.commands._outputs import Targets
from cnncli.errors import BatchError, CnncliError, failure_of
from cnncli.images import Picture, read_picture, write_picture
from cnncli.images.opening import Ahead
from cnncli.inputs import STDIN
from cnncli.pipeline import core_count, ordered_map
from cnncli.show.console import error as show_error
from cnncli.show.console import notice
from cnncli.show.progress import batch_progress

MAX_SHOWN = 4  # pictures of a batch that are drawn unasked
_MANY = 500  # pictures from which processes save more than starting them costs


@dataclass(frozen=True, slots=True)
class Changed:
    """A new picture and what is said about it.

    Parameters
    ----------
    picture
        The result.
    remark
        What a person should know, such as the range that was chosen.
    record
        Keys for ``--json``.
    plans
        Lines for ``-v``.
    """

    picture: Picture
    remark: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    plans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a batch reports.

    Parameters
    ----------
    doing
        Title of the progress bar.
    jobs
        Pictures at a time; 0 for as many as there are cores.
    quiet, as_json, verbose
        The options of that name.
    show
        Draw before and after; None where stdout is a terminal.
    """

    doing: str
    jobs: int = 0
    quiet: bool = False
    as_json: bool = False
    verbose: bool = False
    show: bool | None = None

    def shows(self, count: int, targets: Targets) -> bool:
        """Whether pictures are drawn, for a batch of `count`."""
        if self.show is not None or self.quiet or self.as_json or targets.to_stdout:
            return bool(self.show)
        return sys.stdout.isatty() and count <= MAX_SHOWN


@dataclass(frozen=True, slots=True)
class _Done:
    """What is said of an input, without its pixels: results that wait would fill the memory.

    `before` and `after` describe the pictures; `drawn` has both where they are to be drawn.
    """

    source: Path
    error: CnncliError | None = None
    target: str = ""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    remark: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    plans: tuple[str, ...] = ()
    drawn: tuple[Picture, Picture] | None = None


def run_batch(
    inputs: Sequence[Path],
    targets: Targets,
    change: Callable[[Picture, int], Changed],
    manner: Manner,
    ahead: Ahead | None = None,
) -> None:
    """Change every picture and report in the order of the inputs.

    Parameters
    ----------
    inputs
        Pictures.
    targets
        Where the results go.
    change
        Takes a picture and a number of threads; a function of a module, or a part of one, that
        other processes can import.
    manner
        How to report.
    ahead
        The first picture, if its decoding was already started.

    Raises
    ------
    BatchError
        If some inputs failed and others are done.
    CnncliError
        If all failed; the error itself if there was one input.
    """
    jobs = manner.jobs or core_count()
    workers = min(jobs, len(inputs))
    shows = manner.shows(len(inputs), targets)
    targets.prepare()
    work = partial(
        _work, targets=targets, change=change, threads=max(1, jobs // workers), keep=shows
    )
    if workers > 1 and len(inputs) >= _MANY and targets.are_apart(inputs) and not shows:
        from cnncli.processes import map_in_processes

        results = map_in_processes(work, inputs, workers, _lost)
    else:
        results = ordered_map(partial(work, ahead=ahead), inputs, workers)

    failures: list[CnncliError] = []
    with batch_progress(len(inputs), manner.doing, quiet=manner.quiet) as advance:
        for number, done in enumerate(results):
            if done.error is not None:
                failures.append(done.error)
                if len(inputs) > 1:
                    show_error(str(done.error))
            _remark(done, manner, first=number == 0, alone=len(inputs) == 1)
            advance(_line(done, manner, targets))
            if done.drawn is not None:
                _show(done, done.drawn)
    _raise_for(failures, len(inputs))


def _work(
    source: Path,
    *,
    targets: Targets,
    change: Callable[[Picture, int], Changed],
    threads: int,
    keep: bool,
    ahead: Ahead | None = None,
) -> _Done:
    start = time.perf_counter()
    try:
        before = read_picture(source, ahead=ahead)
        size, notices = _describe(before), tuple(before.info.get("notices", ()))
        changed = change(before, threads)
        after = changed.picture
        drawn = (before, after) if keep else None
        del before  # its memory is free while the result is encoded
        target, name = targets.path_for(source, after)
        write_picture(target, after, name, threads=threads)
    except BrokenPipeError:
        raise
    except Exception as error:  # one picture must not end the others, whatever it does
        return _Done(source, failure_of(_name(source), error))
    height, width = after.pixels.shape[:2]
    return _Done(
        source,
        target=target,
        seconds=time.perf_counter() - start,
        notices=notices,
        before=size,
        after=_describe(after),
        remark=changed.remark,
        record={"width": width, "height": height, "mode": after.kind, **changed.record},
        plans=changed.plans,
        drawn=drawn,
    )


def _lost(source: Path) -> _Done:
    return _Done(
        source,
        CnncliError(
            f"{source}: the process that had it was ended from outside, perhaps for want of "
            "memory; use --jobs 1"
        ),
    )


def _remark(done: _Done, manner: Manner, *, first: bool, alone: bool) -> None:
    for text in done.notices:
        notice(f"{_name(done.source)} {text}", quiet=manner.quiet)
    if done.error is not None:
        return
    if manner.verbose and (first or not alone):
        for plan in done.plans:
            notice(plan)
    if alone:
        remark = f"; {done.remark}" if done.remark else ""
        text = f"{_name(done.source)}: {done.before} -> {done.after}{remark}"
        notice(text, quiet=manner.quiet)
    elif first and done.remark:
        notice(done.remark, quiet=manner.quiet)


def _name(source: Path) -> str:
    return "stdin" if source == STDIN else str(source)


def _describe(picture: Picture) -> str:
    height, width = picture.pixels.shape[:2]
    return f"{width}x{height} {picture.kind}"


def _line(done: _Done, manner: Manner, targets: Targets) -> str | None:
    if not manner.as_json:
        return done.target if done.error is None and not targets.to_stdout else None
    if targets.to_stdout:
        return None
    record: dict[str, Any] = {"path": str(done.source), "output": done.target or None}
    if done.error is None:
        record |= {**done.record, "seconds": round(done.seconds, 6)}
    record["error"] = None if done.error is None else str(done.error)
    return json.dumps(record, ensure_ascii=False)


def _show(done: _Done, drawn: tuple[Picture, Picture]) -> None:
    from cnncli.images import to_uint8_rgb
    from cnncli.show.console import stdout_console
    from cnncli.show.picture import show_pictures

    titles = f"before {done.before}", f"after {done.after}"
    pictures = [
        (title, to_uint8_rgb(picture)) for title, picture in zip(titles, drawn, strict=True)
    ]
    show_pictures(stdout_console(), pictures)


def _raise_for(failures: list[CnncliError], count: int) -> None:
    if not failures:
        return
    if count == 1:
        raise failures[0]
    if len(failures) == count:
        raise CnncliError(f"all {count} pictures failed; the lines above say why")
    raise BatchError(f"{len(failures)} of {count} pictures failed; the lines above say why")
