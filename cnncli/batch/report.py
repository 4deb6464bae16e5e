"""What is said of a batch: a line for each picture, remarks, and pictures in the terminal."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cnncli.batch.inputs import STDIN
from cnncli.errors import CnncliError
from cnncli.images import Picture, to_uint8_rgb
from cnncli.limits import MAX_PIXELS
from cnncli.pipeline import core_count
from cnncli.show.console import notice, stdout_console

MAX_DRAWN = 4  # pictures of a batch that are drawn unasked


class BatchOptions(NamedTuple):
    """How a batch runs and reports; most fields are the options of that name.

    Parameters
    ----------
    doing
        Title of the progress bar.
    jobs
        Inputs at a time; 0 for as many as there are cores.
    max_pixels
        Larger pictures are refused.
    quiet, as_json, verbose
        As on the command line.
    show
        Draw before and after; None where stdout is a terminal.
    resume
        Leave out what an earlier run has done.
    settings
        What results are made with, as one line of text; for `resume`.
    on, cpus_each, gpus_each
        A cluster that does the work, and what each of its workers takes.
    """

    doing: str
    jobs: int = 0
    max_pixels: int = MAX_PIXELS
    quiet: bool = False
    as_json: bool = False
    verbose: bool = False
    show: bool | None = None
    resume: bool = False
    settings: str = ""
    on: str | None = None
    cpus_each: float = 1
    gpus_each: float = 0

    def workers(self, count: int) -> int:
        """Return how many of `count` inputs are worked on at a time."""
        return max(1, min(self.jobs or core_count(), count))

    def draws(self, count: int, *, to_stdout: bool) -> bool:
        """Whether pictures are drawn, for a batch of `count`."""
        if self.on is not None:
            return False  # the pictures are elsewhere
        if self.show is not None or self.quiet or self.as_json or to_stdout:
            return bool(self.show)
        return sys.stdout.isatty() and count <= MAX_DRAWN


class PictureRecord(NamedTuple):
    """What is said of a picture, without its pixels: results that wait would fill the memory.

    `before` and `after` describe the pictures; `drawn` has both where they are to be drawn.
    """

    path: str
    error: CnncliError | None = None
    target: str = ""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    remark: str = ""
    details: Mapping[str, Any] = {}
    plans: tuple[str, ...] = ()
    drawn: tuple[Picture, Picture] | None = None


class PictureReport:
    """Says what became of each picture.

    Parameters
    ----------
    options
        How.
    alone
        Whether there is one picture: then it gets a remark of its own.
    to_stdout
        Whether stdout is the picture itself.
    """

    def __init__(self, options: BatchOptions, *, alone: bool, to_stdout: bool) -> None:
        self._options, self._alone, self._to_stdout = options, alone, to_stdout
        self._first = True

    def __call__(self, record: PictureRecord, say: Callable[[str], None]) -> CnncliError | None:
        """Report one record; return its error."""
        self._remark(record)
        self._first = False
        if self._options.as_json and not self._to_stdout:
            say(_json_line(record))
        elif record.error is None and not self._to_stdout:
            say(record.target)
        if record.drawn is not None:
            _draw(record, *record.drawn)
        return record.error

    def _remark(self, record: PictureRecord) -> None:
        quiet, name = self._options.quiet, "stdin" if record.path == STDIN else record.path
        for text in record.notices:
            notice(f"{name} {text}", quiet=quiet)
        if record.error is not None:
            return
        for plan in record.plans if self._options.verbose else ():
            notice(plan)
        if self._alone:
            remark = f"; {record.remark}" if record.remark else ""
            notice(f"{name}: {record.before} -> {record.after}{remark}", quiet=quiet)
        elif self._first and record.remark:
            notice(record.remark, quiet=quiet)


def describe(picture: Picture) -> str:
    """Return a picture's size and kind: ``512x384 RGB``."""
    height, width = picture.pixels.shape[:2]
    return f"{width}x{height} {picture.kind}"


def _json_line(record: PictureRecord) -> str:
    told: dict[str, Any] = {"path": record.path, "output": record.target or None}
    if record.error is None:
        told |= {**record.details, "seconds": round(record.seconds, 6)}
    told["error"] = None if record.error is None else str(record.error)
    return json.dumps(told, ensure_ascii=False)


def _draw(record: PictureRecord, before: Picture, after: Picture) -> None:
    from cnncli.show.picture import show_pictures  # draws by Rich, which takes 0.1 s to import

    titled = (f"before {record.before}", before), (f"after {record.after}", after)
    pictures = [(title, to_uint8_rgb(picture)) for title, picture in titled]
    show_pictures(stdout_console(), pictures)
