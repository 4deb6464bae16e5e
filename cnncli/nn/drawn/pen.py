"""Signs drawn with a pen: paths that people write, each drawn another way every time."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil, dist, pi

import torch
from torch import Tensor

from cnncli.nn.drawn.canvas import INK, PIXELS, SIDE, Dice

_SHARPNESS = 0.5  # per px²: the ink of a point falls off as exp(-sharpness * distance²)
_STEP = 1.2  # px between two points of a path
_AT_ONCE = 64  # signs whose arrays a core's cache holds


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One way to write a sign.

    Parameters
    ----------
    sign, variant
        What it is called: ``"7"``, ``"crossed"``.
    points
        float32 ``(K, 2)``: where the pen goes through, x and y from -0.5 to 0.5, y down.
    curve
        float32 ``(P, K)``: points along the path, as weights of those.
    steps
        float32 ``(P, K)``: the way from half a step before each to half a step after it.
    """

    sign: str
    variant: str
    points: Tensor
    curve: Tensor
    steps: Tensor


@cache
def skeletons() -> tuple[Skeleton, ...]:
    """Return all ways to write all signs, from ``skeletons.txt``."""
    text = (files("cnncli.nn.drawn") / "skeletons.txt").read_text("utf-8")
    return tuple(_skeleton(line) for line in text.splitlines() if not line.startswith("# "))


def _skeleton(line: str) -> Skeleton:
    name, path = line.split(": ")
    sign, variant = name.split()
    points, pieces, piece = list[list[float]](), list[list[int]](), list[int]()
    for word in [*path.split(), "|"]:
        if word != "|":
            piece.append(len(points))
            points.append([float(value) / 100 - 0.5 for value in word.rstrip("!").split(",")])
        if word.endswith(("!", "|")):  # a smooth curve ends here, and the next one begins
            pieces.append([*piece[:1], *piece, *piece[-1:]])
            piece = piece[-1:] if word != "|" else []
    spans = [piece[i : i + 4] for piece in pieces for i in range(len(piece) - 3)]
    curve, steps = zip(*(_span(span, points) for span in spans), strict=True)
    return Skeleton(sign, variant, torch.tensor(points), torch.cat(curve), torch.cat(steps))


def _span(span: list[int], points: list[list[float]]) -> tuple[Tensor, Tensor]:
    """Return the curve from the second of four points to the third (Catmull, Rom 1974)."""
    count = ceil(dist(points[span[1]], points[span[2]]) * INK / _STEP)

    def weights(t: Tensor) -> Tensor:
        basis = [2 * t**2 - t - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
        where = torch.tensor(span)
        return torch.zeros(len(t), len(points)).index_add_(1, where, torch.stack(basis, 1) / 2)

    edges = torch.linspace(0, 1, count + 1)
    return weights((edges[1:] + edges[:-1]) / 2), weights(edges).diff(dim=0)


def write(which: Tensor, dice: Dice) -> Tensor:
    """Write signs with a pen.

    Parameters
    ----------
    which
        int64 ``(N,)``: positions in :func:`skeletons`.
    dice
        For them.

    Returns
    -------
    Tensor
        float32 ``(N, SIDE, SIDE)`` in [0, 1]: what the ink covers.
    """
    sheets = torch.empty(len(which), SIDE, SIDE)
    for kind in torch.unique(which).tolist():
        rows = torch.nonzero(which == kind).flatten()
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            sheets[part] = _written(skeletons()[kind], dice.of(len(part)))
    return sheets


def _written(skeleton: Skeleton, dice: Dice) -> Tensor:
    # Narrow squares are left out, as a display's 0 is one; narrow 7s are 1s.
    narrowest = {"shape": 0.75}.get(skeleton.variant, 0.5 if skeleton.sign == "7" else 0.32)
    aspect = dice.between(narrowest, 1.05, 1)
    shaking = dice.between(0, 0.05, 1, 1) * dice.normal(*skeleton.points.shape)
    points = (skeleton.points + shaking) @ _handwriting(aspect[:, 0], dice)
    path, steps = skeleton.curve @ points, (skeleton.steps @ points).norm(dim=2)
    low, high = path.amin(1, keepdim=True), path.amax(1, keepdim=True)
    # Wide pens fill loops and tents, of which most 1s have none.
    bare = skeleton.sign == "1" and not skeleton.variant.startswith(("tent", "cursive"))
    widest = 10 if bare else 5.5 * aspect + 1.4
    width = 1.6 + widest * dice.between(0, 1, 1)  # px
    scale = (INK - width[:, None]) / (high - low).amax(2, keepdim=True)
    path = (path - (low + high) / 2) * scale + SIDE / 2
    phase = torch.linspace(0, 2 * pi, path.shape[1]) * dice.between(0.5, 2, 1)
    pressure = 1 + dice.between(0, 0.25, 1) * (phase + dice.between(0, 6, 1)).sin()
    broad = dice.between(0.75, 1.3).where(dice.chance(0.35), 1.0)  # of the pen, in x
    nib = torch.stack([broad, 1 / broad], 1)
    return draw(path, steps * scale[:, 0], width / 2 * pressure, nib)


def _handwriting(aspect: Tensor, dice: Dice) -> Tensor:
    """Return ``(N, 2, 2)``: narrow or wide, slanted, turned by up to 12 degrees."""
    turn, slant = dice.between(-0.2, 0.2), dice.between(-0.6, 0.2)
    shape = torch.stack([aspect, 0 * aspect, slant, 1 + 0 * aspect], 1)
    rotation = torch.stack([turn.cos(), turn.sin(), -turn.sin(), turn.cos()], 1)
    return shape.view(-1, 2, 2) @ rotation.view(-1, 2, 2)


def draw(path: Tensor, steps: Tensor, radius: Tensor, nib: Tensor) -> Tensor:
    """Return what a pen covers that goes along a path.

    Ink of a point is ``exp(radius² - distance²)``, so that the sum along a straight line is a
    function of the distance from it, and one product of matrices draws a sign.

    Parameters
    ----------
    path
        float32 ``(N, P, 2)``, in px.
    steps
        float32 ``(N, P)``: length of the path that each point stands for, in px.
    radius
        float32 ``(N, P)``, in px.
    nib
        float32 ``(N, 2)``: what the radius is multiplied with in x and y.

    Returns
    -------
    Tensor
        float32 ``(N, SIDE, SIDE)`` in [0, 1].
    """
    far = (PIXELS - path[..., None]) / nib[:, None, :, None]  # (N, P, 2, SIDE)
    across, down = torch.exp(-_SHARPNESS * far**2).unbind(2)
    weight = steps.clamp(min=0.05) * torch.exp(_SHARPNESS * radius**2)
    total = (down * weight[..., None]).mT @ across  # (N, SIDE, SIDE)
    depth = torch.log(total * (_SHARPNESS / pi) ** 0.5 + 1e-30) / (2 * _SHARPNESS)
    return (0.5 + depth / radius.mean(1)[:, None, None]).clamp(0, 1)
