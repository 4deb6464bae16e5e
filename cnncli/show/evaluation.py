"""An evaluation for the eye: tables for a terminal, and two pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from rich.table import Table
from rich.text import Text

from cnncli.show.curves import png_of
from cnncli.show.scale import fit, rgb
from cnncli.show.sheet import below, framed, grid, words
from cnncli.show.text import GOOD, printable

TILE = 84  # pixels of a mistake's side on the contact sheet
_MOST_CELLS = 25  # classes beyond which a confusion matrix does not fit a terminal


def class_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return precision, recall, F1 and support as a table; one mapping a class."""
    table = Table("class", box=None, pad_edge=False, header_style="bold")
    for name in ("precision", "recall", "F1", "pictures"):
        table.add_column(name, justify="right")
    for row in rows:
        shares = (row["precision"], row["recall"], row["f1"])
        cells = [f"{share:.2%}" if share is not None else "-" for share in shares]
        table.add_row(printable(row["label"]), *cells, f"{row['support']:,}")
    return table


def confusion_table(confusion: NDArray[np.int64], names: Sequence[str]) -> Table | None:
    """Return a confusion matrix as a table, mistakes tinted; None if it has too many classes."""
    if len(names) > _MOST_CELLS:
        return None
    table = Table("true", box=None, pad_edge=False, header_style="bold", title_justify="left")
    for name in names:
        table.add_column(printable(name, 6), justify="right")
    wrong = confusion - np.diag(confusion.diagonal())
    most = max(int(wrong.max(initial=0)), 1)
    for k, name in enumerate(names):
        cells = [_cell(int(count), j == k, most) for j, count in enumerate(confusion[k])]
        table.add_row(Text(printable(name, 12), "bold"), *cells)
    return table


def _cell(count: int, right: bool, most: int) -> Text:
    if right:
        return Text(f"{count}", GOOD)
    if not count:
        return Text("·", "dim")
    strength = round(80 + 150 * count / most)
    return Text(f"{count}", Style(color="white", bgcolor=f"rgb({strength},40,40)"))


def draw_confusion(confusion: NDArray[np.int64], names: Sequence[str], title: str) -> bytes:
    """Return a confusion matrix as PNG, shaded by each row's shares."""
    from matplotlib.figure import Figure

    count = len(names)
    side = min(max(0.45 * count + 2, 5), 20)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # the root: rare mistakes show
    axes.set(xlabel="predicted", ylabel="true", title=title)
    labels = [printable(name, 16) for name in names]
    axes.set_xticks(range(count), labels, rotation=90 if max(map(len, labels)) > 3 else 0)
    axes.set_yticks(range(count), labels)
    if count <= _MOST_CELLS:
        for (row, column), number in np.ndenumerate(confusion):
            if number:
                colour = "white" if shares[row, column] > 0.4 else "black"
                axes.text(column, row, f"{number}", ha="center", va="center", color=colour, size=8)
    return png_of(figure)


def mistakes_sheet(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str]
) -> NDArray[np.uint8]:
    """Return a contact sheet of pictures, each over its caption.

    Parameters
    ----------
    pictures
        uint8 ``(H, W, 1 or 3)``.
    captions
        One a picture: true label, predicted label, confidence.

    Returns
    -------
    NDArray
        uint8 ``(h, w, 3)``.
    """
    tiles = []
    for picture, caption in zip(pictures, captions, strict=True):
        label = words(printable(caption, 20), 12)[:, :TILE]
        tiles.append(below([fit(rgb(picture), TILE, TILE), label], 2))
    level = [framed(tile, 0, TILE - tile.shape[1], 0, 0) for tile in tiles]
    return framed(grid(level, 8, 10), 10, 10, 10, 10)
