"""``cnncli convolve``: slide kernels over pictures or over a row of numbers."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.commands._options import (
    Explain,
    Jobs,
    Json,
    MaxPixels,
    OptionalImages,
    Output,
    Quiet,
    Show,
    Verbose,
)
from cnncli.config import MAX_PIXELS
from cnncli.errors import UsageError
from cnncli.ops.borders import describe_borders

if TYPE_CHECKING:
    from cnncli.commands._batch import Changed
    from cnncli.filtering.settings import Settings
    from cnncli.images import Picture
    from cnncli.images.opening import Ahead
    from cnncli.ops import Kernel

_BORDER_HELP = (
    f"What lies outside the picture a b c d: {describe_borders()}. "
    "Default: reflect; valid for --signal."
)
_RANGE_HELP = (
    "How real numbers become pixels: clip, abs, offset (plus mid grey), minmax (stretched), raw "
    "(float32), or auto: abs when the kernel sums to 0, else clip."
)


def convolve(
    images: OptionalImages = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            "-f",
            metavar="NAME",
            help="Named filter (see: cnncli filters) or WEIGHTS:LAYER[:OUT[:IN]]. Repeat to chain.",
            show_default=False,
        ),
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            "--kernel",
            "-k",
            metavar="ROWS",
            help='Rows end with ";": "-1 0 1; -1 0 1; -1 0 1". 1/9 is a number.',
            show_default=False,
        ),
    ] = None,
    kernel_file: Annotated[
        Path | None,
        typer.Option(
            "--kernel-file", help="Kernel in a .txt, .csv, .json or .npy file.", show_default=False
        ),
    ] = None,
    op: Annotated[
        str,
        typer.Option(
            "--op",
            metavar="correlate|convolve",
            help="correlate: the sliding product of CNN layers; convolve rotates the kernel first.",
        ),
    ] = "correlate",
    border: Annotated[
        str | None,
        typer.Option("--border", metavar="NAME", help=_BORDER_HELP, show_default=False),
    ] = None,
    stride: Annotated[str, typer.Option("--stride", metavar="N|NxM", help="Step.")] = "1",
    dilation: Annotated[
        str, typer.Option("--dilation", metavar="N|NxM", help="Distance between taps.")
    ] = "1",
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            metavar="S|sum",
            help="Divide the response by S. Named filters carry their own.",
            show_default=False,
        ),
    ] = None,
    bias: Annotated[float, typer.Option("--bias", help="Add after the division.")] = 0.0,
    range: Annotated[str, typer.Option("--range", metavar="MODE", help=_RANGE_HELP)] = "auto",
    explain: Explain = None,
    signal: Annotated[
        str | None,
        typer.Option(
            "--signal",
            metavar="NUMBERS",
            help='Filter a row of numbers instead of pictures: "1,0,2,3,1,0,1".',
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    show: Show = None,
    jobs: Jobs = 0,
    max_pixels: MaxPixels = MAX_PIXELS,  # noqa: ARG001 (its callback sets the limit)
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Filter pictures with named, typed or learned kernels.

    For example:

    cnncli convolve photo.jpg -f sharpen

    cnncli convolve photos/ -f gaussian5 -f sobel -o edges/

    cnncli convolve photo.png -k "-1 0 1; -1 0 1; -1 0 1" --range offset

    cnncli convolve photo.png -f vertical_edge --explain 40,25

    cnncli convolve --signal "1,0,2,3,1,0,1" -k "1,0,-1"
    """
    from cnncli.commands._reading import start_reading

    inputs, ahead = start_reading(images) if signal is None else ([], None)
    from cnncli.filtering.settings import Settings, option_pair
    from cnncli.ops import parse_border

    writes = signal is None and explain is None
    kernels = _several(filters) if writes else ()
    steps = kernels[:1] or _steps(filters or [], kernel, kernel_file)
    default_border = "reflect" if signal is None else "valid"
    settings = Settings(
        op,
        parse_border(border or default_border),
        option_pair(stride, "stride"),
        option_pair(dilation, "dilation"),
        scale,
        bias,
        range,
    )
    settings.check(steps)
    if signal is not None:
        _convolve_signal(signal, steps, settings, as_json)
    elif explain is not None:
        _explain(inputs, ahead, explain, steps, settings, as_json)
    else:
        from cnncli.commands._batch import Manner, run_batch
        from cnncli.commands._outputs import Targets
        from cnncli.inputs import stand_for_several

        what = "_".join(step.name for step in steps) if len(kernels) < 2 else _layer(filters)
        others = [kernel_file] if kernel_file else []
        targets = Targets(inputs, output, what, others, several=stand_for_several(images or []))
        manner = Manner("filtering", jobs, quiet, as_json, verbose, show)
        change = partial(
            _sheet if len(kernels) > 1 else _filtered, steps=kernels or steps, settings=settings
        )
        run_batch(inputs, targets, change, manner, ahead)


def _several(filters: list[str] | None) -> "tuple[Kernel, ...]":
    """Return the kernels of a checkpoint, if that is the one filter that is named."""
    if filters is None or len(filters) > 1 or ":" not in filters[0]:
        return ()
    from cnncli.commands._learned import sheet_steps

    return sheet_steps(filters)


def _layer(filters: list[str] | None) -> str:
    from cnncli.kernel_files import LearnedKernel

    learned = LearnedKernel.parse(filters[0]) if filters else None
    return learned.label if learned else "kernels"


def _sheet(
    picture: "Picture", threads: int, *, steps: "tuple[Kernel, ...]", settings: "Settings"
) -> "Changed":
    from cnncli.commands._learned import sheet_of

    return sheet_of(picture, steps, settings, threads)


def _steps(
    filters: list[str], kernel: str | None, kernel_file: Path | None
) -> "tuple[Kernel, ...]":
    from cnncli.kernel_files import read_kernel_file
    from cnncli.ops import Kernel, parse_kernel

    given = [bool(filters), kernel is not None, kernel_file is not None]
    if sum(given) != 1:
        raise UsageError(
            "give one of --filter NAME, --kernel ROWS and --kernel-file FILE; "
            "cnncli filters lists the names"
        )
    if kernel is not None:
        return (Kernel.of(parse_kernel(kernel)),)
    if kernel_file is not None:
        return (read_kernel_file(kernel_file),)
    return tuple(_named_step(name) for name in filters)


def _named_step(name: str) -> "Kernel":
    from cnncli.kernel_files import LearnedKernel
    from cnncli.ops import get_filter

    learned = LearnedKernel.parse(name)
    return get_filter(name) if learned is None else learned.kernel()


def _filtered(
    picture: "Picture", threads: int, *, steps: "tuple[Kernel, ...]", settings: "Settings"
) -> "Changed":
    from cnncli.commands._batch import Changed
    from cnncli.filtering.chain import apply_filters

    done = apply_filters(picture, steps, settings, threads)
    record = {"filters": [step.name for step in steps], "range": done.range}
    return Changed(done.picture, f"range {done.range}: {done.reason}", record, done.plans)


def _convolve_signal(
    text: str, steps: "tuple[Kernel, ...]", settings: "Settings", as_json: bool
) -> None:
    from cnncli.filtering.signal import filter_signal
    from cnncli.ops import parse_signal
    from cnncli.show.console import result

    values = filter_signal(parse_signal(text), steps, settings).tolist()
    result(json.dumps({"result": values}) if as_json else str(values))


def _explain(
    inputs: list[Path],
    ahead: "Ahead | None",
    place: str,
    steps: "tuple[Kernel, ...]",
    settings: "Settings",
    as_json: bool,
) -> None:
    from cnncli.commands._place import one_place
    from cnncli.filtering.explain import explain_pixel
    from cnncli.images import read_picture
    from cnncli.show.console import result

    x, y = one_place(place, inputs)
    picture = read_picture(inputs[0], ahead=ahead)
    explanation = explain_pixel(picture, steps, settings, x, y)
    if as_json:
        result(json.dumps(explanation.to_dict()))
        return
    from cnncli.show.explanation import show_explanation

    show_explanation(explanation)
