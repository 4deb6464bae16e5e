"""Numbers of several digits on paper, for measuring ``--digits``."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

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
    return _on_paper(ink, random)


def touching_picture(digits: list[Grey], random: np.random.Generator) -> Grey:
    """Write digits as :func:`number_picture` does, but each moved until it touches the one before.

    It is moved into the other's box by 4 of its 20 pixels at most: as deep as that, what leans may
    still be clear of its neighbour. Where they touch, they share up to 0.7 pixels.
    """
    zoom = random.uniform(1.5, 4)
    tiles = [_tile(digit, zoom * random.uniform(0.9, 1.1)) for digit in digits]
    height = int(max(tile.shape[0] for tile in tiles) * 1.9)
    width = sum(tile.shape[1] for tile in tiles) + int(40 * zoom)
    ink, right = np.zeros((height, width)), int(16 * zoom)
    for tile in tiles:
        top = (height - tile.shape[0]) // 2 + int(random.uniform(-2, 2) * zoom)
        left = right
        while right > int(16 * zoom) and left > right - 4 * zoom:
            area = ink[top : top + tile.shape[0], left : left + tile.shape[1]]
            if np.minimum(area, tile).max() > 0.5:
                break
            left -= 1
        left -= int(random.uniform(0, 0.7) * zoom) if right > int(16 * zoom) else 0
        area = ink[top : top + tile.shape[0], left : left + tile.shape[1]]
        np.maximum(area, tile, out=area)
        right = left + tile.shape[1]
    return _on_paper(ink[:, : right + int(16 * zoom)], random)


# Corners of the seven segments a to g in a box of 1 by 2, as the ends of their middle lines.
_SEGMENTS = (
    ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (1, 2)), ((0, 2), (1, 2)),
    ((0, 1), (0, 2)), ((0, 0), (0, 1)), ((0, 1), (1, 1)),
)  # fmt: skip
_LIT = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")


def display_picture(text: str, random: np.random.Generator) -> Grey:
    """Show a number such as ``"12.5"`` on a display of seven segments, dark or lit."""
    unit = random.uniform(16, 40)  # half a digit's height
    wide, pitch = unit * random.uniform(0.85, 1), unit * random.uniform(1.5, 1.75)
    thick, gap = unit * random.uniform(0.16, 0.26), unit * random.uniform(0.02, 0.07)
    slant = random.uniform(0, 0.12)
    digits = len(text.replace(".", ""))
    margin = unit * random.uniform(0.5, 1.2)
    size = int(2 * margin + pitch * digits + 0.4 * unit), int(2 * margin + 2 * unit)
    image = Image.new("L", (4 * size[0], 4 * size[1]), 0)
    draw = ImageDraw.Draw(image)
    left = margin + 2 * unit * slant

    def polygon(points: NDArray[np.float64]) -> None:
        moved = points + np.stack([left - slant * points[:, 1], np.full(len(points), margin)], 1)
        draw.polygon([tuple(4 * point) for point in moved], fill=255)

    for character in text:
        if character == ".":
            square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * thick / 2
            polygon(square + np.array([wide + 0.62 * (pitch - wide) - pitch, 2 * unit]))
            continue
        for name in _LIT[int(character)]:
            ends = np.array(_SEGMENTS["abcdefg".index(name)], float) * [wide, unit]
            polygon(_segment(ends, thick, gap))
        left += pitch
    ink = np.asarray(image.resize(size, Image.Resampling.BOX), float) / 255
    if random.random() < 0.5:
        picture = 0.1 + random.uniform(0.6, 0.85) * ink
    else:
        picture = random.uniform(0.55, 0.8) * (1 - random.uniform(0.7, 0.9) * ink)
    picture += random.normal(0, 0.01, ink.shape)
    grey = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return np.asarray(grey.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.02) * unit)))


def _segment(ends: NDArray[np.float64], thick: float, gap: float) -> NDArray[np.float64]:
    """Return the six corners of a segment, its ends `gap` away from the corners of the digit."""
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = along[::-1] * thick / 2
    start, stop = ends[0] + gap * along, ends[1] - gap * along
    inner = along * thick / 2
    return np.array([
        start, start + inner + across, stop - inner + across,
        stop, stop - inner - across, start + inner - across,
    ])  # fmt: skip


def _on_paper(ink: NDArray[np.float64], random: np.random.Generator) -> Grey:
    light = np.linspace(random.uniform(0.6, 1), 1, ink.shape[1]) * random.uniform(0.85, 0.98)
    paper = light + random.normal(0, 0.01, ink.shape)
    return (np.clip(paper * (1 - 0.88 * ink), 0, 1) * 255).astype(np.uint8)


def _tile(digit: Grey, zoom: float) -> NDArray[np.float64]:
    rows, columns = (np.flatnonzero((digit > 30).any(axis=axis)) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = (max(round(cut.shape[1] * zoom), 1), max(round(cut.shape[0] * zoom), 1))
    large = Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large, float) / 255
