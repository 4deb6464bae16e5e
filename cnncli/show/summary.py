"""A network as a table: what each layer makes, what it costs and how far it sees."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from math import prod
from typing import TYPE_CHECKING, Any

from cnncli.config import ModelConfig
from cnncli.layers import Layer, Shape
from cnncli.show.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 1000
_BAR = 12  # characters of the longest bar of shares
_ROOM_FOR_BARS = 110  # columns of a terminal from which on the bars fit
_MOST_NUMBERS = 20  # of a list in a card that are shown one by one
_HEADINGS = (
    *("layer", "what it does", "output", "parameters"),
    *("share", "multiply-adds", "share", "receptive field"),
)
_HEADINGS_IN_TWO_LINES = (
    *("layer", "what it does", "output", "para-\nmeters"),
    *("share", "multiply\n-adds", "share", "receptive\nfield"),
)


def size_text(shape: Shape) -> str:
    """Return a shape as people write it: ``16x28x28``."""
    return "x".join(map(str, shape))


def share(part: int, whole: int) -> float:
    """Return a part of a whole between 0 and 1; 0 of nothing."""
    return part / whole if whole else 0.0


def show_layers(console: "Console", config: ModelConfig, layers: Sequence[Layer]) -> None:
    """Print a network as a table: shapes, parameters, multiply-adds and receptive fields.

    Parameters
    ----------
    console
        Where to print; what is no terminal gets plain text of any width.
    config, layers
        The network and :func:`cnncli.nn.layer_table.layer_table` of it.
    """
    if console.is_terminal:
        console.print(_table(config, layers, boxed=True, wide=console.width >= _ROOM_FOR_BARS))
        return
    # A pipe has no width: nothing is wrapped, and nothing ends in spaces.
    from rich.console import Console

    text = StringIO()
    table = _table(config, layers, boxed=False, wide=True)
    Console(file=text, width=_PIPE_WIDTH, color_system=None).print(table)
    _print_lines(console, [*(line.rstrip() for line in text.getvalue().splitlines()), ""])


def _table(config: ModelConfig, layers: Sequence[Layer], *, boxed: bool, wide: bool) -> "Table":
    """Return one row a layer, one for the input before them and one for the sums after them."""
    totals = (
        sum(layer.parameters for layer in layers),
        sum(layer.multiply_adds for layer in layers),
    )
    table = _frame(boxed, wide, totals)
    pixels = (config.in_channels, config.height, config.width)
    table.add_row("input", "", size_text(pixels), *[""] * 5)
    for layer in layers:
        counts = (layer.parameters, layer.multiply_adds)
        cells = [
            text
            for count, total in zip(counts, totals, strict=True)
            for text in (f"{count:,}" if count else "-", _share(count, total, boxed and wide))
        ]
        edge = layer.receptive_field
        field = f"{edge}x{edge}" if edge else "all"
        table.add_row(layer.name, layer.operation, size_text(layer.output), *cells, field)
    return table


def _frame(boxed: bool, wide: bool, totals: tuple[int, int]) -> "Table":
    """Return the table without its rows: headings in one line where they fit, else in two."""
    from rich import box
    from rich.table import Table

    # The lines of a box bring a space of their own between two columns.
    table = Table(
        box=box.SIMPLE if boxed else None,
        padding=(0, 1 if wide else 0) if boxed else (0, 2, 0, 0),
        pad_edge=False,
        show_footer=True,
        footer_style="bold",
    )
    headings = _HEADINGS_IN_TWO_LINES if boxed and not wide else _HEADINGS
    footers = ("total", "", "", f"{totals[0]:,}", "", f"{totals[1]:,}", "", "")
    shares = "left" if boxed and wide else "right"  # a bar follows the number
    sides = ("left", "left", "left", "right", shares, "right", shares, "right")
    for heading, footer, side in zip(headings, footers, sides, strict=True):
        table.add_column(heading, footer, justify=side, no_wrap=heading != "what it does")  # type: ignore[arg-type]
    table.columns[0].style = "bold"
    return table


def _share(part: int, whole: int, bars: bool) -> str:
    if not part:
        return ""
    text = f"{share(part, whole):.1%}"
    return f"{text:>6} {'━' * max(1, round(share(part, whole) * _BAR))}" if bars else text


def comparison(config: ModelConfig, layers: Sequence[Layer]) -> list[str]:
    """Say what fully connected layers would cost where the network has its first convolution.

    Parameters
    ----------
    config, layers
        The network and :func:`cnncli.nn.layer_table.layer_table` of it.

    Returns
    -------
    list of str
        Sentences; none for a network without a convolution before a fully connected layer.

    Examples
    --------
    >>> conv = Layer("conv1", "3x3 convolution", (16, 28, 28), {"conv1.weight": (16, 1, 3, 3)})
    >>> "784 x 128 = 100,352" in comparison(ModelConfig(), [conv, Layer("fc1", "", (128,))])[0]
    True
    """
    convolution = next((layer for layer in layers if len(layer.output) == 3), None)
    dense = next((layer for layer in layers if len(layer.output) == 1), None)
    kernels = (
        [shape for shape in convolution.tensors.values() if len(shape) == 4] if convolution else []
    )
    if convolution is None or dense is None or not kernels:
        return []
    pixels = config.in_channels * config.height * config.width
    units, values = dense.output[0], prod(convolution.output)
    weights = kernels[0]
    return [
        f"A fully connected layer of {units} units on the {pixels:,} input values has "
        f"{pixels:,} x {units} = {pixels * units:,} weights.",
        f"{convolution.name} has {size_text(weights)} = {prod(weights):,}, used at every "
        f"place of the picture: {share(pixels * units, prod(weights)):,.0f} times fewer.",
        f"Fully connected, {convolution.name}'s {values:,} outputs would take "
        f"{pixels:,} x {values:,} = {pixels * values:,} weights.",
    ]


def card_lines(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the entries of a model card as ``(name, value)``, nested ones on the same line.

    Examples
    --------
    >>> list(card_lines({"seed": 0, "test": {"accuracy": 0.99, "n": 10000}}))
    [('seed', '0'), ('test', 'accuracy 0.99, n 10000')]
    """
    for name, value in card.items():
        yield printable(name, 40), printable(_plain(value))


def _plain(value: object) -> str:
    """Return a card's value without brackets and quotes; many numbers only counted."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        if (numbers := _count_numbers(value)) > _MOST_NUMBERS:
            return f"{numbers:,} numbers"
        return ", ".join(map(_plain, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _count_numbers(value: object) -> int:
    """Return how many numbers a list of numbers, or of such lists, has; 0 of anything else."""
    if isinstance(value, list):
        counts = [_count_numbers(inner) for inner in value]
        return sum(counts) if all(counts) else 0
    return int(isinstance(value, int | float))


def show_summary(
    console: "Console",
    config: ModelConfig,
    layers: Sequence[Layer],
    facts: Mapping[str, Any],
    card: Mapping[str, Any],
) -> None:
    """Print the table, the comparison, the facts of the file and the card.

    Parameters
    ----------
    console
        Where to print; what is no terminal gets plain text of any width.
    config, layers
        The network and :func:`cnncli.nn.layer_table.layer_table` of it.
    facts, card
        What is known of the file (path, classes, …), and what its maker wrote into it.
    """
    show_layers(console, config, layers)
    _print_lines(console, comparison(config, layers))
    for heading, entries in (("weights", facts), ("card", card)):
        rows = list(card_lines(entries))
        room = max((len(name) for name, _ in rows), default=0)
        if rows:
            console.print(f"\n{heading}", style="bold", markup=False)
            _print_lines(console, [f"  {name:<{room}}  {value}" for name, value in rows], room + 4)


def _print_lines(console: "Console", lines: Sequence[str], indent: int = 0) -> None:
    """Print lines: a terminal gets them wrapped, with the later parts indented."""
    for line in lines:
        wrapped = [line]
        if console.is_terminal and len(line) > console.width > indent + 20:
            spaces = " " * indent
            wrapped = textwrap.wrap(line, console.width, subsequent_indent=spaces)
        for part in wrapped:
            console.print(part, markup=False, soft_wrap=not console.is_terminal)
