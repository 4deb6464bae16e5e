"""What may be ink in a picture, and what its background: several readings of one picture.

Light multiplies: a shadow scales all colours of a sheet alike. So all is done in the logarithm of
the colours, along the one direction of colour space in which the picture varies most in detail.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.images.scaling import resize
from cnncli.preprocess.quantile import quantile

Array = NDArray[np.float32]

DARKEST = 0.06  # added before the logarithm: noise in black is not ink
LOGS = np.log(np.arange(256, dtype=np.float32) / 255 + np.float32(DARKEST))
COARSE = 32  # the background is worked out on about this many points a side
WINDOW = 0.5  # of the shorter side: strokes are narrower, and light varies more slowly
# A picture with so much of one kind on its frame and in all is not searched for ink of that kind.
# Of 800 pictures of 16 kinds one digit was found in such ink, and that one was wrong.
PAPER_FRAME, PAPER_AREA = 0.9, 0.75
FAINTEST = 0.1  # in logarithms of colour: paler than this is never ink


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to tell ink from background.

    Parameters
    ----------
    ink
        ``(h, w)``: strength of ink, in logarithms of colour; about 0 where there is none.
    background
        ``(h, w)`` or ``(1, 1)``: what was taken from the picture's value along `axis`.
    axis
        ``(C,)``: from background to ink in the logarithm of colours.
    noise
        Standard deviation of the grain.
    even
        Whether the background is one colour: a picture cut out tightly.
    """

    ink: Array
    background: Array
    axis: Array
    noise: float
    even: bool


def readings(grid: NDArray[np.uint8]) -> Iterator[Reading]:
    """Yield the readings of a picture: dark or light ink, on a page or cut out tightly.

    Parameters
    ----------
    grid
        uint8 ``(h, w, C)``, small.
    """
    logs = LOGS[grid]
    axis = ink_axis(logs)
    values = np.asarray(logs @ axis, np.float32)
    noise = _noise(values)
    if float(np.ptp(values)) < max(FAINTEST, 5 * noise):
        return
    low, high = _two_levels(values)
    light = values > (low + high) / 2
    small = _coarse(values)
    for sign in (np.float32(1), np.float32(-1)):
        if _surrounds(light if sign > 0 else ~light):
            continue
        signed = sign * values
        page = _page(sign * small, values.shape)
        page = page + quantile((signed - page).ravel()[::4])
        yield Reading(signed - page, page, sign * axis, noise, False)
        even = np.full((1, 1), low if sign > 0 else -high, np.float32)
        yield Reading(signed - even, even, sign * axis, noise, True)


def _surrounds(ink: NDArray[np.bool_]) -> bool:
    """Tell whether ink would be the paper: nearly all of the frame and most of the picture."""
    frame = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    return bool(frame.mean() > PAPER_FRAME and ink.mean() > PAPER_AREA)


def ink_axis(logs: Array) -> Array:
    """Return the unit vector ``(C,)`` along which a picture's details vary most.

    Details are what an eighth of the picture averages away. Pixels count by the square of their
    distance from that average, so that noise has no say.
    """
    channels = logs.shape[2]
    if channels == 1:
        return np.ones(1, np.float32)
    height, width = logs.shape[:2]
    planes = [np.ascontiguousarray(logs[:, :, k]) for k in range(channels)]
    smooth = [resize(resize(plane, (4, 4)), (height, width)) for plane in planes]
    detail = np.stack([(a - b).ravel() for a, b in zip(planes, smooth, strict=True)])
    weight = (detail**2).sum(axis=0)
    total = float(weight.max())
    if total <= 0:
        return np.full(channels, channels**-0.5, np.float32)
    moments = (detail * (weight / total)) @ detail.T
    return np.linalg.eigh(moments)[1][:, -1].astype(np.float32)


def _noise(values: Array) -> float:
    """Return the standard deviation of the grain: differences of pixels two apart see no shapes."""
    steps = [abs(values[2::2] - values[:-2:2]), abs(values[:, 2::2] - values[:, :-2:2])]
    return sum(1.05 * float(quantile(step.ravel())) for step in steps if step.size) / 2


def _two_levels(values: Array) -> tuple[float, float]:
    """Return the medians of a picture's two kinds of pixels, parted as Otsu (1979) parts them."""
    ordered = np.sort(values, axis=None)[:: max(values.size // 1024, 1)].astype(np.float64)
    count = np.arange(1, len(ordered))
    sums = np.cumsum(ordered)
    below, above = sums[:-1] / count, (sums[-1] - sums[:-1]) / (len(ordered) - count)
    parted = int(np.argmax(count * (len(ordered) - count) * (above - below) ** 2)) + 1
    return float(ordered[parted // 2]), float(ordered[(parted + len(ordered)) // 2])


def _coarse(values: Array) -> Array:
    """Return a picture at the size at which its background is worked out."""
    height, width = values.shape
    scale = min(COARSE / max(height, width), 1)
    return resize(values, (max(round(height * scale), 1), max(round(width * scale), 1)))


def _page(coarse: Array, size: tuple[int, int]) -> Array:
    """Return the background of ink that is higher than it: what opening leaves, smooth.

    A minimum over a window that no stroke fills, then a maximum over the same window, which
    brings the edges of shadows and pages back to their place.
    """
    reach = max(int(WINDOW * min(coarse.shape) / 2), 1)
    return resize(_extreme(_extreme(coarse, reach, np.minimum), reach, np.maximum), size)


def _extreme(image: Array, reach: int, best: np.ufunc) -> Array:
    """Return the minimum or maximum over squares of ``2 * reach + 1``, cut off at the edges."""
    window = 2 * reach + 1
    for _ in range(2):
        image = image[np.clip(np.arange(-reach, len(image) + reach), 0, len(image) - 1)]
        size = 1  # rows that each row is the best of
        while size < window:
            step = min(size, window - size)
            image = best(image[:-step], image[step:])
            size += step
        image = image.T
    return image
