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
        Threads; 0 for every core.
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
    source: Path
    before: Picture | None = None
    changed: Changed | None = None
    target: str = ""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    error: CnncliError | None = None


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
        Takes a picture and a number of threads.
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

    def work(source: Path) -> _Done:
        read = partial(read_picture, ahead=ahead)
        return _work(source, read, targets, change, max(1, jobs // workers), shows)

    failures: list[CnncliError] = []
    with batch_progress(len(inputs), manner.doing, quiet=manner.quiet) as advance:
        for number, done in enumerate(ordered_map(work, inputs, workers)):
            if done.error is not None:
                failures.append(done.error)
                if len(inputs) > 1:
                    show_error(str(done.error))
            _remark(done, manner, first=number == 0, alone=len(inputs) == 1)
            advance(_line(done, manner, targets))
            if shows and done.changed is not None:
                _show(done)
    _raise_for(failures, len(inputs))


def _work(
    source: Path,
    read: Callable[[Path], Picture],
    targets: Targets,
    change: Callable[[Picture, int], Changed],
    threads: int,
    keep: bool,
) -> _Done:
    start = time.perf_counter()
    try:
        before = read(source)
        changed = change(before, threads)
        target, name = targets.path_for(source, changed.picture)
        write_picture(target, changed.picture, name, threads=threads)
    except BrokenPipeError:
        raise
    except Exception as error:  # one picture must not end the others, whatever it does
        return _Done(source, error=failure_of(_name(source), error))
    seconds = time.perf_counter() - start
    notices = tuple(before.info.get("notices", ()))
    if not keep:  # pictures that wait for their turn to be reported would fill the memory
        before, changed = _emptied(before), _without_pixels(changed)
    return _Done(source, before, changed, target, seconds, notices)


def _emptied(picture: Picture) -> Picture:
    import numpy as np

    # A view of one element keeps shape and type, and no memory.
    pixels = np.broadcast_to(np.zeros((), picture.pixels.dtype), picture.pixels.shape)
    alpha = None if picture.alpha is None else pixels[..., 0] if pixels.ndim == 3 else pixels
    return Picture(pixels, alpha, picture.mode)


def _without_pixels(changed: Changed) -> Changed:
    return Changed(_emptied(changed.picture), changed.remark, changed.record, changed.plans)


def _remark(done: _Done, manner: Manner, *, first: bool, alone: bool) -> None:
    for text in done.notices:
        notice(f"{_name(done.source)} {text}", quiet=manner.quiet)
    if done.changed is None or done.before is None:
        return
    if manner.verbose and (first or not alone):
        for plan in done.changed.plans:
            notice(plan)
    if alone:
        sizes = f"{_describe(done.before)} -> {_describe(done.changed.picture)}"
        remark = f"; {done.changed.remark}" if done.changed.remark else ""
        notice(f"{_name(done.source)}: {sizes}{remark}", quiet=manner.quiet)
    elif first and done.changed.remark:
        notice(done.changed.remark, quiet=manner.quiet)


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
    if done.changed is not None:
        height, width = done.changed.picture.pixels.shape[:2]
        record |= {"width": width, "height": height, "mode": done.changed.picture.kind}
        record |= {**done.changed.record, "seconds": round(done.seconds, 6)}
    record["error"] = None if done.error is None else str(done.error)
    return json.dumps(record, ensure_ascii=False)


def _show(done: _Done) -> None:
    from cnncli.images import to_uint8_rgb
    from cnncli.show.console import stdout_console
    from cnncli.show.picture import show_pictures

    if done.before is None or done.changed is None:
        return
    pictures = [
        (f"{title} {_describe(picture)}", to_uint8_rgb(picture))
        for title, picture in (("before", done.before), ("after", done.changed.picture))
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
