"""Digits as people hand them over who are no photographers: cut tightly, in cells, out of focus.

Shares no code with :mod:`cnncli.preprocess`, nor with what draws digits for training: outlines are
polygons of a pen's path that Pillow fills, at four times the size.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Grey = NDArray[np.uint8]
Array = NDArray[np.float64]
Random = np.random.Generator


def tight(digit: Grey, random: Random) -> Grey:
    """Return a digit cut at its ink, from 12 to 120 pixels high, dark on light or the reverse."""
    rows, columns = (np.flatnonzero((digit > 60).any(axis=axis)) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height = int(np.exp(random.uniform(np.log(12), np.log(120))))
    width = max(round(cut.shape[1] / cut.shape[0] * height * random.uniform(0.9, 1.15)), 3)
    ink = _scaled(cut, (height, width))
    if random.random() < 0.3:
        ink = (ink > 0.45).astype(float)
    return _inked(ink, random)


def ruled_cell(digit: Grey, random: Random) -> Grey:
    """Return a digit in a cell whose ruling is left around it; some of the ink crosses a line."""
    side = int(random.uniform(60, 200))
    shape = int(side * random.uniform(0.75, 1)), side
    cell = _ruling(shape, random)
    size = int(min(shape) * random.uniform(0.45, 0.7))
    ink = _scaled(digit[4:24, 4:24], (size, size))
    room = [length - size for length in shape]
    top, left = (int(room_ * random.uniform(0.25, 0.75)) for room_ in room)
    strength = random.uniform(0.5, 1)
    area = cell[top : top + size, left : left + size]
    np.maximum(area, strength * ink, out=area)
    return _inked(cell, random)


def empty_cell(random: Random) -> Grey:
    """Return a cell with its ruling and no digit."""
    side = int(random.uniform(60, 160))
    return _inked(_ruling((int(side * random.uniform(0.75, 1.1)), side), random), random)


def flagged_one(_: Grey, random: Random) -> Grey:
    """Return a 1 with a flag, often with a foot, written by a pen or printed."""
    lean = random.uniform(-0.05, 0.3)
    flag = random.uniform(0.15, 0.5), random.uniform(0.12, 0.45)
    top = 0.5 + lean / 2
    path = [[(top - flag[0], flag[1]), (top, 0.0), (0.5 - lean / 2, 1.0)]]
    if random.random() < 0.5:
        foot = random.uniform(0.15, 0.35)
        path.append([(0.5 - lean / 2 - foot, 1.0), (0.5 - lean / 2 + foot, 1.0)])
    return _written(path, random)


def crossed_seven(_: Grey, random: Random) -> Grey:
    """Return a 7 with a bar through its stem."""
    left, right = random.uniform(0, 0.1), random.uniform(0.6, 0.75)
    foot = random.uniform(0.15, 0.4)
    middle = random.uniform(0.42, 0.58)
    stem = right + (foot - right) * middle
    bar = random.uniform(0.15, 0.28)
    tilt = random.uniform(-0.08, 0.04)
    strokes = [
        [(left, random.uniform(0, 0.08)), (right, 0.0), (foot, 1.0)],
        [(stem - bar, middle - tilt), (stem + bar, middle + tilt)],
    ]
    return _written(strokes, random)


def defocused(digit: Grey, random: Random) -> Grey:
    """Return a photograph with room around the digit whose focus is off."""
    side = int(random.uniform(60, 240))
    size = int(side * random.uniform(0.4, 0.65))
    page = np.zeros((side, side))
    top, left = (int((side - size) * random.uniform(0.3, 0.7)) for _ in range(2))
    page[top : top + size, left : left + size] = _scaled(digit[4:24, 4:24], (size, size))
    return _inked(page, random, blur=size * random.uniform(0.02, 0.045))


MANNERS: dict[str, Callable[[Grey, Random], Grey]] = {
    "tight crop": tight,
    "ruled cell": ruled_cell,
    "flagged 1": flagged_one,
    "crossed 7": crossed_seven,
    "defocus": defocused,
}
ONLY = {"flagged 1": 1, "crossed 7": 7}  # what they show, whatever digit they are given


def _scaled(digit: Grey, size: tuple[int, int]) -> Array:
    large = Image.fromarray(digit).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(large, float) / 255


def _written(strokes: list[list[tuple[float, float]]], random: Random) -> Grey:
    """Return strokes in a unit box as a pen of 6 to 16 % of their height writes them."""
    height = int(random.uniform(24, 150))
    margin = random.uniform(0.1, 0.6)
    scale = 4 * height
    side = int(scale * (1 + 2 * margin))
    width = max(int(scale * random.uniform(0.06, 0.16)), 5)
    image = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(image)
    aspect = random.uniform(0.7, 1)
    for stroke in strokes:
        points = np.array(stroke, float) + random.normal(0, 0.012, (len(stroke), 2))
        path = [tuple(p) for p in points * (aspect * scale, scale) + margin * scale]
        draw.line(path, fill=255, width=width, joint="curve")
        for x, y in path:
            draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    return _inked(
        np.asarray(image.resize((side // 4, side // 4), Image.Resampling.BOX)) / 255, random
    )


def _ruling(shape: tuple[int, int], random: Random) -> Array:
    """Return the ink of a cell's ruling: on two to four sides, single or double, a little askew."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(float)
    ruling = np.zeros(shape)
    sides = random.permutation(4)[: random.integers(2, 5)]
    thick = max(random.uniform(0.008, 0.045) * min(shape), 1.0)
    for side in sides:
        along, across, far = (x, y, height) if side < 2 else (y, x, width)
        depth = random.uniform(0.01, 0.1) * far
        tilt = random.uniform(-0.03, 0.03)
        distance = (across if side % 2 == 0 else far - 1 - across) + tilt * along
        line = np.clip(thick / 2 + 0.5 - abs(distance - depth), 0, 1)
        if random.random() < 0.2:  # a double line
            line = np.maximum(
                line, np.clip(thick / 2 + 0.5 - abs(distance - depth + 2.5 * thick), 0, 1)
            )
        ruling = np.maximum(ruling, line * random.uniform(0.7, 1))
    return ruling


def _inked(ink: Array, random: Random, blur: float = 0.0) -> Grey:
    """Return ink in [0, 1] on paper that is lit unevenly, or light on dark."""
    light = np.linspace(random.uniform(0.75, 1), 1, ink.shape[1])
    if random.random() < 0.3:
        paper, pen = random.uniform(0.05, 0.3), random.uniform(0.75, 1)
    else:
        paper, pen = random.uniform(0.75, 0.98), random.uniform(0.05, 0.3)
    picture = (paper + (pen - paper) * ink) * light + random.normal(0, 0.01, ink.shape)
    grey = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(blur)) if blur else grey)
