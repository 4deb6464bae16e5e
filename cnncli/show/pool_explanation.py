"""The arithmetic of one pooled pixel, set out so that it can be checked by hand."""

from typing import Any

from rich.text import Text

from cnncli.show.console import stdout_console
from cnncli.show.explanation import MOST_TERMS, matrix_lines, number, range_text, signed


def show_pool_explanation(explanation: Any) -> None:
    """Print how one pooled pixel came about.

    Parameters
    ----------
    explanation
        A :class:`cnncli.filtering.explain_pool.PoolExplanation`.
    """
    console = stdout_console()
    console.print(Text(_headline(explanation), style="bold"), soft_wrap=True)
    if explanation.opacity is not None:
        console.print(Text("opacity of the window's pixels:", style="dim"))
        for line in matrix_lines(explanation.opacity):
            console.print(line, soft_wrap=True)
    for channel in explanation.channels:
        console.print()
        if channel.name != "grey":
            console.print(Text(f"channel {channel.name}", style="bold"))
        for line in matrix_lines(channel.window):
            console.print(line, soft_wrap=True)
        console.print(Text(f" {_formula(explanation, channel)}"), soft_wrap=True)
        text = f" {range_text(explanation, channel.value)} -> pixel {number(channel.pixel)}"
        console.print(Text(text), soft_wrap=True)


def _headline(explanation: Any) -> str:
    rows = len(explanation.channels[0].window)
    columns = len(explanation.channels[0].window[0])
    right, bottom = explanation.left + columns - 1, explanation.top + rows - 1
    return (
        f"{explanation.mode} of columns {explanation.left} to {right}, rows {explanation.top} to "
        f"{bottom}: column {explanation.x}, row {explanation.y} of the result"
    )


def _formula(explanation: Any, channel: Any) -> str:
    values = [value for row in channel.window for value in row]
    terms = [signed(number(value)) for value in values[:MOST_TERMS]]
    rest = ", …" if len(values) > MOST_TERMS else ""
    equals = f" = {number(channel.value)}"
    if explanation.opacity is not None:
        how = {"avg": "weighted by opacity", "sum": "weighted by opacity"}
        return f"{explanation.mode} {how.get(explanation.mode, 'of what is visible')}{equals}"
    if explanation.mode in ("max", "min", "median"):
        return f"{explanation.mode} of {', '.join(terms)}{rest}{equals}"
    if explanation.mode == "l2":
        squares = " + ".join(f"{term}^2" for term in terms)
        return f"l2 = sqrt({squares}{' + …' if rest else ''}){equals}"
    total = " + ".join(terms) + (" + …" if rest else "")
    if explanation.mode == "sum":
        return f"sum = {total}{equals}"
    return f"avg = ({total}) / {explanation.count}{equals}"
