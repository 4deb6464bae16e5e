"""Which pixels decided, as a picture: what was seen, the heat over it, the best part covered."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.interpret.occlusion import Region
from cnncli.show.colours import diverging, largest, mixed
from cnncli.show.features import titled
from cnncli.show.scale import fit
from cnncli.show.sheet import FAINT, Pixels, below, beside, framed, outline, words

_PANEL = 280  # pixels of a side: 10 x 28
_FRAME = (255, 214, 64)  # around the strongest region


def why_sheet(
    pictures: Sequence[tuple[str, Pixels]],
    heat: NDArray[np.float32],
    region: Region,
    covered: tuple[str, Pixels],
    lines: Sequence[str],
) -> Pixels:
    """Draw the file, what the network is shown, the heat over it and the covered picture.

    Parameters
    ----------
    pictures
        Titles and RGB pixels of the file and of what the network is shown.
    heat
        ``(H, W)`` of what the network is shown: above 0 speaks for the class, below against it.
    region
        The strongest one.
    covered
        Title and RGB pixels of what the network is shown with that region covered.
    lines
        Words: the first stands above the pictures, the others below.

    Returns
    -------
    ndarray
        uint8 ``(H, W, 3)``.
    """
    file, (shown_title, shown) = pictures
    panels = [
        titled(file[0], fit(file[1], _PANEL, _PANEL)),
        titled(shown_title, outlined(shown, region)),
        _heat_panel(shown, heat),
        titled(covered[0], outlined(covered[1], region)),
    ]
    text = [words(line, 17) for line in lines[1:]]
    body = below([words(lines[0], 26), beside(panels, 16), *text], 16)
    return framed(body, 20, 24, 24, 24)


def outlined(pixels: Pixels, region: Region) -> Pixels:
    """Return a picture enlarged to a panel, with a thin frame around the region."""
    large = fit(pixels, _PANEL, _PANEL).copy()
    scale = large.shape[0] / pixels.shape[0]
    rows, columns = region.area()
    edges = np.array([columns.start, rows.start, columns.stop, rows.stop])
    outline(large, (edges * scale).astype(int), 2, _FRAME)
    return large


def _heat_panel(shown: Pixels, heat: NDArray[np.float32]) -> Pixels:
    picture = fit(mixed(shown, heat), _PANEL, _PANEL)
    limit = largest(heat)
    ramp = diverging(np.tile(np.linspace(-limit, limit, 90), (10, 1)), limit)
    legend = beside([words("against", 14, FAINT), ramp, words("for", 14, FAINT)], 6, middle=True)
    return below([picture, legend], 4)
