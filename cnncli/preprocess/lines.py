"""Ruling lines, boxes and page edges: what runs through a picture from edge to edge."""

import numpy as np

from cnncli.images.scaling import resize
from cnncli.preprocess.ink import Array
from cnncli.preprocess.objects import Mask
from cnncli.preprocess.quantile import quantile

STRIPS = 16  # a line is looked for in so many parts of its length
MISSING = 0.3  # of these it may be absent from
STEEPEST = 0.12  # rows a column: tan 7 degrees
SOFT = 1  # pixels beside a line that are its soft edge


def find_lines(ink: Array, threshold: float) -> Mask:
    """Return the pixels ``(h, w)`` of all nearly horizontal and nearly vertical lines.

    Parameters
    ----------
    ink
        ``(h, w)``: strength of ink.
    threshold
        What is weaker is no line.
    """
    return _across(ink, threshold) | _across(np.ascontiguousarray(ink.T), threshold).T


def _across(ink: Array, threshold: float) -> Mask:
    """Return the pixels of lines from the left to the right edge, of any slope up to STEEPEST."""
    height, width = ink.shape
    strips = resize(ink, (height, STRIPS))
    steepest = STEEPEST * width / 2  # rows from the middle to an edge
    slopes = np.arange(-int(steepest), int(steepest) + 1)
    place = (np.arange(STRIPS) + 0.5) / STRIPS * 2 - 1  # from -1 to 1
    rows = np.arange(height)[:, None] + np.round(slopes[:, None, None] * place).astype(int)
    inside = np.clip(rows, 0, height - 1)
    along = strips[inside, np.arange(STRIPS)]  # (slopes, height, STRIPS)
    strength = quantile(along, MISSING)
    best = strength.argmax(axis=0)
    found = strength.max(axis=0) > threshold
    mask = np.zeros((height + 2 * SOFT, width), bool)
    columns = np.arange(width)
    offset = np.round(slopes[:, None] * ((columns + 0.5) / width * 2 - 1)).astype(int)
    for row in np.flatnonzero(found):
        track = row + offset[best[row]]
        kept = (track >= 0) & (track < height)
        for soft in range(2 * SOFT + 1):
            mask[track[kept] + soft, columns[kept]] = True
    return mask[SOFT : SOFT + height]


def without_lines(ink: Array, lines: Mask) -> Array:
    """Return ink with lines taken out, and what crosses them kept.

    A crossing stroke goes on above and below a line, and left and right of an upright one.
    """
    clear = ink.copy()
    clear[lines] = 0
    bridged = np.maximum(_bridged(clear, lines), _bridged(clear.T, lines.T).T)
    return np.where(lines, np.minimum(bridged, ink), ink)


def _bridged(clear: Array, lines: Mask) -> Array:
    """Return for each pixel of a line the weaker ink of the nearest ones above and below it."""
    height = len(clear)
    rows = np.arange(height)[:, None]
    above = np.maximum.accumulate(np.where(lines, 0, rows), axis=0)
    below = np.minimum.accumulate(np.where(lines, height - 1, rows)[::-1], axis=0)[::-1]
    columns = np.arange(clear.shape[1])
    return np.minimum(clear[above, columns], clear[below, columns])
