"""Pictures of what is no digit: letters, shapes, noise and pieces of photographs.

For measuring doubt. Letters that a digit resembles (B, D, G, I, J, L, O, Q, S, Z and such) are
left out: no reader could tell them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Grey = NDArray[np.uint8]
Line = list[tuple[float, float]]

# Pen paths in a unit box, x to the right and y down.
LETTERS: dict[str, list[Line]] = {
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.62), (0.8, 0.62)]],
    "E": [[(0.9, 0), (0, 0), (0, 1), (0.9, 1)], [(0, 0.5), (0.7, 0.5)]],
    "F": [[(0.9, 0), (0, 0), (0, 1)], [(0, 0.48), (0.7, 0.48)]],
    "H": [[(0, 0), (0, 1)], [(0.9, 0), (0.9, 1)], [(0, 0.5), (0.9, 0.5)]],
    "K": [[(0, 0), (0, 1)], [(0.9, 0), (0, 0.55)], [(0.25, 0.42), (0.9, 1)]],
    "M": [[(0, 1), (0.05, 0), (0.5, 0.7), (0.95, 0), (1, 1)]],
    "N": [[(0, 1), (0, 0), (0.9, 1), (0.9, 0)]],
    "R": [[(0, 1), (0, 0), (0.6, 0.02), (0.8, 0.22), (0.6, 0.45), (0, 0.5)],
          [(0.3, 0.5), (0.9, 1)]],
    "W": [[(0, 0), (0.25, 1), (0.5, 0.3), (0.75, 1), (1, 0)]],
    "X": [[(0, 0), (0.9, 1)], [(0.9, 0), (0, 1)]],
    "P": [[(0, 1), (0, 0), (0.6, 0.02), (0.85, 0.25), (0.6, 0.5), (0, 0.52)]],
    "m": [[(0, 1), (0, 0.4)], [(0, 0.55), (0.25, 0.4), (0.45, 0.55), (0.45, 1)],
          [(0.45, 0.55), (0.7, 0.4), (0.95, 0.55), (0.95, 1)]],
}  # fmt: skip
SHAPES: dict[str, list[Line]] = {
    "triangle": [[(0.5, 0), (1, 0.9), (0, 0.9), (0.5, 0)]],
    "square": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
    "cross": [[(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    "star": [[(0.5, 0), (0.8, 1), (0, 0.38), (1, 0.38), (0.2, 1), (0.5, 0)]],
    "house": [[(0, 1), (0, 0.4), (0.5, 0), (1, 0.4), (1, 1), (0, 1)]],
    "arrow": [[(0, 0.5), (1, 0.5)], [(0.65, 0.2), (1, 0.5), (0.65, 0.8)]],
    "grid": [[(0.33, 0), (0.33, 1)], [(0.66, 0), (0.66, 1)], [(0, 0.33), (1, 0.33)],
             [(0, 0.66), (1, 0.66)]],
    "heart": [[(0.5, 1), (0, 0.35), (0.15, 0.05), (0.4, 0.05), (0.5, 0.3), (0.6, 0.05),
               (0.85, 0.05), (1, 0.35), (0.5, 1)]],
}  # fmt: skip


def letters(count: int, random: np.random.Generator) -> Iterator[Grey]:
    """Yield drawn letters."""
    yield from _drawings(list(LETTERS.values()), count, random)


def shapes(count: int, random: np.random.Generator) -> Iterator[Grey]:
    """Yield drawn shapes; every second one that is closed is filled."""
    yield from _drawings(list(SHAPES.values()), count, random, filled=True)


def noise(count: int, random: np.random.Generator) -> Iterator[Grey]:
    """Yield noise: grains, clouds and stripes."""
    for index in range(count):
        side = int(random.integers(28, 200))
        grains = random.normal(size=(side, side))
        if index % 3 == 1:
            grains = ndimage.gaussian_filter(grains, side / random.uniform(8, 30))
        if index % 3 == 2:
            grains = ndimage.gaussian_filter(grains, (side / 40, side / 6))
        low, high = grains.min(), grains.max()
        yield ((grains - low) / (high - low) * 255).astype(np.uint8)


def photograph_crops(folder: Path, count: int, random: np.random.Generator) -> Iterator[Grey]:
    """Yield pieces of photographs, enlarged as a careless user would."""
    files = sorted(folder.rglob("*.png")) + sorted(folder.rglob("*.jpg"))
    for _ in range(count):
        with Image.open(files[int(random.integers(len(files)))]) as picture:
            side = int(random.integers(16, min(picture.size) + 1))
            left, top = (int(random.integers(0, size - side + 1)) for size in picture.size)
            piece = picture.convert("RGB").crop((left, top, left + side, top + side))
            yield np.asarray(piece.resize((128, 128), Image.Resampling.BICUBIC))


def _drawings(
    drawings: list[list[Line]], count: int, random: np.random.Generator, filled: bool = False
) -> Iterator[Grey]:
    for index in range(count):
        lines = drawings[index % len(drawings)]
        yield _drawn(lines, random, filled and index // len(drawings) % 2 == 1)


def _drawn(lines: list[Line], random: np.random.Generator, filled: bool) -> Grey:
    side = 160
    height = random.uniform(70, 130)
    scale = np.array([height * random.uniform(0.6, 0.9), height])
    slant = np.array([[1, 0], [random.uniform(-0.25, 0.15), 1]])
    image = Image.new("L", (side, side), 245)
    draw = ImageDraw.Draw(image)
    width = int(random.integers(5, 14))
    for line in lines:
        points = (np.array(line) + random.normal(0, 0.025, (len(line), 2))) @ slant * scale
        path = [tuple(point) for point in points + (side - scale) / 2]
        if filled and line[0] == line[-1]:
            draw.polygon(path, fill=20)
        draw.line(path, fill=20, width=width, joint="curve")
        for x, y in path:
            draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=20)
    return np.asarray(image.resize((side // 2, side // 2), Image.Resampling.BOX))
