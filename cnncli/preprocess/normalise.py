"""One digit, cut out of its picture, as MNIST's makers would have stored it.

White on black; the longer side 20 pixels, antialiased; the centre of mass on pixel (14, 14) of
28x28 (LeCun et al., 1998, section III.A, and measured on the training images).
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.images.scaling import resize
from cnncli.preprocess.ink import LOGS
from cnncli.preprocess.locate import Candidate
from cnncli.preprocess.objects import Array
from cnncli.preprocess.quantile import quantile
from cnncli.preprocess.stroke import THICKEST, THINNEST, change_width, stroke_width

FINE = 64  # longer side of the digit, in pixels, while it is worked on
BOX_PART = 20 / 28  # of the picture: what the digit's longer side fills
INK_FROM, INK_FULL = 0.2, 0.8  # coverage below is none, above is full


def already_normal(colours: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8] | None:
    """Return a picture that is like MNIST's own, white on black, or None if it is not."""
    if colours.shape[:2] != (height, width) or (colours != colours[:, :, :1]).any():
        return None
    grey = colours[:, :, 0]
    for pixels in (grey, 255 - grey):
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        if border.mean() < 32 and _is_placed(pixels):
            return pixels
    return None


def _is_placed(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether the size and the centre of mass are what :func:`place` makes them."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    if rows.size == 0 or pixels.max() < 128:
        return False
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    total = pixels.sum(dtype=np.int64)
    off = [
        pixels.sum(axis=1 - axis, dtype=np.int64) @ np.arange(size) / total - size / 2
        for axis, size in enumerate(pixels.shape)
    ]
    return bool(abs(longest - BOX_PART * min(pixels.shape)) <= 1.5 and max(map(abs, off)) <= 1)


def ink_coverage(image: NDArray[np.uint8], found: Candidate) -> Array:
    """Cut a digit out of its picture, as the part of each pixel that its ink covers.

    Parameters
    ----------
    image
        uint8 ``(H, W, C)``.
    found
        Where the digit is, and how its ink is told from the background.

    Returns
    -------
    Array
        ``(h, w)`` in [0, 1], the digit's longer side about :data:`FINE` pixels.
    """
    reading, (height, width) = found.reading, found.objects.shape
    top, left, bottom, right = found.box
    longest = max(bottom - top, right - left)
    margin = 0.08 * longest + 1.5
    box = (
        max(top - margin, 0.0),
        max(left - margin, 0.0),
        min(bottom + margin, height),
        min(right + margin, width),
    )
    scale = FINE / longest
    size = max(round((box[2] - box[0]) * scale), 1), max(round((box[3] - box[1]) * scale), 1)
    rows, columns = image.shape[0] / height, image.shape[1] / width
    within = box[0] * rows, box[1] * columns, box[2] * rows, box[3] * columns
    values = LOGS[resize(image, size, within)] @ reading.axis
    background = reading.background
    if background.size > 1:
        background = resize(background, size, box)
    mask = found.mask.astype(np.float32)
    near = change_width(mask, 2)
    near = resize(near, size, box)
    ink = values - background
    written = resize(mask, size, box) > 0.5
    level = float(quantile(ink[written], 0.75)) if written.any() else 0.0
    part = (linear(ink, level or 1.0, reading.axis) - INK_FROM) / (INK_FULL - INK_FROM)
    return np.pad(np.clip(part, 0, 1) * np.minimum(near, 1), 2)


def linear(ink: Array, level: float, axis: Array) -> Array:
    """Return ink in logarithms of colour as coverage, 1 at a level: light adds, they do not."""
    slope = float(axis.sum() / abs(axis).sum() ** 2)
    if abs(slope * level) > 0.01:
        ink = np.expm1(slope * np.minimum(ink, level)) / np.expm1(slope * level)
    else:
        ink = ink / level
    return np.asarray(ink, np.float32)


def place(coverage: Array, height: int, width: int) -> NDArray[np.uint8]:
    """Fit a digit into the network's picture as MNIST was made.

    Parameters
    ----------
    coverage
        ``(h, w)`` in [0, 1], at least about 3 times as fine as the result.
    height, width
        Size of the result.

    Returns
    -------
    NDArray
        uint8 ``(height, width)``; black if there is no ink.
    """
    longest = BOX_PART * min(height, width)
    fitted = _fit(coverage, longest)
    found = stroke_width(fitted) / longest * 20
    change = float(np.clip(found, THINNEST, THICKEST)) - found
    if abs(change) > 0.05:
        fine = max(_extent(coverage)) / 20
        fitted = _fit(change_width(coverage, change * fine), longest)
    return _centred(fitted, height, width)


def _ink_box(coverage: Array) -> tuple[int, int, int, int]:
    rows = np.flatnonzero((coverage > 0.3).any(axis=1))
    columns = np.flatnonzero((coverage > 0.3).any(axis=0))
    if rows.size == 0:
        return 0, 0, *coverage.shape
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _extent(coverage: Array) -> tuple[int, int]:
    top, left, bottom, right = _ink_box(coverage)
    return bottom - top, right - left


def _fit(coverage: Array, longest: float) -> Array:
    box = _ink_box(coverage)
    scale = longest / max(box[2] - box[0], box[3] - box[1])
    size = tuple(max(round((box[i + 2] - box[i]) * scale), 1) for i in (0, 1))
    return np.asarray(np.clip(resize(coverage, (size[0], size[1]), box), 0, 1), np.float32)


def _centred(fitted: Array, height: int, width: int) -> NDArray[np.uint8]:
    total = float(fitted.sum())
    picture = np.zeros((height, width), np.uint8)
    if total == 0:
        return picture
    offsets = []
    for axis, size in enumerate((height, width)):
        length = fitted.shape[axis]
        mass = float(fitted.sum(axis=1 - axis) @ np.arange(length)) / total
        offsets.append(int(np.clip(np.floor(size / 2 - mass + 0.5), 0, size - length)))
    top, left = offsets
    pixels = np.floor(fitted / max(float(fitted.max()), 1e-6) * 255 + 0.5).astype(np.uint8)
    picture[top : top + fitted.shape[0], left : left + fitted.shape[1]] = pixels
    return picture
