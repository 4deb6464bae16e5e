"""A prediction for the eye: what the network saw, the likeliest classes as bars, warnings."""

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cnncli.inference.predict import Prediction
from cnncli.show.console import stdout_console
from cnncli.show.picture import TerminalPicture
from cnncli.show.text import DOUBTFUL, GOOD, PLAIN, percent, printable

BAR = 24  # characters of a bar that stands for 100 %
SEEN_COLUMNS = 28  # characters for the picture: a 28x28 digit at full size
MOST_COLUMNS = 84
LABEL_COLUMNS = 8  # of a line
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


def show_prediction(prediction: Prediction, *, large: bool) -> None:
    """Draw one prediction with what the network was shown, or print a line, for long lists."""
    console, prepared = stdout_console(), prediction.prepared
    if large and prepared is not None:
        console.print(_block(prediction, prepared.pixels, ascii_only=console.options.ascii_only))
        console.print()
    else:
        console.print(_line(prediction), soft_wrap=True)


def _block(prediction: Prediction, seen: NDArray[np.uint8], *, ascii_only: bool) -> RenderableType:
    """Return a block of text beside what the network was shown, ``(H, W, 1 or 3)``."""
    label = str(prediction.label)
    bars = Table.grid(padding=(0, 1))
    for guess in prediction.top:
        style = "bold" if guess.label == label else ""
        drawn = bar(guess.confidence, ascii_only=ascii_only)
        texts = (printable(guess.label), style), (drawn, PLAIN), (percent(guess.confidence), style)
        bars.add_row(*(Text(*each) for each in texts))
    lines: list[RenderableType] = [
        Text(printable(prediction.path, 1000), "dim"),
        Text.assemble("is ", (printable(label), f"bold {GOOD}")),
        Text(),
        bars,
        *(Text(f"! {printable(warning)}", DOUBTFUL) for warning in prediction.warnings),
    ]
    block = Table.grid(padding=(0, 2))
    wide = SEEN_COLUMNS * seen.shape[1] // seen.shape[0]  # of a number: its digits side by side
    block.add_column(width=min(max(wide, SEEN_COLUMNS), MOST_COLUMNS))
    block.add_column()
    block.add_row(TerminalPicture([("", seen)], max_height=14), Group(*lines))
    return block


def _line(prediction: Prediction) -> Text:
    """Return one line; of what is doubtful the first words."""
    words = ", ".join(warning.partition(":")[0] for warning in prediction.warnings)
    return Text.assemble(
        (printable(prediction.label).rjust(LABEL_COLUMNS), "bold"),
        f"  {percent(prediction.top[0].confidence):>6}  ",
        printable(prediction.path, 1000),
        (f"  ! {words}" if words else "", DOUBTFUL),
    )
