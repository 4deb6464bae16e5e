"""Draw the sample pictures: one scene worth filtering, and digits in many manners.

Everything is drawn from curves, colours and seeded noise; no font, no data set, no photograph.
Run ``python sample_images/draw.py`` to write the files again, pixel for pixel.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
Stroke = list[tuple[float, float]]

HERE = Path(__file__).resolve().parent
SEED = 7

# Pen paths in a unit box, x to the right and y down, as a hand would write them. A stroke is a
# smooth curve through its points; a point given twice is a corner.
DIGITS: dict[int, list[Stroke]] = {
    0: [[(0.52, 0.0), (0.2, 0.12), (0.04, 0.5), (0.18, 0.87), (0.48, 1.0), (0.8, 0.86),
         (0.94, 0.48), (0.8, 0.12), (0.5, 0.0)]],
    1: [[(0.28, 0.24), (0.45, 0.12), (0.58, 0.0), (0.58, 0.0), (0.57, 0.5), (0.54, 1.0)]],
    2: [[(0.1, 0.26), (0.26, 0.04), (0.58, 0.0), (0.8, 0.2), (0.7, 0.48), (0.4, 0.78),
         (0.08, 0.98), (0.08, 0.98), (0.5, 0.95), (0.92, 0.97)]],
    3: [[(0.12, 0.12), (0.42, 0.0), (0.76, 0.12), (0.72, 0.36), (0.36, 0.47), (0.36, 0.47),
         (0.72, 0.54), (0.84, 0.78), (0.56, 1.0), (0.1, 0.9)]],
    4: [[(0.36, 0.0), (0.22, 0.32), (0.08, 0.58), (0.08, 0.58), (0.5, 0.57), (0.94, 0.54)],
        [(0.7, 0.22), (0.67, 0.6), (0.6, 1.0)]],
    5: [[(0.84, 0.0), (0.5, 0.02), (0.24, 0.03), (0.24, 0.03), (0.2, 0.25), (0.16, 0.46),
         (0.16, 0.46), (0.5, 0.38), (0.82, 0.54), (0.78, 0.88), (0.42, 1.0), (0.08, 0.9)]],
    6: [[(0.7, 0.0), (0.4, 0.2), (0.16, 0.58), (0.22, 0.92), (0.55, 1.0), (0.82, 0.8),
         (0.68, 0.54), (0.36, 0.56), (0.17, 0.76)]],
    7: [[(0.08, 0.05), (0.5, 0.04), (0.9, 0.02), (0.9, 0.02), (0.66, 0.4), (0.48, 0.72),
         (0.38, 1.0)]],
    8: [[(0.8, 0.14), (0.5, 0.0), (0.2, 0.16), (0.38, 0.42), (0.74, 0.62), (0.84, 0.84),
         (0.5, 1.0), (0.16, 0.84), (0.3, 0.6), (0.66, 0.4), (0.8, 0.14)]],
    9: [[(0.82, 0.2), (0.56, 0.0), (0.22, 0.12), (0.2, 0.38), (0.5, 0.5), (0.8, 0.24),
         (0.82, 0.2), (0.8, 0.5), (0.74, 0.76), (0.64, 1.0)]],
}  # fmt: skip
CROSSBAR: Stroke = [(0.4, 0.5), (0.6, 0.49), (0.84, 0.47)]  # some hands write the 7 with it
LETTERS: dict[str, list[Stroke]] = {
    "C": [[(0.9, 0.14), (0.5, 0.0), (0.12, 0.25), (0.12, 0.75), (0.5, 1.0), (0.92, 0.86)]],
    "N": [[(0.1, 1.0), (0.1, 0.5), (0.1, 0.0), (0.1, 0.0), (0.5, 0.5), (0.9, 1.0), (0.9, 1.0),
           (0.9, 0.5), (0.9, 0.0)]],
}  # fmt: skip


# --- strokes ---------------------------------------------------------------------------------


def curve(stroke: Stroke, samples: int = 24) -> Array:
    """Return points ``(n, 2)`` along the Catmull-Rom curve through a stroke's points."""
    points = np.array([stroke[0], *stroke, stroke[-1]], float)
    t = np.linspace(0, 1, samples, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        if np.array_equal(b, c):
            continue
        # A doubled point ends the curve there: the tangent there is its own chord.
        before = 2 * b - c if np.array_equal(a, b) else a
        after = 2 * c - b if np.array_equal(c, d) else d
        bend = 2 * before - 5 * b + 4 * c - after
        twist = 3 * (b - c) + after - before
        pieces.append(b + 0.5 * t * ((c - before) + t * (bend + t * twist)))
    return np.vstack([*pieces, points[-1:]])


def wobble(points: Array, amount: float, random: np.random.Generator) -> Array:
    """Shift points by a smooth random walk, as an unsteady hand does."""
    noise = random.normal(size=(len(points), 2))
    kernel = np.hanning(31) / np.hanning(31).sum()
    smooth = np.column_stack(
        [np.convolve(noise[:, axis], kernel, "same")[: len(points)] for axis in (0, 1)]
    )
    return points + amount * smooth * np.sqrt(31)


def ink_coverage(
    strokes: list[Stroke],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    width: float,
    random: np.random.Generator,
    shake: float = 0.006,
) -> Array:
    """Draw strokes with a round pen.

    Parameters
    ----------
    strokes
        Pen paths in the unit box.
    size
        ``(height, width)`` of the picture.
    box
        ``(left, top, width, height)`` of the drawing, in pixels.
    width
        Pen width in pixels; it varies by a tenth along the stroke.
    random
        Where the hand's unsteadiness comes from.
    shake
        Size of that unsteadiness, as a part of the box.

    Returns
    -------
    Array
        Coverage ``(height, width)`` in [0, 1], with soft edges.
    """
    coverage = np.zeros(size)
    left, top, across, down = box
    for stroke in strokes:
        path = wobble(curve(stroke), shake, random) * (across, down) + (left, top)
        pressure = 1 + 0.1 * np.interp(
            np.linspace(0, 5, len(path)), np.arange(6), random.normal(size=6)
        )
        for start, end, radius in zip(path, path[1:], width / 2 * pressure, strict=False):
            _draw_segment(coverage, start, end, radius)
    return coverage


def _draw_segment(coverage: Array, start: Array, end: Array, radius: float) -> None:
    low = np.maximum(np.floor(np.minimum(start, end) - radius - 2), 0).astype(int)
    high = np.ceil(np.maximum(start, end) + radius + 2).astype(int)
    window = coverage[low[1] : high[1], low[0] : high[0]]
    if window.size == 0:
        return
    y, x = np.mgrid[low[1] : low[1] + window.shape[0], low[0] : low[0] + window.shape[1]]
    step = end - start
    length = max(float(step @ step), 1e-9)
    along = np.clip(((x - start[0]) * step[0] + (y - start[1]) * step[1]) / length, 0, 1)
    distance = np.hypot(x - start[0] - along * step[0], y - start[1] - along * step[1])
    np.maximum(window, np.clip(radius + 0.5 - distance, 0, 1), out=window)


# --- light, paper, texture -------------------------------------------------------------------


def smooth_noise(size: tuple[int, int], cell: int, random: np.random.Generator) -> Array:
    """Return noise in about [-1, 1] whose blobs are `cell` pixels wide."""
    coarse = random.normal(size=(size[0] // cell + 3, size[1] // cell + 3)) / 2
    big = Image.fromarray(coarse.astype(np.float32)).resize(
        (coarse.shape[1] * cell, coarse.shape[0] * cell), Image.Resampling.BICUBIC
    )
    return np.asarray(big, float)[cell : cell + size[0], cell : cell + size[1]]


def paper(
    size: tuple[int, int], colour: Colour, random: np.random.Generator, grain: float = 0.012
) -> Array:
    """Return a sheet ``(H, W, 3)`` in [0, 1] with a fine and a coarse grain."""
    texture = grain * (random.normal(size=size) * 0.6 + smooth_noise(size, 6, random))
    return np.array(colour) + texture[..., None]


def lamp(size: tuple[int, int], angle: float, dark: float) -> Array:
    """Return the shading ``(H, W, 1)`` of a lamp at one side: 1 there, `dark` at the other."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    slope = (x * np.cos(angle) + y * np.sin(angle)) / 1.4
    return (dark + (1 - dark) * (1 / (1 + np.exp(-2.2 * slope))))[..., None]


def soft_shadow(size: tuple[int, int], edge: float, softness: float, depth: float) -> Array:
    """Return the shadow ``(H, W, 1)`` of something beside the sheet, darkest in a corner."""
    y, x = np.mgrid[0 : 1 : size[0] * 1j, 0 : 1 : size[1] * 1j]
    return (1 - depth / (1 + np.exp((x + 0.6 * y - edge) / softness)))[..., None]


def inked(sheet: Array, coverage: Array, colour: Colour, strength: float = 1.0) -> Array:
    """Lay ink of a colour over a sheet."""
    part = strength * coverage[..., None]
    return sheet * (1 - part) + np.array(colour) * part


def to_bytes(picture: Array) -> NDArray[np.uint8]:
    """Round [0, 1] half up to 0..255."""
    return np.floor(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


# --- digits ----------------------------------------------------------------------------------


def pen_on_shaded_paper(random: np.random.Generator) -> Image.Image:
    """Draw a 7 with a blue pen, the sheet lit from one side and partly in a soft shadow."""
    size = (800, 640)
    sheet = paper(size, (0.93, 0.91, 0.86), random)
    pen = ink_coverage([*DIGITS[7], CROSSBAR], size, (190, 200, 270, 390), 17, random)
    lit = inked(sheet, pen, (0.10, 0.14, 0.42), 0.92) * lamp(size, 0.6, 0.5)
    return Image.fromarray(to_bytes(lit * soft_shadow(size, 0.5, 0.07, 0.3)))


def white_on_black(random: np.random.Generator) -> Image.Image:
    """Draw a 1 as small as the network's own pictures: 28x28, white on black."""
    big = ink_coverage(DIGITS[1], (280, 280), (90, 40, 110, 200), 24, random)
    return Image.fromarray(to_bytes(big.reshape(28, 10, 28, 10).mean(axis=(1, 3))))


def coloured_marker(random: np.random.Generator) -> Image.Image:
    """Draw a 0 with a broad red marker whose ink is uneven."""
    size = (480, 420)
    pen = ink_coverage(DIGITS[0], size, (120, 90, 190, 280), 40, random)
    uneven = 0.86 + 0.12 * smooth_noise(size, 14, random)
    sheet = paper(size, (0.97, 0.97, 0.95), random, grain=0.006)
    return Image.fromarray(to_bytes(inked(sheet, pen * uneven, (0.85, 0.13, 0.16))))


def thin_pencil(random: np.random.Generator) -> Image.Image:
    """Draw a 2 with a thin pencil that skips over the grain of the paper."""
    size = (560, 460)
    pen = ink_coverage(DIGITS[2], size, (120, 130, 200, 280), 5, random)
    grain = np.clip(0.75 + 0.35 * random.normal(size=size), 0.2, 1)
    sheet = paper(size, (0.95, 0.95, 0.93), random, grain=0.01) * lamp(size, 2.4, 0.8)
    return Image.fromarray(to_bytes(inked(sheet, pen * grain, (0.35, 0.35, 0.38), 0.85)))


def transparent_background(random: np.random.Generator) -> Image.Image:
    """Draw a 3 in violet on nothing: RGBA, alpha 0 outside the stroke."""
    size = (300, 260)
    pen = ink_coverage(DIGITS[3], size, (60, 45, 140, 210), 22, random)
    colour = np.broadcast_to(np.array((0.38, 0.16, 0.66)), (*size, 3))
    return Image.fromarray(to_bytes(np.dstack([colour, pen])))


def small_and_off_centre(random: np.random.Generator) -> Image.Image:
    """Draw a 4 small, in a corner of an otherwise empty sheet."""
    size = (360, 480)
    pen = ink_coverage(DIGITS[4], size, (352, 52, 46, 64), 6, random)
    sheet = np.full((*size, 3), 0.98)
    return Image.fromarray(to_bytes(inked(sheet, pen, (0.08, 0.08, 0.1))))


def sixteen_bit_scan(random: np.random.Generator) -> Image.Image:
    """Draw a 5 as a scanner gives it: 16 bits a pixel, grey, not quite white and black."""
    size = (320, 260)
    pen = ink_coverage(DIGITS[5], size, (60, 60, 130, 200), 15, random)
    light = 0.83 - 0.6 * pen + 0.004 * random.normal(size=size)
    return Image.fromarray((np.clip(light, 0, 1) * 65535).astype(np.uint16))


def chalk_on_blackboard(random: np.random.Generator) -> Image.Image:
    """Draw a 6 with chalk on a green-black board that was wiped not quite clean."""
    size = (520, 480)
    smears = 0.03 * smooth_noise(size, 40, random)[..., None]
    board = paper(size, (0.13, 0.21, 0.18), random, grain=0.008) + smears
    pen = ink_coverage(DIGITS[6], size, (150, 100, 190, 310), 24, random)
    grain = np.clip(0.82 + 0.25 * random.normal(size=size), 0, 1)
    chalk = inked(board, pen * grain, (0.93, 0.93, 0.88), 0.9)
    return Image.fromarray(to_bytes(chalk * lamp(size, 1.2, 0.75)))


def squared_paper(random: np.random.Generator) -> Image.Image:
    """Draw an 8 with a black pen on squared paper."""
    size = (560, 520)
    sheet = paper(size, (0.96, 0.96, 0.94), random, grain=0.008)
    y, x = np.mgrid[: size[0], : size[1]]
    # Nothing is held quite straight: the squares lie about a degree off.
    across, down = x + 0.02 * y + 11, y - 0.02 * x + 23
    lines = np.clip(1.3 - np.minimum(across % 40, down % 40), 0, 1)
    sheet = inked(sheet, lines, (0.55, 0.66, 0.82), 0.7)
    pen = ink_coverage(DIGITS[8], size, (170, 130, 180, 290), 15, random)
    return Image.fromarray(to_bytes(inked(sheet, pen, (0.1, 0.1, 0.12), 0.93)))


def ruled_paper(random: np.random.Generator) -> Image.Image:
    """Draw a 4 with a blue pen on ruled paper with a red margin."""
    size = (600, 640)
    sheet = paper(size, (0.98, 0.97, 0.92), random, grain=0.008)
    y, x = np.mgrid[: size[0], : size[1]]
    rules = np.clip(1.4 - (y + 0.015 * x + 10) % 58, 0, 1)
    sheet = inked(sheet, rules, (0.5, 0.65, 0.85), 0.8)
    sheet = inked(sheet, np.clip(1.6 - abs(x - 84 + 0.01 * y), 0, 1), (0.9, 0.4, 0.42), 0.8)
    pen = ink_coverage(DIGITS[4], size, (250, 170, 190, 260), 11, random)
    blue = inked(sheet, pen, (0.12, 0.2, 0.62), 0.92)
    return Image.fromarray(to_bytes(blue * lamp(size, 3.6, 0.72)))


def yellow_on_teal(random: np.random.Generator) -> Image.Image:
    """Draw a 9 in yellow on teal: nearly one brightness, two colours."""
    size = (320, 320)
    pen = ink_coverage(DIGITS[9], size, (95, 60, 125, 200), 24, random)
    sheet = np.broadcast_to(np.array((0.10, 0.56, 0.58)), (*size, 3))
    return Image.fromarray(to_bytes(inked(sheet, pen, (0.98, 0.83, 0.18)))).quantize(32)


def page_on_a_table(random: np.random.Generator) -> Image.Image:
    """Draw a 3 on a slip of paper that lies on a wooden table, its edge in view."""
    size = (620, 700)
    y, x = np.mgrid[: size[0], : size[1]]
    rings = 0.5 + 0.5 * np.sin((y + 14 * smooth_noise(size, 90, random)) / 5)
    table = paper(size, (0.42, 0.27, 0.16), random) + 0.06 * rings[..., None]
    inside = np.minimum(x + 0.08 * y - 150, y - 0.07 * x - 40)
    sheet = np.clip(inside, 0, 1)[..., None]
    shade = 1 - 0.35 * np.exp(-np.clip(-inside, 0, None) / 9)[..., None]
    scene = table * shade * (1 - sheet) + paper(size, (0.94, 0.93, 0.9), random) * sheet
    pen = ink_coverage(DIGITS[3], size, (350, 190, 200, 300), 19, random)
    return Image.fromarray(to_bytes(inked(scene, pen, (0.12, 0.12, 0.14)) * lamp(size, 5.2, 0.7)))


def sideways(random: np.random.Generator) -> Image.Image:
    """Draw a 2 with a green pen, stored on its side: its EXIF tag says how to turn it."""
    size = (420, 360)
    pen = ink_coverage(DIGITS[2], size, (90, 80, 180, 260), 18, random)
    sheet = paper(size, (0.95, 0.94, 0.9), random) * lamp(size, 0.2, 0.7)
    upright = to_bytes(inked(sheet, pen, (0.08, 0.42, 0.22), 0.95))
    picture = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    picture.getexif()[0x0112] = 6  # "turn by 90 degrees clockwise to show"
    return picture


# --- the scene -------------------------------------------------------------------------------

WIDTH, HEIGHT, FINE = 512, 384, 2  # drawn at twice the size, then averaged down
HORIZON = 0.56


def _canvas() -> tuple[Array, Array]:
    y, x = np.mgrid[0 : 1 : HEIGHT * FINE * 1j, 0 : WIDTH / HEIGHT : WIDTH * FINE * 1j]
    return x, y


def _polygon(*points: tuple[float, float]) -> Array:
    mask = Image.new("L", (WIDTH * FINE, HEIGHT * FINE))
    ImageDraw.Draw(mask).polygon([(x * HEIGHT * FINE, y * HEIGHT * FINE) for x, y in points], 255)
    return np.asarray(mask, float) / 255


def _blend(colours: list[Colour], at: list[float], value: Array) -> Array:
    return np.stack([np.interp(value, at, [c[i] for c in colours]) for i in range(3)], axis=-1)


def _sky(x: Array, y: Array, random: np.random.Generator) -> Array:
    sky = _blend(
        [(0.10, 0.16, 0.38), (0.36, 0.36, 0.62), (0.93, 0.55, 0.45), (1.0, 0.82, 0.55)],
        [0.0, 0.22, 0.44, HORIZON],
        y,
    )
    from_sun = np.hypot(x - 0.40, y - 0.43)
    sky = inked(sky, np.exp(-from_sun / 0.16) * 0.8, (1.0, 0.85, 0.55))
    sky = inked(sky, np.clip((0.085 - from_sun) * 400, 0, 1), (1.0, 0.95, 0.78))
    stars = (random.random(x.shape) > 0.9994) * np.clip(0.24 - y, 0, 1) * 5
    sky = inked(sky, np.clip(stars + np.roll(stars, 1, 0) + np.roll(stars, 1, 1), 0, 1), (1, 1, 1))
    cloud = smooth_noise(x.shape, 60, random) + 0.5 * smooth_noise(x.shape, 24, random)
    band = np.exp(-(((y - 0.29) / 0.05) ** 2))
    return inked(sky, np.clip(cloud * band, 0, 0.55), (1.0, 0.72, 0.62))


def _hills(x: Array, y: Array, random: np.random.Generator) -> Iterator[tuple[Array, Colour]]:
    tones: list[tuple[float, float, Colour]] = [
        (0.45, 0.075, (0.48, 0.38, 0.55)),
        (0.52, 0.045, (0.30, 0.27, 0.46)),
    ]
    for base, height, colour in tones:
        ridge = smooth_noise((8, x.shape[1]), 70, random)[0]
        ridge = ridge + 0.35 * smooth_noise((8, x.shape[1]), 22, random)[0]
        away = np.clip(abs(x[0] - 0.42) * 2, 0.1, 1)  # a valley where the sun stands
        yield np.clip((y - base + height * ridge * away + 0.05 * (away - 0.6)) * 500, 0, 1), colour


def _sea(x: Array, y: Array, random: np.random.Generator) -> Array:
    depth = np.clip((y - HORIZON) / (1 - HORIZON), 0, 1)
    sea = _blend([(0.80, 0.55, 0.52), (0.24, 0.35, 0.54), (0.06, 0.15, 0.30)], [0, 0.25, 1], depth)
    waves = np.sin(26 / (depth + 0.09) + 5 * smooth_noise(x.shape, 30, random))
    sea = sea + 0.05 * (waves * (0.3 + depth))[..., None]
    path = np.exp(-(((x - 0.40) / (0.05 + 0.16 * depth)) ** 2)) * (waves > 0.1)
    return inked(sea, path * (0.85 - 0.5 * depth), (1.0, 0.84, 0.58))


def _lighthouse(scene: Array, x: Array, y: Array) -> Array:
    left, right = 1.055, 1.135
    rock = _polygon((0.86, 0.74), (0.93, 0.665), (1.02, 0.635), (1.17, 0.63), (1.34, 0.70),
                    (1.34, 0.78), (0.86, 0.78))  # fmt: skip
    scene = inked(scene, rock, (0.17, 0.16, 0.22))
    tower = _polygon((left + 0.012, 0.2), (right - 0.012, 0.2), (right + 0.012, 0.64),
                     (left - 0.012, 0.64))  # fmt: skip
    round_light = 0.62 + 0.38 * np.cos((x - 1.075) / 0.06)
    striped = np.where((((y - 0.2) / 0.088).astype(int) % 2 == 0)[..., None],
                       np.array((0.78, 0.14, 0.15)), np.array((0.97, 0.95, 0.92)))  # fmt: skip
    scene = scene * (1 - tower[..., None]) + striped * (round_light * tower)[..., None]
    scene = inked(scene, _polygon((left - 0.012, 0.187), (right + 0.012, 0.187),
                                  (right + 0.012, 0.205), (left - 0.012, 0.205)),
                  (0.13, 0.13, 0.2))  # fmt: skip
    beam = _polygon((1.095, 0.152), (0.0, -0.03), (0.0, 0.13))
    scene = inked(scene, beam * np.clip((x - 0.1) / 1.6, 0, 1) ** 1.5, (1.0, 0.97, 0.75))
    scene = inked(scene, _polygon((left + 0.014, 0.125), (right - 0.014, 0.125),
                                  (right - 0.014, 0.187), (left + 0.014, 0.187)),
                  (1.0, 0.93, 0.6))  # fmt: skip
    roof = _polygon((left + 0.002, 0.125), (1.095, 0.072), (right - 0.002, 0.125))
    scene = inked(scene, roof, (0.55, 0.09, 0.12))
    for level in (0.32, 0.495):
        pane = _polygon((1.085, level), (1.105, level), (1.105, level + 0.035),
                        (1.085, level + 0.035))  # fmt: skip
        scene = inked(scene, pane, (0.12, 0.13, 0.22))
    return scene


def _boat(scene: Array) -> Array:
    scene = inked(scene, _polygon((0.585, 0.46), (0.585, 0.625), (0.67, 0.625)), (0.98, 0.96, 0.92))
    scene = inked(scene, _polygon((0.575, 0.48), (0.575, 0.625), (0.515, 0.625)), (0.88, 0.36, 0.3))
    hull = _polygon((0.50, 0.635), (0.70, 0.635), (0.665, 0.672), (0.53, 0.672))
    return inked(scene, hull, (0.23, 0.15, 0.16))


def _pier(scene: Array, x: Array, y: Array, random: np.random.Generator) -> Array:
    """Planks in the foreground: straight edges in both directions, and a grain."""
    deck = _polygon((0.0, 0.83), (1.34, 0.83), (1.34, 1.0), (0.0, 1.0))
    row = np.floor(((y - 0.83) / 0.17).clip(0, 0.999) * 4)
    tone = np.array([0.0, 0.05, -0.03, 0.03])[row.astype(int)]
    grain = 0.06 * np.sin(y * 900 + 9 * smooth_noise(x.shape, 44, random))
    joint = np.abs((x * 3 + row * 0.37) % 1 - 0.5) > 0.494
    seam = ((y - 0.83) / 0.17 * 4) % 1 < 0.07
    wood = np.array((0.50, 0.33, 0.22)) * (1 + tone + grain)[..., None]
    wood = wood * np.where(joint | seam, 0.4, 1.0)[..., None]
    return scene * (1 - deck[..., None]) + wood * deck[..., None]


def _sign(scene: Array, random: np.random.Generator) -> Array:
    scene = inked(scene, _polygon((0.19, 0.7), (0.22, 0.7), (0.22, 0.9), (0.19, 0.9)),
                  (0.30, 0.2, 0.14))  # fmt: skip
    scene = inked(scene, _polygon((0.05, 0.6), (0.36, 0.59), (0.365, 0.745), (0.055, 0.755)),
                  (0.16, 0.12, 0.12))  # fmt: skip
    scene = inked(scene, _polygon((0.057, 0.608), (0.353, 0.598), (0.358, 0.737), (0.062, 0.747)),
                  (0.95, 0.88, 0.72))  # fmt: skip
    for index, letter in enumerate("CNN"):
        unit = HEIGHT * FINE
        box = ((0.088 + 0.09 * index) * unit, 0.632 * unit, 0.066 * unit, 0.082 * unit)
        pen = ink_coverage(LETTERS[letter], scene.shape[:2], box, 11, random, shake=0.004)
        scene = inked(scene, pen, (0.12, 0.16, 0.36))
    return scene


def scene(random: np.random.Generator) -> Image.Image:
    """Draw a harbour at dusk: gradients, stripes, straight and curved edges, text, texture."""
    x, y = _canvas()
    picture = _sky(x, y, random)
    for mask, colour in _hills(x, y, random):
        picture = inked(picture, mask, colour)
    sea = np.clip((y - HORIZON) * 800, 0, 1)[..., None]
    picture = picture * (1 - sea) + _sea(x, y, random) * sea
    picture = _boat(_lighthouse(picture, x, y))
    picture = _sign(_pier(picture, x, y, random), random)
    small = picture.reshape(HEIGHT, FINE, WIDTH, FINE, 3).mean(axis=(1, 3))
    return Image.fromarray(to_bytes(small))


# --- files -----------------------------------------------------------------------------------

PICTURES: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "scene.png": scene,
    "digit-0-marker.jpg": coloured_marker,
    "digit-1-28x28.png": white_on_black,
    "digit-2-pencil.jpg": thin_pencil,
    "digit-2-sideways.jpg": sideways,
    "digit-3-page-edge.jpg": page_on_a_table,
    "digit-3-transparent.png": transparent_background,
    "digit-4-ruled.jpg": ruled_paper,
    "digit-4-small.png": small_and_off_centre,
    "digit-5-scan16.png": sixteen_bit_scan,
    "digit-6-chalk.jpg": chalk_on_blackboard,
    "digit-7-pen.jpg": pen_on_shaded_paper,
    "digit-8-squared.jpg": squared_paper,
    "digit-9-yellow-on-teal.png": yellow_on_teal,
}


def draw(name: str) -> Image.Image:
    """Draw one of :data:`PICTURES`; each has its own seed, so that none depends on another."""
    seed = [SEED, *name.encode()]
    return PICTURES[name](np.random.default_rng(seed))


def save(folder: Path) -> None:
    """Write all pictures to a folder."""
    for name in PICTURES:
        picture, path = draw(name), folder / name
        if path.suffix == ".jpg":
            picture.save(path, quality=82, exif=picture.getexif())
        else:
            picture.save(path, optimize=True)
        print(f"{path} {picture.width}x{picture.height} {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    save(HERE)
