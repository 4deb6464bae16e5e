"""``cnncli convolve``: slide kernels over pictures or over a row of numbers."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from cnncli.batch.inputs import expand_inputs
from cnncli.batch.outputs import OutputPaths
from cnncli.batch.report import BatchOptions
from cnncli.batch.run import Result, run_pictures
from cnncli.commands import _options as shared
from cnncli.errors import UsageError
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.settings import Settings, option_pair, option_scale
from cnncli.filtering.signal import filter_signal, parse_signal
from cnncli.images import Picture, read_picture, to_uint8_rgb
from cnncli.kernel_files import LearnedKernel, read_kernel_file
from cnncli.limits import MAX_PIXELS
from cnncli.ops import Kernel, get_filter
from cnncli.ops.borders import describe_borders, parse_border
from cnncli.ops.kernel_text import parse_kernel
from cnncli.show.console import result

_BORDER_HELP = (
    f"What lies outside the picture a b c d: {describe_borders()}. "
    "Default: reflect; valid for --signal."
)
RangeName = Literal["auto", "clip", "abs", "offset", "minmax", "raw"]
_RANGE_HELP = (
    "How real numbers become pixels: clip, abs, offset (plus mid grey), minmax (stretched), raw "
    "(float32), or auto: abs when the kernel sums to 0, else clip."
)


def convolve(
    images: shared.Images = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            "-f",
            metavar="NAME",
            help="Named filter (see: cnncli filters) or WEIGHTS:LAYER[:OUT[:IN]]. Repeat to chain.",
        ),
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            "--kernel",
            "-k",
            metavar="ROWS",
            help='Rows end with ";": "-1 0 1; -1 0 1; -1 0 1". 1/9 is a number.',
        ),
    ] = None,
    kernel_file: Annotated[
        Path | None, typer.Option(help="Kernel in a .txt, .csv, .json or .npy file.")
    ] = None,
    op: Annotated[
        Literal["correlate", "convolve"],
        typer.Option(
            help="correlate: the sliding product of CNN layers; convolve rotates the kernel first."
        ),
    ] = "correlate",
    border: Annotated[str | None, typer.Option(metavar="NAME", help=_BORDER_HELP)] = None,
    stride: Annotated[str, typer.Option(metavar="N|NxM", help="Step.")] = "1",
    dilation: Annotated[str, typer.Option(metavar="N|NxM", help="Distance between taps.")] = "1",
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="S|sum", help="Divide the response by S. Named filters carry their own."
        ),
    ] = None,
    bias: Annotated[float, typer.Option(help="Add after the division.")] = 0.0,
    range: Annotated[RangeName, typer.Option(help=_RANGE_HELP)] = "auto",
    explain: shared.Explain = None,
    signal: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS", help='Filter a row of numbers instead of pictures: "1,0,2,3,1,0,1".'
        ),
    ] = None,
    output: shared.Output = None,
    show: shared.Show = None,
    recursive: shared.Recursive = False,
    from_list: shared.FromList = None,
    shard: shared.Shard = None,
    resume: shared.Resume = False,
    on: shared.On = None,
    cpus_each: shared.CpusEach = 1.0,
    gpus_each: shared.GpusEach = 0.0,
    jobs: shared.Jobs = 0,
    max_pixels: shared.MaxPixels = MAX_PIXELS,
    as_json: shared.Json = False,
    verbose: shared.Verbose = False,
    quiet: shared.Quiet = False,
) -> None:
    """Filter pictures with named, typed or learned kernels.

    For example:

    cnncli convolve photo.jpg -f sharpen

    cnncli convolve photos/ -f gaussian5 -f sobel -o edges/

    cnncli convolve photo.png -k "-1 0 1; -1 0 1; -1 0 1" --range offset

    cnncli convolve photo.png -f vertical_edge --explain 40,25

    cnncli convolve --signal "1,0,2,3,1,0,1" -k "1,0,-1"
    """
    to_file = signal is None and explain is None
    steps, what, sheet = _chosen(filters or [], kernel, kernel_file, whole_layer=to_file)
    default_border = "reflect" if signal is None else "valid"
    settings = Settings(
        op,
        parse_border(border or default_border),
        option_pair(stride, "stride"),
        option_pair(dilation, "dilation"),
        option_scale(scale),
        bias,
        range,
    )
    settings.check(steps)
    if signal is not None:
        values = filter_signal(parse_signal(signal), steps, settings).tolist()
        result(json.dumps({"result": values}) if as_json else str(values))
        return
    inputs = expand_inputs(images, recursive=recursive, from_list=from_list)
    if explain is not None:
        from cnncli.filtering.explain import explain_pixel
        from cnncli.show.explanation import show_explanation  # by Rich, as all of show/

        x, y = shared.parse_pixel(explain, len(inputs))
        picture = read_picture(inputs.names[0], max_pixels=max_pixels)
        explanation = explain_pixel(picture, steps, settings, x, y)
        shared.tell_explanation(explanation, show_explanation, as_json=as_json)
        return
    outputs = OutputPaths(inputs, output, what, [kernel_file] if kernel_file else [])
    change = partial(_sheet if sheet else _filtered, steps=steps, settings=settings)
    options = BatchOptions("filtering", jobs, max_pixels, quiet, as_json, verbose, show, resume)
    made_with = _settings_line(what, steps, settings) if resume else ""
    options = options._replace(settings=made_with, on=on, cpus_each=cpus_each, gpus_each=gpus_each)
    run_pictures(inputs.shard(shard), outputs, change, options)


def _settings_line(what: str, steps: Sequence[Kernel], settings: Settings) -> str:
    """Return what results are made with, as one line of text."""
    import hashlib  # and OpenSSL: 10 ms that only --resume needs

    numbers = [(part.weights.tolist(), part.scale) for step in steps for part in step.parts]
    return f"convolve {what} {hashlib.sha256(repr(numbers).encode()).hexdigest()} {settings}"


def _chosen(
    filters: list[str], kernel: str | None, kernel_file: Path | None, *, whole_layer: bool
) -> tuple[tuple[Kernel, ...], str, bool]:
    """Return the filters, what file names call them, and whether each goes on a sheet of its own.

    That is for one filter which names several kernels of a layer, where `whole_layer` allows it.
    """
    if sum([bool(filters), kernel is not None, kernel_file is not None]) != 1:
        raise UsageError(
            "give one of --filter NAME, --kernel ROWS and --kernel-file FILE; "
            "cnncli filters lists the names"
        )
    if kernel is not None:
        steps: tuple[Kernel, ...] = (Kernel.of(parse_kernel(kernel)),)
    elif kernel_file is not None:
        steps = (read_kernel_file(kernel_file),)
    elif whole_layer and len(filters) == 1 and (learned := LearnedKernel.parse(filters[0])):
        steps = learned.kernels()
        return steps, learned.label, len(steps) > 1
    else:
        steps = tuple(_named_step(name) for name in filters)
    return steps, "_".join(step.name for step in steps), False


def _named_step(name: str) -> Kernel:
    learned = LearnedKernel.parse(name)
    return get_filter(name) if learned is None else learned.kernel()


def _filtered(
    picture: Picture, threads: int, *, steps: tuple[Kernel, ...], settings: Settings
) -> Result:
    done = apply_filters(picture, steps, settings, threads)
    details = {"filters": [step.name for step in steps], "range": done.range}
    return Result(done.picture, f"range {done.range}: {done.reason}", details, done.plans)


def _sheet(
    picture: Picture, threads: int, *, steps: tuple[Kernel, ...], settings: Settings
) -> Result:
    """Return the picture under every kernel, on one labelled sheet.

    The range ``auto`` stretches each response to its own extremes: learned kernels have no scale.
    """
    from cnncli.show.sheet import filter_sheet

    if settings.range == "auto":
        settings = settings._replace(range="minmax")
    picture = picture.whole()
    tiles = [("before", to_uint8_rgb(picture))]
    for step in steps:
        done = apply_filters(picture, (step,), settings, threads).picture
        tiles.append((step.name, to_uint8_rgb(done)))
    sheet = Picture(filter_sheet(tiles), mode="RGB", info={"format": "PNG"})
    details = {"filters": [step.name for step in steps], "range": settings.range}
    return Result(sheet, f"{len(steps)} kernels, range {settings.range} each", details)
