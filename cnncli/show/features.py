"""Feature maps as one labelled picture, and as strips in the terminal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from cnncli.interpret.feature_maps import Stage
from cnncli.show.colours import diverging, greys, largest
from cnncli.show.picture import TerminalPicture, draws_colours
from cnncli.show.scale import fit
from cnncli.show.sheet import FAINT, Pixels, below, beside, framed, grid, spread, words
from cnncli.show.text import BELOW_ZERO, DOUBTFUL, percent, printable

Array = NDArray[np.float32]

_CELL = 84  # pixels of a map's side: 3 x 28, 6 x 14 and 12 x 7
_COLUMNS = 16
# A layer shown alone: side and columns of few maps, and of many.
_FEW, _LARGE_CELL, _LARGE_COLUMNS = 16, 224, 4
_MANY_CELL, _MANY_COLUMNS = 140, 8
_PICTURE = 168  # pixels of the side of what stands above: 6 x 28
_UNIT = 22  # pixels of one number of a fully connected layer
_UNITS = 64  # of them in a row
_TERMINAL_CELL = 16  # characters of a map's width in the terminal
_MOST_OUTPUTS = 32  # of one row of named outputs; more are drawn as plain units


def feature_sheet(
    stages: Sequence[Stage],
    classes: Sequence[str],
    pictures: Sequence[tuple[str, Pixels]],
    answer: str,
    *,
    kernels: bool = False,
) -> Pixels:
    """Draw every stage under its title: all maps of a stage share one colour scale.

    Parameters
    ----------
    stages
        In order; one alone is drawn large.
    classes
        Names of the network's outputs.
    pictures
        Titles and pixels ``(H, W, 3)`` of what stands above the stages: the file, and what the
        network was shown.
    answer
        What the network says, in a few words.
    kernels
        Draw the learned kernels above the maps that they make.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)``.
    """
    large = len(stages) == 1
    bodies = [_body(stage, classes, large=large, kernels=kernels) for stage in stages]
    shown = [titled(title, fit(pixels, _PICTURE, _PICTURE)) for title, pixels in pictures]
    head = beside([*shown, below([words("the answer", 14, FAINT), words(answer, 34)])], 18)
    titles = [beside([words(s.name, 17), words(_explained(s), 14, FAINT)], 12) for s in stages]
    legends = [_legend(stage) for stage in stages]
    width = max(
        *(body.shape[1] for body in bodies),
        *(t.shape[1] + g.shape[1] + 12 for t, g in zip(titles, legends, strict=True)),
        head.shape[1],
    )
    blocks = [
        below([spread(title, legend, width), body], 8)
        for title, legend, body in zip(titles, legends, bodies, strict=True)
    ]
    return framed(below([head, *blocks], 22), 20, 24, 24, 24)


def titled(title: str, picture: Pixels) -> Pixels:
    """Return a picture with its title below."""
    return below([picture, words(title, 14, FAINT)], 4)


def _explained(stage: Stage) -> str:
    return f"{stage.step}: {values_text(stage.values)}"


def values_text(values: Array) -> str:
    """Return what an array holds, in words.

    >>> values_text(np.zeros((16, 28, 14), np.float32)), values_text(np.zeros(10, np.float32))
    ('16 maps of 28x14', '10 numbers')
    """
    if values.ndim == 1:
        return f"{values.size:,} numbers"
    return f"{len(values)} map{'s' * (len(values) != 1)} of {values.shape[1]}x{values.shape[2]}"


def _legend(stage: Stage) -> Pixels:
    """Draw the layer's colour scale between its ends."""
    limit = largest(stage.values)
    ramp = np.linspace(-limit if stage.signed else 0.0, limit, 160)
    bar = diverging(np.tile(ramp, (12, 1)), limit)
    low = f"-{limit:.3g}" if stage.signed else "0"
    return beside([words(low, 14, FAINT), bar, words(f"{limit:.3g}", 14, FAINT)], 6, middle=True)


def _body(stage: Stage, classes: Sequence[str], *, large: bool, kernels: bool) -> Pixels:
    if stage.values.ndim == 3:
        return _maps(stage, large=large, kernels=kernels)
    coloured = diverging(stage.values, largest(stage.values))
    if stage.values.size == len(classes) <= _MOST_OUTPUTS:
        outputs = [
            _output(name, float(value), colour, share=stage.name == "probabilities")
            for name, value, colour in zip(classes, stage.values, coloured, strict=True)
        ]
        return grid(outputs, _COLUMNS)
    squares = [_square(colour, _UNIT, _UNIT) for colour in coloured]
    return grid(squares, _UNITS, 1)


def _square(colour: NDArray[np.uint8], height: int, width: int) -> Pixels:
    return np.broadcast_to(colour, (height, width, 3)).copy()


def _output(name: str, value: float, colour: NDArray[np.uint8], *, share: bool) -> Pixels:
    number = percent(value) if share else f"{value:.2f}"
    label = words(printable(name, 11), 15)[:, :_CELL]
    return below([_square(colour, 30, _CELL), label, words(number, 13, FAINT)], 2)


def _maps(stage: Stage, *, large: bool, kernels: bool) -> Pixels:
    """Draw all maps of a stage; the number of each stands under it where there are several."""
    side, columns = _layout(len(stage.values), large)
    limit = largest(stage.values)
    cells = []
    for number, values in enumerate(stage.values):
        cell = fit(diverging(values, limit), side, side)
        if len(stage.values) > 1:
            cell = below([cell, words(str(number), 12, FAINT)], 1)
        if kernels and stage.kernels is not None:
            cell = _with_kernels(cell, stage.kernels[number], largest(stage.kernels), large=large)
        cells.append(cell)
    return grid(cells, columns, 10 if large else 6)


def _layout(count: int, large: bool) -> tuple[int, int]:
    """Return side and columns of the cells."""
    if not large:
        return _CELL, _COLUMNS
    return (_LARGE_CELL, _LARGE_COLUMNS) if count <= _FEW else (_MANY_CELL, _MANY_COLUMNS)


def _with_kernels(map_cell: Pixels, kernels: Array, limit: float, *, large: bool) -> Pixels:
    """Put the kernels of one output channel, one for each input channel, above its map."""
    tap = (12 if large else 6) * (2 if len(kernels) == 1 else 1)
    drawn = [diverging(k, limit).repeat(tap, axis=0).repeat(tap, axis=1) for k in kernels]
    columns = max(1, map_cell.shape[1] // (drawn[0].shape[1] + 3))
    return below([grid(drawn, columns, 3), map_cell], 5)


def show_features(
    console: Console, stages: Sequence[Stage], classes: Sequence[str], *, every_map: bool
) -> None:
    """Draw the maps in the terminal: one row a stage, or all maps of the stages given.

    Parameters
    ----------
    console
        Where to draw.
    stages, classes
        As for :func:`feature_sheet`.
    every_map
        Draw all maps of a stage, in as many rows as they take.
    """
    columns = max(1, (console.width + 2) // (_TERMINAL_CELL + 2))
    for stage in stages:
        console.print(_stage_line(stage, columns, every_map))
        if stage.values.ndim == 3:
            _show_maps(console, stage, columns, every_map)
        elif stage.values.size == len(classes):
            _show_outputs(console, stage, classes)


def _stage_line(stage: Stage, columns: int, every_map: bool) -> Text:
    """Return the title of a stage; its step in few words, so that it fits one line."""
    low, high = float(stage.values.min()), float(stage.values.max())
    step = stage.step.partition(",")[0]
    line = f" {step}: {values_text(stage.values)}, {low:.3g} to {high:.3g}"
    if stage.values.ndim == 3 and not every_map and columns < len(stage.values):
        line += f"; {columns} shown"
    return Text.assemble((stage.name, "bold"), (line, "dim"))


def _show_maps(console: Console, stage: Stage, columns: int, every_map: bool) -> None:
    paint = diverging if draws_colours(console) else greys
    limit = largest(stage.values)
    count = len(stage.values) if every_map else min(columns, len(stage.values))
    for start in range(0, count, columns):
        chosen = range(start, min(start + columns, count))
        row = [(str(i), paint(stage.values[i], limit)) for i in chosen]
        # Cells of one width, so that a last row of fewer maps keeps the size of the others.
        width = len(row) * (_TERMINAL_CELL + 2) - 2
        console.print(TerminalPicture(row, _TERMINAL_CELL // 2), width=min(width, console.width))


def _show_outputs(console: Console, stage: Stage, classes: Sequence[str]) -> None:
    limit = largest(stage.values)
    room = min(20, max(len(printable(name, 20)) for name in classes))
    bar = min(40, console.width - room - 14)
    signs = "#-" if console.options.ascii_only else "█░"  # the sign is seen without colours too
    for name, value in zip(classes, stage.values.tolist(), strict=True):
        number = f"{percent(value):>7}" if stage.name == "probabilities" else f"{value:7.2f}"
        length = round(abs(value) / limit * bar)
        style = BELOW_ZERO if value < 0 else DOUBTFUL
        console.print(f"  {printable(name, 20):<{room}} {number} ", end="", markup=False)
        console.print(signs[value < 0] * length, style=style, markup=False)
