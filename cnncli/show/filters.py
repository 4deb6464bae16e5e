"""The named filters as a table, and one of them with its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cnncli.show.console import stdout_console
from cnncli.show.text import printable

_PIPE_WIDTH = 160
_ALIKE = 0.8  # from this similarity on a learned kernel is said to resemble a named one
_MOST_ROWS = 16  # of a layer's learned kernels
_SOURCE_WIDTH = 110  # columns from which the sources fit beside what a filter is for
_WARM, _COLD = (214, 96, 77), (67, 147, 195)  # positive and negative weights; safe for most eyes


def show_filter_table(records: Sequence[Mapping[str, Any]]) -> None:
    """Print one row a filter: name, size, scale, purpose and source.

    Parameters
    ----------
    records
        Mappings with ``name, rows, columns, kernels, combine, source, purpose``.
    """
    console = stdout_console()
    # A file or a pipe has no width to fit; a narrow terminal has no room for the sources.
    if not console.is_terminal:
        console = Console(width=_PIPE_WIDTH, highlight=False, safe_box=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("filter", no_wrap=True, style="bold")
    table.add_column("size", no_wrap=True)
    table.add_column("scale", justify="right", no_wrap=True)
    table.add_column("what it is for")
    if console.width >= _SOURCE_WIDTH:
        table.add_column("source", style="dim")
    for record in records:
        count, scale = len(record["kernels"]), str(record["kernels"][0]["scale"])
        size = f"{record['rows']}x{record['columns']}" + (f" ({count})" if count > 1 else "")
        cells = (record["name"], size, scale, record["purpose"], record["source"])
        table.add_row(*cells[: len(table.columns)])
    console.print(table)


def show_filter(record: Mapping[str, Any]) -> None:
    """Print one filter: what it is for, where it is from, and its kernels."""
    console = stdout_console()
    console.print(Text(f"{record['name']}: {record['purpose']}", style="bold"))
    console.print(Text(f"source: {record['source']}", style="dim"))
    if record["combine"]:
        how = {"magnitude": "root of the sum of squares", "max": "largest"}[record["combine"]]
        console.print(Text(f"the {how} of {len(record['kernels'])} responses"))
    for kernel in record["kernels"]:
        console.print()
        for line in _matrix(kernel["weights"]):
            console.print(line, soft_wrap=True)
        console.print(Text(_facts(kernel), style="dim"))
        for text in _gain_lines(kernel["gain"]):
            console.print(Text(text), soft_wrap=True)


def _matrix(weights: Sequence[Sequence[float]]) -> list[Text]:
    cells = [[f"{value:g}" for value in row] for row in weights]
    width = max(len(cell) for row in cells for cell in row)
    most = max(abs(value) for row in weights for value in row) or 1
    lines = []
    for row, texts in zip(weights, cells, strict=True):
        line = Text()
        for value, text in zip(row, texts, strict=True):
            line.append(f" {text.rjust(width)} ", _heat(value / most))
        lines.append(line)
    return lines


def _heat(share: float) -> str:
    """Return a background: red for positive weights, blue for negative, darker when larger."""
    if share == 0:
        return ""
    end = _WARM if share > 0 else _COLD
    red, green, blue = (round(255 - abs(share) * (255 - channel)) for channel in end)
    return f"rgb(0,0,0) on rgb({red},{green},{blue})"


def _gain_lines(gain: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the gains as a small table: how strongly waves of each length come out."""
    waves = ["plain", *(f"{length} px" for length in (32, 16, 8, 4, 2))]
    names = {"across": "left to right", "down": "up to down", "diagonal": "diagonal"}
    lines = ["gain by wave  " + "".join(wave.rjust(8) for wave in waves)]
    for direction, values in gain.items():
        numbers = "".join(f"{value:.2f}".rjust(8) for value in values)
        lines.append(names[direction].ljust(14) + numbers)
    return lines


def show_learned(title: str, likes: Mapping[str, Any]) -> None:
    """Print a layer's kernels beside the named ones they resemble most.

    Parameters
    ----------
    title
        Which layer, of what.
    likes
        For each kernel's name a :class:`cnncli.filtering.likeness.Likeness`.
    """
    console = stdout_console()
    alike = [like for like in likes.values() if like.edge and like.similarity > _ALIKE]
    facts = f"{len(alike)} resemble an edge filter (similarity above {_ALIKE:g})"
    rest = f"; the nearest {_MOST_ROWS}:" if len(likes) > _MOST_ROWS else ":"
    console.print(Text(f"{printable(title)}: {len(likes)} kernels", style="bold"), soft_wrap=True)
    console.print(Text(facts + rest), soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("kernel", no_wrap=True, style="bold")
    table.add_column("most like", no_wrap=True)
    table.add_column("similarity", justify="right", no_wrap=True)
    for name, like in sorted(likes.items(), key=lambda item: -item[1].similarity)[:_MOST_ROWS]:
        table.add_row(name, str(like), f"{like.similarity:.2f}")
    console.print(table)


def _facts(kernel: Mapping[str, Any]) -> str:
    total = sum(value for row in kernel["weights"] for value in row)
    return f"scale {kernel['scale']}, sum {total:g}: {_meaning(total, kernel['scale'])}"


def _meaning(total: float, scale: float) -> str:
    if total == 0:
        return "plain areas become 0, changes remain"
    if total == scale:
        return "plain areas keep their brightness"
    return f"plain areas get {total / scale:g} times as bright"
