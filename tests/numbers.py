"""Numbers of several digits on paper, for measuring ``--digits``."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.uint8]


def number_picture(digits: list[Grey], random: np.random.Generator) -> Grey:
    """Write 28x28 digits, white on black, beside each other in dark ink on shaded paper.

    Between two digits are 1 to 8 of their 20 pixels; sizes differ by a fifth, and the line is
    not quite straight. Neighbouring columns of two slanted digits may overlap.
    """
    zoom = random.uniform(1.5, 4)
    tiles = [_tile(digit, zoom * random.uniform(0.9, 1.1)) for digit in digits]
    gaps = [int(random.uniform(1, 8) * zoom) for _ in tiles]
    height = int(max(tile.shape[0] for tile in tiles) * 1.9)
    width = sum(tile.shape[1] for tile in tiles) + sum(gaps) + int(40 * zoom)
    ink, left = np.zeros((height, width)), int(16 * zoom)
    for tile, gap in zip(tiles, gaps, strict=True):
        top = (height - tile.shape[0]) // 2 + int(random.uniform(-2, 2) * zoom)
        area = ink[top : top + tile.shape[0], left : left + tile.shape[1]]
        np.maximum(area, tile, out=area)
        left += tile.shape[1] + gap
    light = np.linspace(random.uniform(0.6, 1), 1, width) * random.uniform(0.85, 0.98)
    paper = light + random.normal(0, 0.01, ink.shape)
    return (np.clip(paper * (1 - 0.88 * ink), 0, 1) * 255).astype(np.uint8)


def _tile(digit: Grey, zoom: float) -> NDArray[np.float64]:
    rows, columns = (np.flatnonzero((digit > 30).any(axis=axis)) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = (max(round(cut.shape[1] * zoom), 1), max(round(cut.shape[0] * zoom), 1))
    large = Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large, float) / 255
