"""Which pixels decided, as a picture: what was seen, the heat over it, the best part covered."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.show.colours import diverging, largest, mixed
from cnncli.show.features import titled
from cnncli.show.scale import fit
from cnncli.show.sheet import FAINT, Pixels, below, beside, framed, outline, words

_PANEL = 280  # pixels of a side: 10 x 28
_FRAME = (255, 214, 64)  # around the strongest region
Box = tuple[int, int, int, int]


def why_sheet(
    pictures: Sequence[tuple[str, Pixels]],
    heat: NDArray[np.float32],
    region: Box,
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
        Left, top, width and height of the strongest region.
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


def outlined(pixels: Pixels, region: Box) -> Pixels:
    """Return a picture enlarged to a panel, with a thin frame around the region."""
    large = fit(pixels, _PANEL, _PANEL).copy()
    scale = large.shape[0] / pixels.shape[0]
    left, top = (int(edge * scale) for edge in region[:2])
    right, low = (int((a + b) * scale) for a, b in zip(region[:2], region[2:], strict=True))
    outline(large, (left, top, right, low), 2, _FRAME)
    return large


def heat_over(shown: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """Return what the network is shown with the heat over it, at the network's own size."""
    return mixed(shown, heat, largest(heat))


def _heat_panel(shown: Pixels, heat: NDArray[np.float32]) -> Pixels:
    picture = fit(heat_over(shown, heat), _PANEL, _PANEL)
    limit = largest(heat)
    ramp = diverging(np.tile(np.linspace(-limit, limit, 90), (10, 1)), limit)
    legend = beside([words("against", 14, FAINT), ramp, words("for", 14, FAINT)], 6, middle=True)
    return below([picture, legend], 4)
