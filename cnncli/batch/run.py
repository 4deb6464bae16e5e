"""The loop over a batch: expand IMAGES, then for each: read, work, write, report."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeVar

from cnncli.batch.inputs import STDIN, Inputs
from cnncli.batch.outputs import OutputPaths
from cnncli.batch.report import BatchOptions, PictureRecord, PictureReport, describe
from cnncli.errors import BatchError, CnncliError, UsageError, failure_of
from cnncli.images import Picture, begin_picture, write_picture
from cnncli.pipeline import core_count, ordered_map
from cnncli.remote import is_url
from cnncli.show.console import error as show_error
from cnncli.show.progress import batch_progress

MANY = 500  # inputs from which processes save more than starting them costs
_CONNECTIONS = 16  # to a store of objects
_CHUNK = 8  # inputs that travel together to a process: waking one costs as much as a small picture
_CLUSTER_CHUNK = 32  # and more to another machine: 8 at a time took 1.1 times as long


R = TypeVar("R")  # what became of one input


class Work(Protocol[R]):
    """What is done with inputs: picklable, so that threads, processes or a cluster run it."""

    @property
    def chunk(self) -> int:
        """How many inputs it takes at a time in threads of this process."""

    @property
    def in_processes(self) -> bool:
        """Whether other processes may do it."""

    def __call__(self, sources: Sequence[str]) -> list[R]:
        """Return the record of each input; a failure of one is its record's error."""

    def failed(self, source: str, error: CnncliError) -> R:
        """Return the record of an input that the work could not be done for."""


def run_batch(
    inputs: Inputs,
    work: Work[R],
    report: Callable[[R, Callable[[str], None]], CnncliError | None],
    options: BatchOptions,
) -> None:
    """Work on every input and report in their order.

    Parameters
    ----------
    inputs
        From :func:`~cnncli.batch.inputs.expand_inputs`.
    work
        From some inputs to their records.
    report
        Takes a record and a function that prints a line of result; returns what failed, if
        anything.
    options
        How to run and report.

    Raises
    ------
    BatchError
        If some inputs failed and others are done.
    CnncliError
        If all failed; the error itself if there was one input.
    """
    records = _records(work, inputs.present, options)
    failed, failure = inputs.failed, None
    with batch_progress(len(inputs), options.doing, quiet=options.quiet) as progress:
        for name in inputs.names:
            missing = inputs.missing.get(name)
            record = next(records) if missing is None else work.failed(name, missing)
            failure = report(record, progress.print)
            if failure is not None:
                failed += 1
                if len(inputs) > 1:
                    show_error(str(failure))
            progress.advance()
    count = inputs.done + len(inputs)
    if failure is not None and count == 1:
        raise failure
    if failed:
        kind = CnncliError if failed == count else BatchError
        some = "all" if kind is CnncliError else f"{failed} of"
        raise kind(f"{some} {count} pictures failed; the lines above say why")


def _records(work: Work[R], names: Sequence[str], options: BatchOptions) -> Iterator[R]:
    """Return the records in the order of the names, whoever does the work."""
    jobs = options.workers(len(names))
    lost = partial(_lost, work)
    if options.on is not None:
        from cnncli.batch.cluster import map_on_cluster  # for this alone

        if not work.in_processes:
            raise UsageError("results could meet in one file; leave out --on, or give -o FOLDER/")
        chunks = _chunks(names, max(_CLUSTER_CHUNK, work.chunk))
        each = options.cpus_each, options.gpus_each
        return chain.from_iterable(map_on_cluster(work, chunks, options.on, *each, lost))
    if any(map(is_url, names[:1])):  # a store answers late, and many at a time
        jobs = min(len(names), max(jobs, _CONNECTIONS))
        return chain.from_iterable(ordered_map(work, _chunks(names, 1), jobs))
    if jobs > 1 and len(names) >= MANY and work.in_processes:
        from cnncli.batch.processes import map_in_processes  # and multiprocessing: 10 ms

        size = max(_CHUNK, work.chunk)
        return chain.from_iterable(map_in_processes(work, _chunks(names, size), jobs, lost))
    return chain.from_iterable(ordered_map(work, _chunks(names, work.chunk), jobs))


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[first : first + size] for first in range(0, len(names), size))


def _lost(work: Work[R], source: str) -> R:
    why = "the process that had it was ended from outside, perhaps for want of memory"
    return work.failed(source, CnncliError(f"{source}: {why}; use --jobs 1"))


class Result(NamedTuple):
    """A new picture and what is said about it.

    Parameters
    ----------
    picture
        The result.
    remark
        What a person should know, such as the range that was chosen.
    details
        Keys for ``--json``.
    plans
        Lines for ``-v``.
    """

    picture: Picture
    remark: str = ""
    details: Mapping[str, Any] = {}
    plans: tuple[str, ...] = ()


class PictureWork:
    """From a picture's path to the record of a new picture, which is written.

    Parameters
    ----------
    change
        Takes a picture and a number of threads; a function of a module, or a part of one, that
        other processes can import.
    outputs
        Where the results go.
    threads
        For each picture.
    max_pixels
        Larger pictures are refused.
    keep
        Whether the pictures go along with the record, to be drawn.
    """

    chunk = 1

    def __init__(
        self,
        change: Callable[[Picture, int], Result],
        outputs: OutputPaths,
        threads: int,
        max_pixels: int,
        keep: bool,
    ) -> None:
        self._change, self._outputs, self._threads = change, outputs, threads
        self._max_pixels, self._keep = max_pixels, keep
        # No two results can meet in one file there, and none is to be drawn.
        self.in_processes = outputs.are_apart and not keep

    def __call__(self, sources: Sequence[str]) -> list[PictureRecord]:
        """Read, change and write each picture."""
        records = []
        for source in sources:
            try:
                records.append(self.process(source))
            except BrokenPipeError:
                raise
            except Exception as error:  # one picture must not end the others, whatever it does
                name = "stdin" if source == STDIN else source
                records.append(self.failed(source, failure_of(name, error)))
        return records

    def process(self, source: str) -> PictureRecord:
        """Read, change and write one picture."""
        start = time.perf_counter()
        before = begin_picture(source, max_pixels=self._max_pixels, threads=self._threads)
        before = before.whole() if self._keep else before
        size, notices = describe(before), tuple(before.info.get("notices", ()))
        result = self._change(before, self._threads)
        drawn = (before, result.picture) if self._keep else None
        del before  # its memory is free while the result is encoded, unless that still asks for it
        target, name = self._outputs.path_for(source, result.picture)
        write_picture(target, result.picture, name, threads=self._threads)
        height, width = result.picture.pixels.shape[:2]
        facts = {"width": width, "height": height, "mode": result.picture.kind}
        return PictureRecord(
            source,
            target=target,
            seconds=time.perf_counter() - start,
            notices=notices,
            before=size,
            after=describe(result.picture),
            remark=result.remark,
            details={**facts, **result.details},
            plans=result.plans,
            drawn=drawn,
        )

    def failed(self, source: str, error: CnncliError) -> PictureRecord:
        """Return the record of a picture that nothing became of."""
        return PictureRecord(source, error)


def run_pictures(
    inputs: Inputs,
    outputs: OutputPaths,
    change: Callable[[Picture, int], Result],
    options: BatchOptions,
) -> None:
    """Change every picture, write the results, and report in the order of the inputs.

    Raises
    ------
    CnncliError
        As :func:`run_batch`.
    """
    outputs.make_folder()
    if options.resume:
        inputs = inputs.without(outputs.finished(inputs.names, options.settings))
    keep = options.draws(len(inputs), to_stdout=outputs.to_stdout)
    threads = max(1, (options.jobs or core_count()) // options.workers(len(inputs)))
    work = PictureWork(change, outputs, threads, options.max_pixels, keep)
    report = PictureReport(options, alone=len(inputs) == 1, to_stdout=outputs.to_stdout)
    run_batch(inputs, work, report, options)
