"""Text that others wrote (a model card, class names, file names), made safe for a terminal.

And the colours of text and bars: each has a contrast of 4 to 1 or more on white and on black.
"""

import csv
import io
from collections.abc import Iterable

GOOD = "green4"
DOUBTFUL = "color(130)"
PLAIN = "turquoise4"
BELOW_ZERO = "dodger_blue2"


def printable(text: object, limit: int = 300) -> str:
    r"""Return one line of text in which every control character is spelt out.

    A checkpoint is a file from anywhere: an escape sequence in its card must not move the cursor.

    Parameters
    ----------
    text
        Anything; ``str()`` of it is shown.
    limit
        Most characters of the input to show; more are cut with ``…``.

    Examples
    --------
    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    whole = str(text)
    cut = whole if len(whole) <= limit else whole[: limit - 1] + "…"
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut
    )


def percent(share: float) -> str:
    """Return a probability as people read it; certainty is never claimed by rounding.

    Examples
    --------
    >>> percent(0.0), percent(0.0001), percent(0.4567), percent(0.99996)
    ('0.0%', '<0.1%', '45.7%', '>99.9%')
    """
    if 0 < share < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= share < 1 else f"{share:.1%}"


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    r"""Return rows as lines of commas without an end; a cell with a comma or a line end is quoted.

    Examples
    --------
    >>> csv_text([["path", "label"], ["a,b.png", 7]])
    'path,label\n"a,b.png",7'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().removesuffix("\n")
