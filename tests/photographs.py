"""Turn a bare 28x28 digit into what a phone, a scanner or a drawing program would give.

The test set of ``docs/reading-digits.md``. It shares no code with :mod:`cnncli.preprocess`: the
digit becomes a shape (a signed distance), the shape is laid on a sheet as ink, the sheet is lit
and then stored as a file. Each manner makes one thing hard and leaves the rest to chance.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Array = NDArray[np.float64]

FINE = 8  # the digit's shape is worked out on a grid this much finer than its pixels
INKS = {
    "black": (0.09, 0.09, 0.11),
    "blue": (0.12, 0.19, 0.55),
    "red": (0.76, 0.12, 0.14),
    "green": (0.08, 0.42, 0.2),
}
PAPERS = ((0.97, 0.97, 0.96), (0.95, 0.93, 0.87), (0.9, 0.9, 0.88), (0.86, 0.92, 0.95))
# Ink and ground of nearly one brightness, or of few shades between them.
COLOURED = (
    ((0.97, 0.83, 0.16), (0.1, 0.52, 0.55)),  # yellow on teal
    ((0.95, 0.8, 0.1), (0.96, 0.96, 0.95)),  # yellow on white
    ((0.5, 0.72, 0.92), (0.97, 0.97, 0.97)),  # light blue on white
    ((0.9, 0.35, 0.3), (0.3, 0.45, 0.75)),  # red on blue
    ((0.98, 0.6, 0.15), (0.35, 0.25, 0.5)),  # orange on violet
    ((0.1, 0.45, 0.2), (0.95, 0.75, 0.8)),  # green on pink
)
BOARDS = ((0.1, 0.12, 0.13), (0.12, 0.22, 0.17), (0.1, 0.14, 0.3), (0.25, 0.13, 0.1))
CHALKS = ((0.95, 0.95, 0.92), (0.95, 0.9, 0.55), (0.75, 0.9, 0.98))


@dataclass(frozen=True)
class Scene:
    """What a photograph is made of; lengths are parts of the picture's shorter side."""

    size: tuple[int, int]  # height, width in pixels
    part: float  # the digit's longer side
    angle: float  # degrees
    stroke: float  # factor of the stroke's width
    ink: tuple[float, float, float]
    ground: tuple[float, float, float]
    grain: float = 0.01
    dimming: float = 0.0  # how much darker the far side of the sheet is
    shadow: float = 0.0  # depth of a soft shadow
    blur: float = 0.0  # of the lens, in pixels
    quality: int | None = 85  # JPEG; None stores PNG
    lines: str | None = None  # "ruled" or "squared"
    edge: bool = False  # the sheet ends inside the picture
    alpha: bool = False
    anywhere: bool = False  # not near the middle


@dataclass(frozen=True)
class Photograph:
    """A file's bytes and the ending of its name."""

    data: bytes
    suffix: str


def photograph(digit: NDArray[np.uint8], manner: str, random: np.random.Generator) -> Photograph:
    """Return a digit, white on black 28x28, as a photograph in one of :data:`MANNERS`."""
    scene = MANNERS[manner](_any_scene(random), random)
    ink = _place(_shape(digit, scene.stroke), scene, random)
    if scene.alpha:
        return _store(np.dstack([np.broadcast_to(scene.ink, (*ink.shape, 3)), ink]), scene)
    sheet = _sheet(scene, random)
    inked = sheet * (1 - ink[..., None]) + np.array(scene.ink) * ink[..., None]
    lit = inked * _light(scene, random)[..., None]
    if scene.edge:
        lit = _on_a_table(lit, scene, random)
    if scene.blur:
        lit = ndimage.gaussian_filter(lit, (scene.blur, scene.blur, 0))
    return _store(lit + 0.008 * random.normal(size=lit.shape), scene)


def _any_scene(random: np.random.Generator) -> Scene:
    height = int(random.integers(120, 700))
    width = int(height * random.uniform(0.7, 1.4))
    return Scene(
        size=(height, width),
        part=random.uniform(0.3, 0.75),
        angle=random.uniform(-5, 5),
        stroke=random.uniform(0.85, 1.2),
        ink=_pick(list(INKS.values()), random),
        ground=_pick(PAPERS, random),
        grain=random.uniform(0.004, 0.02),
        dimming=random.uniform(0, 0.35),
        shadow=random.uniform(0, 0.3) if random.random() < 0.4 else 0.0,
        blur=random.uniform(0, height / 500),
        quality=int(random.integers(60, 95)) if random.random() < 0.7 else None,
    )


def _pick(choices, random: np.random.Generator):  # type: ignore[no-untyped-def]
    return choices[int(random.integers(len(choices)))]


def _coloured(scene: Scene, random: np.random.Generator) -> Scene:
    ink, ground = _pick(COLOURED, random)
    return replace(scene, ink=ink, ground=ground, dimming=scene.dimming / 2)


def _light_on_dark(scene: Scene, random: np.random.Generator) -> Scene:
    return replace(scene, ink=_pick(CHALKS, random), ground=_pick(BOARDS, random))


def _shaded(scene: Scene, random: np.random.Generator) -> Scene:
    return replace(scene, dimming=random.uniform(0.4, 0.65), shadow=random.uniform(0.25, 0.45))


def _tiny(scene: Scene, random: np.random.Generator) -> Scene:
    side = int(random.integers(40, 80))
    return replace(scene, size=(side, side), part=random.uniform(0.45, 0.8), blur=0.3)


def _huge(scene: Scene, random: np.random.Generator) -> Scene:
    return replace(scene, size=(int(random.integers(900, 1500)), int(random.integers(900, 1500))))


def _off_centre(scene: Scene, random: np.random.Generator) -> Scene:
    height = int(random.integers(250, 700))
    part = random.uniform(0.12, 0.28)
    return replace(scene, size=(height, int(height * 1.3)), part=part, anywhere=True)


def _turned(scene: Scene, random: np.random.Generator) -> Scene:
    return replace(scene, angle=random.uniform(7, 12) * random.choice([-1, 1]))


def _lined(kind: str) -> Callable[[Scene, np.random.Generator], Scene]:
    def change(scene: Scene, _: np.random.Generator) -> Scene:
        height = max(scene.size[0], 200)
        return replace(scene, size=(height, max(scene.size[1], 200)), lines=kind)

    return change


def _transparent(scene: Scene, random: np.random.Generator) -> Scene:
    ink = tuple(random.uniform(0, 0.6, 3))
    return replace(scene, alpha=True, quality=None, ink=ink)


MANNERS: dict[str, Callable[[Scene, np.random.Generator], Scene]] = {
    "pen on paper": lambda scene, _: scene,
    "shading and shadow": _shaded,
    "coloured ink and ground": _coloured,
    "light on dark": _light_on_dark,
    "tiny, 40 to 80 px": _tiny,
    "huge, 900 to 1500 px": _huge,
    "small and off-centre": _off_centre,
    "turned by 7 to 12 degrees": _turned,
    "thin stroke, x0.6": lambda scene, _: replace(scene, stroke=0.6),
    "thick stroke, x1.8": lambda scene, _: replace(scene, stroke=1.8),
    "JPEG quality 40": lambda scene, _: replace(scene, quality=40),
    "ruled paper": _lined("ruled"),
    "squared paper": _lined("squared"),
    "page edge in view": lambda scene, _: replace(scene, edge=True, part=scene.part * 0.8),
    "transparent ground": _transparent,
}


def _shape(digit: NDArray[np.uint8], stroke: float) -> Array:
    """Return the signed distance to the digit's outline on the fine grid, in its own pixels."""
    smooth = ndimage.zoom(digit / 255.0, FINE, order=3, mode="grid-constant", grid_mode=True)
    inside = ndimage.gaussian_filter(smooth, 0.35 * FINE) > 0.42
    within = ndimage.distance_transform_edt(inside)
    distance = (within - ndimage.distance_transform_edt(~inside)) / FINE
    ridge = within[(within >= ndimage.maximum_filter(within, 5)) & inside]
    width = 2 * float(np.median(ridge)) / FINE
    return distance + (stroke - 1) * width / 2


def _place(shape: Array, scene: Scene, random: np.random.Generator) -> Array:
    """Return the ink's coverage of the picture, (H, W) in [0, 1]."""
    rows, columns = np.nonzero(shape > 0)
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    middle = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
    length = scene.part * min(scene.size)
    zoom = length / extent  # picture pixels for one step of the fine grid
    turn = np.deg2rad(scene.angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / zoom
    size = np.array(scene.size)
    room = size / 2 - 0.56 * length - 2  # the digit stays wholly in view
    spread = 1.0 if scene.anywhere else 0.35
    centre = size / 2 + random.uniform(-spread, spread, 2) * np.maximum(room, 0)
    fine = ndimage.affine_transform(
        shape, matrix, middle - matrix @ centre, scene.size, order=1, mode="constant", cval=-9
    )
    return np.clip(fine * FINE * zoom + 0.5, 0, 1)


def _sheet(scene: Scene, random: np.random.Generator) -> Array:
    noise = random.normal(size=scene.size)
    grain = noise + 2 * ndimage.gaussian_filter(random.normal(size=scene.size), 2.5)
    sheet = np.array(scene.ground) + scene.grain * grain[..., None]
    if scene.lines:
        sheet = _rule(sheet, scene.lines, random)
    return sheet


def _rule(sheet: Array, kind: str, random: np.random.Generator) -> Array:
    height, width = sheet.shape[:2]
    step = min(height, width) * random.uniform(0.08, 0.16)
    thick = max(min(height, width) / 400, 0.8)
    tilt = np.deg2rad(random.uniform(-4, 4))
    y, x = np.mgrid[:height, :width]
    across = (y * np.cos(tilt) + x * np.sin(tilt)) % step
    cover = np.clip(thick - abs(across - step / 2) + 0.5, 0, 1)
    if kind == "squared":
        along = (x * np.cos(tilt) - y * np.sin(tilt)) % step
        cover = np.maximum(cover, np.clip(thick - abs(along - step / 2) + 0.5, 0, 1))
    colour = np.array([(0.55, 0.68, 0.85), (0.62, 0.62, 0.62), (0.85, 0.6, 0.6)])
    part = random.uniform(0.5, 0.9) * cover[..., None]
    return sheet * (1 - part) + _pick(colour, random) * part


def _light(scene: Scene, random: np.random.Generator) -> Array:
    height, width = scene.size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    turn = random.uniform(0, 2 * np.pi)
    slope = (x * np.cos(turn) + y * np.sin(turn)) / 1.42
    light = 1 - scene.dimming * (slope + 1) / 2
    if scene.shadow:
        turn = random.uniform(0, 2 * np.pi)
        border = x * np.cos(turn) + y * np.sin(turn) - random.uniform(-0.5, 0.5)
        light = light * (1 - scene.shadow / (1 + np.exp(border / random.uniform(0.06, 0.15))))
    return light


def _on_a_table(sheet: Array, scene: Scene, random: np.random.Generator) -> Array:
    """Cut the sheet off at one or two sides, clear of the middle, and show a table there."""
    height, width = scene.size
    y, x = np.mgrid[:height, :width]
    tilt = random.uniform(-0.06, 0.06)
    inside = np.full(scene.size, np.inf)
    for side in random.permutation(4)[: random.integers(1, 3)]:
        depth = random.uniform(0.04, 0.1) * min(scene.size)
        along, across = (x, y) if side < 2 else (y, x)
        length, far = (width, height) if side < 2 else (height, width)
        distance = across if side % 2 == 0 else far - 1 - across
        inside = np.minimum(inside, distance - depth + tilt * (along - length / 2))
    wood = np.array(_pick(((0.4, 0.26, 0.16), (0.2, 0.2, 0.22), (0.55, 0.45, 0.35)), random))
    streaks = ndimage.gaussian_filter(random.normal(size=scene.size), (1, 12))
    table = wood + 0.2 * streaks[..., None]
    shade = 1 - 0.3 * np.exp(np.minimum(inside, 0) / 6)[..., None]
    cover = np.clip(inside + 0.5, 0, 1)[..., None]
    return table * shade * (1 - cover) + sheet * cover


def _store(picture: Array, scene: Scene) -> Photograph:
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    file = io.BytesIO()
    if scene.quality is None:
        image.save(file, "PNG", compress_level=1)
        return Photograph(file.getvalue(), ".png")
    image.save(file, "JPEG", quality=scene.quality)
    return Photograph(file.getvalue(), ".jpg")
