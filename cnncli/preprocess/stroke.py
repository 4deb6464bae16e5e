"""The width of a stroke: measured, and brought into the range in which MNIST's lie."""

import numpy as np

from cnncli.preprocess.objects import Array

# Of 6,000 MNIST training images 1 % are thinner than 1.85 pixels and 1 % thicker than 4.65.
THINNEST, THICKEST = 2.0, 4.0


def stroke_width(coverage: Array) -> float:
    """Return the mean width of a picture's strokes, in pixels.

    A stroke of length l and width w covers l*w and has an outline of 2*l, and the outline is the
    sum of the gradient's length: width = 2 * area / outline.

    Parameters
    ----------
    coverage
        ``(H, W)`` in [0, 1].
    """
    padded = np.pad(coverage, 2)
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    outline = float(np.sqrt(down * down + across * across).sum()) / 2
    return 2 * float(coverage.sum()) / outline if outline else 0.0


def change_width(coverage: Array, pixels: float) -> Array:
    """Thicken (or thin, if negative) all strokes.

    Parameters
    ----------
    coverage
        ``(H, W)`` in [0, 1].
    pixels
        Change of the strokes' width; each outline moves by half of it.

    Returns
    -------
    Array
        ``(H, W)``. Whole steps are maxima (minima) over 3x3 pixels and over a cross in turn,
        about a disc; the last, partial step is a mixture.
    """
    best = np.maximum if pixels > 0 else np.minimum
    steps = abs(pixels) / 2
    for step in range(int(np.ceil(steps))):
        across = coverage.copy()
        best(across[:, 1:], coverage[:, :-1], out=across[:, 1:])
        best(across[:, :-1], coverage[:, 1:], out=across[:, :-1])
        rows = across if step % 3 == 1 else coverage
        changed = across.copy()
        best(changed[1:], rows[:-1], out=changed[1:])
        best(changed[:-1], rows[1:], out=changed[:-1])
        part = np.float32(min(steps - step, 1.0))
        coverage = coverage + part * (changed - coverage)
    return coverage
