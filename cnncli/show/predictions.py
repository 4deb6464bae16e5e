"""A prediction for the eye: what the network saw, the likeliest classes as bars, warnings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cnncli.show.picture import TerminalPicture
from cnncli.show.text import DOUBTFUL, GOOD, PLAIN, percent, printable

BAR = 24  # characters of a bar that stands for 100 %
SEEN_COLUMNS = 28  # characters for the picture: a 28x28 digit at full size
MOST_COLUMNS = 84
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(part: float, width: int = BAR, *, ascii_only: bool = False) -> str:
    """Return a bar whose length is a part of `width`.

    >>> bar(0.5, 4, ascii_only=True)
    '##'
    >>> bar(0.3125, 4)
    '█▎'
    """
    if ascii_only:
        return "#" * round(part * width)
    eighths = round(part * width * 8)
    last = _EIGHTHS[eighths % 8].strip()
    return "█" * (eighths // 8) + last


def show_prediction(
    console: Console,
    path: str,
    label: str,
    top: Sequence[tuple[str, float]],
    warnings: Sequence[str],
    seen: NDArray[np.uint8] | None,
) -> None:
    """Draw one prediction with what the network was shown, or print a line where that is None."""
    if seen is None:
        line = prediction_line(path, label, top[0][1], warnings, 8)
        console.print(line, soft_wrap=True)
        return
    ascii_only = console.options.ascii_only
    console.print(prediction_block(path, seen, label, top, warnings, ascii_only=ascii_only))
    console.print()


def prediction_block(
    path: str,
    seen: NDArray[np.uint8],
    label: str,
    top: Sequence[tuple[str, float]],
    warnings: Sequence[str],
    *,
    ascii_only: bool = False,
) -> RenderableType:
    """Return one prediction as a block of text beside a small picture.

    Parameters
    ----------
    path
        Name of the picture.
    seen
        What the network was shown, uint8 ``(H, W, 1 or 3)``.
    label
        The answer.
    top
        Class names with their probabilities, best first.
    warnings
        What is doubtful about the picture.
    ascii_only
        Draw bars with ``#``.
    """
    bars = Table.grid(padding=(0, 1))
    for name, confidence in top:
        style = "bold" if name == label else ""
        drawn = bar(confidence, ascii_only=ascii_only)
        bars.add_row(
            Text(printable(name), style), Text(drawn, PLAIN), Text(percent(confidence), style)
        )
    lines: list[RenderableType] = [
        Text(printable(path, 1000), "dim"),
        Text.assemble("is ", (printable(label), f"bold {GOOD}")),
        Text(),
        bars,
        *(Text(f"! {printable(warning)}", DOUBTFUL) for warning in warnings),
    ]
    block = Table.grid(padding=(0, 2))
    wide = SEEN_COLUMNS * seen.shape[1] // seen.shape[0]  # of a number: its digits side by side
    block.add_column(width=min(max(wide, SEEN_COLUMNS), MOST_COLUMNS))
    block.add_column()
    flat = seen[:, :, 0] if seen.shape[2] == 1 else seen
    block.add_row(TerminalPicture([("", flat)], max_height=14), Group(*lines))
    return block


def prediction_line(
    path: str, label: str, confidence: float, warnings: Sequence[str], width: int
) -> Text:
    """Return one prediction as one line, for long lists.

    Parameters
    ----------
    path
        Name of the picture.
    label, confidence
        The answer.
    warnings
        What is doubtful; only the first words are shown.
    width
        Characters for the label.
    """
    words = ", ".join(warning.partition(":")[0] for warning in warnings)
    return Text.assemble(
        (printable(label).rjust(width), "bold"),
        f"  {percent(confidence):>6}  ",
        printable(path, 1000),
        (f"  ! {words}" if words else "", DOUBTFUL),
    )
