"""One digit, written anywhere on anything, as MNIST's makers would have stored it.

White on black; the longer side 20 pixels, antialiased; the centre of mass on pixel (14, 14) of
28x28 (LeCun et al., 1998, section III.A, and measured on the training images).
"""

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.ground import DARKEST, Array, to_log
from cnncli.preprocess.locate import Located, locate
from cnncli.preprocess.number import locate_number
from cnncli.preprocess.objects import Mask, find_objects
from cnncli.preprocess.ranks import ranked
from cnncli.preprocess.resample import resample, shrink
from cnncli.preprocess.stroke import THICKEST, THINNEST, change_width, stroke_width

FINE = 96  # longer side of the digit, in pixels, while it is worked on
MARGIN = 36  # around it
BOX_PART = 20 / 28  # of the picture: what the digit's longer side fills
INK_FROM, INK_FULL = 0.2, 0.8  # coverage below is none, above is full
WORKING_SIDE = 300  # pixels, to twice as many: what a larger picture is averaged down to
PALEST = 0.25  # in logarithms of colour: fainter ink is worth a warning
CLEAR_OF_NOISE = 8  # times the noise of the background

Reading = tuple[NDArray[np.uint8], tuple[str, ...], tuple[int, int, int, int] | None]


def read_digit(colours: NDArray[np.uint8], height: int, width: int) -> Reading:
    """Find a digit in a picture and normalise it as MNIST was made.

    Parameters
    ----------
    colours
        uint8 ``(H, W, C)``, opaque.
    height, width
        Size of the result.

    Returns
    -------
    tuple
        The digit, uint8 ``(height, width)``; warnings about the picture; and left, top, right and
        bottom of the digit in it. A picture that is normalised already is taken as it is, the
        other way round if it is dark on light.
    """
    if (normal := _already_normal(colours, height, width)) is not None:
        return normal, (), None
    image = shrink(colours, WORKING_SIDE)
    found = locate(image)
    if found is None:
        blank = ("blank: no stroke stands out from the background",)
        return np.zeros((height, width), np.uint8), blank, None
    pixels = place(ink_coverage(image, found), height, width)
    return pixels, tuple(_doubts(found)), _full_box(found, colours.shape[:2])


def read_number(colours: NDArray[np.uint8], height: int, width: int) -> list[Reading]:
    """Find the digits of a number, from left to right, each as :func:`read_digit` returns it.

    A picture that is one normalised digit already, or that is blank, gives one.
    """
    if _already_normal(colours, height, width) is not None:
        return [read_digit(colours, height, width)]
    image = shrink(colours, WORKING_SIDE)
    digits = locate_number(image)
    if not digits:
        return [read_digit(colours, height, width)]
    written = np.logical_or.reduce([digit.mask for digit in digits])
    return [
        (
            place(ink_coverage(image, digit, written), height, width),
            tuple(_doubts(digit)),
            _full_box(digit, colours.shape[:2]),
        )
        for digit in digits
    ]


def _already_normal(
    colours: NDArray[np.uint8], height: int, width: int
) -> NDArray[np.uint8] | None:
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


def _doubts(found: Located) -> Iterator[str]:
    top, left, bottom, right = found.box
    if found.touches:
        yield "cut off: the object reaches the edge of the picture"
    if found.others:
        yield f"several objects: {found.others + 1} of about one size; one of them was read"
    if found.level < max(PALEST, CLEAR_OF_NOISE * found.noise):
        yield "low contrast: the ink is hardly stronger than the background's noise"
    if max(bottom - top, right - left) > 12 * min(bottom - top, right - left):
        yield "elongated: the object is more of a line than of a digit"


def _full_box(found: Located, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    rows, columns = (full / searched for full, searched in zip(size, found.mask.shape, strict=True))
    top, left, bottom, right = found.box
    return int(left * columns), int(top * rows), ceil(right * columns), ceil(bottom * rows)


def ink_coverage(image: Array, found: Located, beside: Mask | None = None) -> Array:
    """Cut a digit out of its picture, as the part of each pixel that its ink covers.

    Parameters
    ----------
    image
        ``(H, W, C)`` in [0, 1].
    found
        Where the digit is.
    beside
        ``found.mask`` and all other ink, which is no background either.

    Returns
    -------
    Array
        ``(h, w)`` in [0, 1], the digit's longer side about :data:`FINE` pixels.
    """
    top, left, bottom, right = found.box
    scale = FINE / max(bottom - top, right - left)  # fine pixels for one of the search grid
    margin = MARGIN / scale
    box = top - margin, left - margin, bottom + margin, right + margin
    size = round((box[2] - box[0]) * scale), round((box[3] - box[1]) * scale)
    rows, columns = (
        full / searched for full, searched in zip(image.shape[:2], found.mask.shape, strict=True)
    )
    full_box = box[0] * rows, box[1] * columns, box[2] * rows, box[3] * columns
    colours = resample(image, size, full_box)
    written = _resampled_mask(found.mask, size, box)
    within = _resampled_mask(np.ones_like(found.mask), size, box)
    if beside is not None:
        within &= written | ~_thick(_resampled_mask(beside & ~found.mask, size, box), scale)
    return _kept(_coverage(colours, written, within, scale), written) * within


def _resampled_mask(mask: Mask, size: tuple[int, int], box: tuple[float, ...]) -> Mask:
    outside = np.pad(mask, 1).astype(np.float32)  # what is beyond the picture is not written
    shifted = box[0] + 1, box[1] + 1, box[2] + 1, box[3] + 1
    inside: Mask = resample(outside, size, shifted) > 0.3
    return inside


def _coverage(colours: Array, written: Mask, within: Mask, scale: float) -> Array:
    logs = to_log(np.clip(colours, 0, 1))
    paper = _fitted(logs, within & ~_thick(written, scale))
    difference = logs - paper
    strength = (difference[written] ** 2).sum(axis=1)
    core = strength >= ranked(strength)
    ink = ranked(difference[written][core].T)
    ground = np.exp(paper) - DARKEST
    step = np.exp(paper + ink) - DARKEST - ground
    along = ((colours - ground) * step).sum(axis=2) / np.maximum((step**2).sum(axis=2), 1e-6)
    coverage: Array = np.clip((along - INK_FROM) / (INK_FULL - INK_FROM), 0, 1)
    return coverage.astype(np.float32)


def _thick(mask: Mask, scale: float) -> Mask:
    """Return a mask with the soft edges of its strokes, about one pixel of the search grid."""
    thick: Mask = change_width(mask.astype(np.float32), 2 * min(max(1.5 * scale, 4), 16)) > 0
    return thick


def _fitted(logs: Array, paper: Mask) -> Array:
    """Return the smooth surface of second order through the paper's pixels, per channel."""
    height, width = logs.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)
    every = (slice(None, None, 3), slice(None, None, 3))
    chosen = paper[every]
    if chosen.sum() < 50:
        chosen = np.ones_like(chosen)
    known, values = terms[every][chosen], logs[every][chosen]
    weight = np.ones(len(known), np.float32)
    for _ in range(4):
        found = np.linalg.lstsq(known * weight[:, None], values * weight[:, None], rcond=None)[0]
        error = np.sqrt(((values - known @ found) ** 2).sum(axis=1))
        typical = max(float(ranked(error)), 0.01)
        weight = 1 / (1 + (error / (2 * typical)) ** 2)
    surface: Array = terms @ found
    return surface


def _kept(coverage: Array, written: Mask) -> Array:
    """Return the coverage without what is not connected to the digit that was found."""
    objects = find_objects(coverage > 0.3)
    own = np.zeros(len(objects.areas), bool)
    own[objects.labels[written & (objects.labels >= 0)]] = True
    own &= objects.areas >= 0.02 * objects.areas[own].max(initial=0)
    near = change_width(objects.mask(own).astype(np.float32), 6)
    return coverage * near


def place(coverage: Array, height: int, width: int) -> NDArray[np.uint8]:
    """Fit a digit into the network's picture as MNIST was made.

    Parameters
    ----------
    coverage
        ``(h, w)`` in [0, 1], at least about 4 times as fine as the result.
    height, width
        Size of the result.

    Returns
    -------
    NDArray
        uint8 ``(height, width)``; black if there is no ink.
    """
    longest = BOX_PART * min(height, width)
    fitted = _fit(coverage, longest)
    wanted = float(np.clip(stroke_width(fitted), THINNEST, THICKEST)) * longest / 20
    change = wanted - stroke_width(fitted)
    if abs(change) > 0.05:
        fine = max(_extent(coverage)) / longest
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
    return np.clip(resample(coverage, (size[0], size[1]), box), 0, 1)


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
