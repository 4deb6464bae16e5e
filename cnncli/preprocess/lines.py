"""Ruling lines, boxes and page edges: what runs through a picture from edge to edge."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cnncli.images.scaling import resize
from cnncli.preprocess.ink import Array
from cnncli.preprocess.objects import Mask
from cnncli.preprocess.quantile import quantile

STRIPS = 16  # a line is looked for in so many parts of its length
MISSING = 0.3  # of these it may be absent from
STEEPEST = 0.12  # rows a column: tan 7 degrees


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
    steepest = int(STEEPEST * width / 2)  # rows from the middle to an edge
    slopes = np.arange(-steepest, steepest + 1)[:, np.newaxis]
    place = (np.arange(STRIPS) + 0.5) / STRIPS * 2 - 1  # from -1 to 1
    # Of each row all that a line through its middle may meet: (height, near rows * STRIPS). What of
    # it a slope meets stands in a row of `met`; one product counts for all how much is inked.
    rows = np.clip(np.arange(-steepest, height + steepest), 0, height - 1)
    strips = resize(ink, (height, STRIPS))[rows]
    near = sliding_window_view(strips.ravel(), len(slopes) * STRIPS)[::STRIPS]
    met = (np.round(slopes * place).astype(int) + steepest) * STRIPS + np.arange(STRIPS)
    along = np.zeros((near.shape[1], len(slopes)), np.float32)
    along[met.T, np.arange(len(slopes))] = 1
    inked = (near > threshold).astype(np.float32) @ along  # (height, slopes)
    found = np.flatnonzero(inked.max(axis=1) >= STRIPS - int(MISSING * (STRIPS - 1)))
    best = quantile(near[found][:, met], MISSING).argmax(axis=1)
    columns = np.arange(width)
    offset = np.round(slopes * ((columns + 0.5) / width * 2 - 1)).astype(int)
    drawn = np.zeros((height + 2 * steepest, width), bool)
    drawn[found[:, np.newaxis] + offset[best] + steepest, columns] = True
    drawn = drawn[steepest : steepest + height]
    mask = drawn.copy()
    mask[1:] |= drawn[:-1]  # soft edges
    mask[:-1] |= drawn[1:]
    return mask


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
    height, width = clear.shape
    padded = np.zeros((width, height + 2), np.float32)
    padded[:, 1:-1] = clear.T
    inside = np.zeros(padded.shape, bool)
    inside[:, 1:-1] = lines.T
    flips = np.flatnonzero(np.diff(inside.ravel()))  # before and in each run of pixels of lines
    above, last = flips[::2], flips[1::2]
    weaker = np.minimum(padded.ravel()[above], padded.ravel()[last + 1])
    padded[inside] = np.repeat(weaker, last - above)
    return padded[:, 1:-1].T
