"""A layer's kernels side by side: ``convolve --filter WEIGHTS:LAYER``."""

from collections.abc import Sequence
from dataclasses import replace

from cnncli.commands._batch import Changed
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.settings import Settings
from cnncli.images import Picture, to_uint8_rgb
from cnncli.kernel_files import LearnedKernel
from cnncli.ops import Kernel


def sheet_steps(filters: Sequence[str]) -> tuple[Kernel, ...]:
    """Return the kernels that the only filter names, if they are learned ones; else nothing.

    Raises
    ------
    CheckpointError, KernelError
        If the checkpoint, its layer or a channel is wrong.
    """
    learned = LearnedKernel.parse(filters[0]) if len(filters) == 1 else None
    return learned.kernels() if learned is not None else ()


def sheet_of(
    picture: Picture, steps: Sequence[Kernel], settings: Settings, threads: int
) -> Changed:
    """Return the picture under every kernel, on one labelled sheet.

    The range ``auto`` stretches each response to its own extremes: learned kernels have no scale.
    """
    from cnncli.show.filter_sheet import filter_sheet

    if settings.range == "auto":
        settings = replace(settings, range="minmax")
    tiles = [("before", to_uint8_rgb(picture))]
    for step in steps:
        done = apply_filters(picture, (step,), settings, threads).picture
        tiles.append((step.name, to_uint8_rgb(done)))
    sheet = Picture(filter_sheet(tiles), mode="RGB", info={"format": "PNG"})
    record = {"filters": [step.name for step in steps], "range": settings.range}
    return Changed(sheet, f"{len(steps)} kernels, range {settings.range} each", record)
