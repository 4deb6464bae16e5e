"""Pictures that nobody means to hand over: flat, gradients, lines, noise, one pixel thin."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]


def fuzzed(count: int, seed: int = 0) -> Iterator[Grey]:
    """Yield pictures of 1x1 to 64x64 pixels, one in eight of them with three channels."""
    for number in range(count):
        random = np.random.default_rng([seed, number])
        picture = _picture(number % 8, random)
        if number % 24 == 5:
            picture = np.stack([picture, picture // 2, np.roll(picture, 1)], axis=-1)
        yield np.ascontiguousarray(picture)


def _size(random: np.random.Generator) -> tuple[int, int]:
    height, width = (1 if random.random() < 0.15 else int(random.integers(1, 65)) for _ in range(2))
    return height, width


def _picture(kind: int, random: np.random.Generator) -> Grey:
    height, width = size = _size(random)
    if kind == 0:  # flat
        return np.full(size, random.integers(256), np.uint8)
    if kind == 1:  # a gradient
        y, x = np.mgrid[:height, :width]
        slope = random.uniform(-8, 8, 2)
        return (slope[0] * y + slope[1] * x + random.integers(256)).clip(0, 255).astype(np.uint8)
    if kind == 2:  # lines from edge to edge, thick and thin
        return _lines(size, random)
    if kind == 3:  # noise
        return random.integers(0, 256, size, dtype=np.uint8)
    if kind == 4:  # hardly any contrast
        return (random.integers(0, 254) + random.integers(0, 3, size)).astype(np.uint8)
    if kind == 5:  # blocks
        blocks = random.integers(0, 256, (-(-height // 7), -(-width // 7)), dtype=np.uint8)
        return blocks.repeat(7, 0).repeat(7, 1)[:height, :width]
    if kind == 6:  # black with a few lit pixels, or the reverse
        lit = random.random(size) < 0.05
        return np.where(lit, 255, 0).astype(np.uint8) ^ np.uint8(255 * (random.random() < 0.5))
    y, x = np.mgrid[:height, :width]
    rings = np.hypot(y - height / 2, x - width / 2) % random.uniform(2, 20)
    return (rings * random.uniform(1, 40)).clip(0, 255).astype(np.uint8)


def _lines(size: tuple[int, int], random: np.random.Generator) -> Grey:
    height, width = size
    picture = np.full(size, random.integers(256), np.uint8)
    for _ in range(random.integers(1, 5)):
        picture[random.integers(height) :: random.integers(1, 40)] = random.integers(256)
        start = random.integers(width)
        picture[:, start : start + random.integers(1, width + 1)] = random.integers(256)
    return picture
