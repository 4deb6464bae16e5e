"""What pictures do to signs, and how they are brought to MNIST's size again.

Blurring, resolution and resizing treat rows and columns alike, so each is a product with a matrix
from the left and one from the right.
"""

from functools import cache
from math import pi

import torch
from torch import Tensor

from cnncli.nn.drawn.canvas import INK, PIXELS, SIDE, Dice

_EDGE = 28  # px of the result
_LONGEST = 20  # px of the result's ink
_INK_FROM = 0.3  # coverage from which a pixel belongs to the sign


def photograph(ink: Tensor, dice: Dice) -> Tensor:
    """Let happen to signs what happens to them in pictures.

    Parameters
    ----------
    ink
        float32 ``(N, SIDE, SIDE)`` in [0, 1].
    dice
        For them.

    Returns
    -------
    Tensor
        The same shape: some with a neighbour or a line beside them, some cut off, out of focus,
        of few pixels, noisy; the contrast stretched, as preparing a picture does.
    """
    ink = _fading(_beside_others(ink, dice), dice)
    focus = _blurring(dice.between(0.8, 3.6).where(dice.chance(0.35), 0.5))
    pixels = dice.whole(14, 45).where(dice.chance(0.4), SIDE)
    raster = _rasters()[dice.chance(0.7).long(), pixels]
    ink = raster @ focus @ ink @ focus.mT @ raster.mT
    grain = dice.between(0, 0.12).where(dice.chance(0.4), 0.0) * SIDE / pixels
    ink += grain[:, None, None] * (raster @ dice.normal(SIDE, SIDE) @ raster.mT)
    low = dice.between(0.2, 0.5, 1, 1)
    high = low + dice.between(0.02, 0.5, 1, 1)
    return ((ink / ink.amax((1, 2), keepdim=True) - low) / (high - low)).clamp(0, 1)


def _beside_others(ink: Tensor, dice: Dice) -> Tensor:
    """Put a piece of a sign or of a line beside some, and cut a strip off others."""
    inner = (SIDE - INK) / 2
    sign = ink.roll(1, 0).roll(SIDE - 12, 2) * (PIXELS > SIDE - 16)
    row, thick = dice.between(1, inner - 2, 1, 1), dice.between(1, 4, 1, 1)
    line = (thick / 2 - (PIXELS[:, None] - row).abs() + 0.5).clamp(0, 1)
    line = line * (dice.between(-30, 30, 1, 1) < PIXELS) * (dice.between(26, 80, 1, 1) > PIXELS)
    extra = sign.where(dice.chance(0.5, 1, 1), line) * dice.chance(0.08, 1, 1)
    lost = inner + dice.between(0, 0.13 * INK, 1, 1)
    kept = (lost.where(dice.chance(0.12, 1, 1), 0.0) < PIXELS).expand(ink.shape)
    for axis in (1, 2):
        mirrored = dice.chance(0.5, 1, 1)
        extra, kept = (each.flip(axis).where(mirrored, each) for each in (extra, kept))
    turned = dice.chance(0.5, 1, 1)
    extra, kept = (each.mT.where(turned, each) for each in (extra, kept))
    return torch.maximum(ink * kept, extra)


def _fading(ink: Tensor, dice: Dice) -> Tensor:
    """Let the ink of some get paler towards one side."""
    turn, depth = dice.between(0, 2 * pi, 1, 1), dice.between(0, 0.5, 1, 1)
    across = (PIXELS - SIDE / 2) * turn.cos() + (PIXELS[:, None] - SIDE / 2) * turn.sin()
    paler = 1 - depth * (0.5 + across / INK).clamp(0, 1)
    return ink * paler.where(dice.chance(0.2, 1, 1), 1.0)


def _blurring(sigma: Tensor) -> Tensor:
    """Return ``(N, SIDE, SIDE)``: a Gaussian of each width, in px."""
    weights = torch.exp(-((PIXELS[:, None] - PIXELS) ** 2) / (2 * sigma[:, None, None] ** 2))
    return weights / weights[:, SIDE // 2].sum(1)[:, None, None]


@cache
def _rasters() -> Tensor:
    """Return ``(2, SIDE + 1, SIDE, SIDE)``: to each number of pixels and back, blocky or smooth."""
    table = torch.zeros(2, SIDE + 1, SIDE, SIDE)
    for pixels in range(1, SIDE + 1):
        down = means(torch.arange(pixels) * SIDE / pixels, torch.tensor(SIDE / pixels))
        middles = (PIXELS * pixels / SIDE - 0.5).clamp(0, pixels - 1)
        far = (middles[:, None] - torch.arange(pixels)).abs()
        for row, up in enumerate(((far <= 0.5).float(), (1 - far).clamp(0))):
            table[row, pixels] = up / up.sum(1, keepdim=True) @ down
    return table


def means(starts: Tensor, length: Tensor) -> Tensor:
    """Return the means over spans of a row of SIDE pixels, as weights of the pixels.

    Parameters
    ----------
    starts
        float32 ``(..., M)``: where the spans begin.
    length
        float32 ``(...)``: how long each is.

    Returns
    -------
    Tensor
        float32 ``(..., M, SIDE)``.
    """
    pixel, first, long = torch.arange(SIDE), starts[..., None], length[..., None, None]
    return (torch.minimum(first + long, pixel + 1) - torch.maximum(first, pixel)).clamp(0) / long


def texture(_: Tensor, dice: Dice) -> Tensor:
    """Return blots and grain, ``(N, SIDE, SIDE)``: noise of some coarseness, cut off."""
    square = (PIXELS - SIDE / 2) ** 2
    hill = torch.exp(-(square + square[:, None]) / (2 * dice.between(5, 12, 1, 1) ** 2))
    coarse = _blurring(dice.between(1, 5))
    grain = coarse @ dice.normal(SIDE, SIDE) @ coarse.mT
    grain *= dice.between(0.1, 0.4, 1, 1) / grain.std((1, 2), keepdim=True)
    return ((hill + grain - 0.5) * 8 + 0.5).clamp(0, 1)


def normalise(ink: Tensor) -> Tensor:
    """Bring signs to MNIST's form.

    Parameters
    ----------
    ink
        float32 ``(N, SIDE, SIDE)`` in [0, 1].

    Returns
    -------
    Tensor
        uint8 ``(N, 1, 28, 28)``: the ink's longest side 20 px, its centre of mass at (14, 14) to
        half a pixel, its brightest pixel 255.
    """
    spans = [_extent((ink > _INK_FROM).any(axis)) for axis in (2, 1)]  # of rows, of columns
    scale = torch.maximum(*(end - start for start, end in spans)) / _LONGEST
    row = torch.arange(SIDE)
    for start, end in spans:
        within = (row >= start[:, None]) & (row < end[:, None])
        ink = (ink * within[..., None]).mT  # rows first, then columns
    for start, end in spans:
        ink = _fitted(ink, start, end, scale).mT
    return (ink / ink.amax((1, 2), keepdim=True) * 255).round().to(torch.uint8)[:, None]


def _extent(inked: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the ink of each sheet starts and ends, of bool ``(N, SIDE)``."""
    return inked.float().argmax(1), SIDE - inked.flip(1).float().argmax(1)


def _fitted(ink: Tensor, start: Tensor, end: Tensor, scale: Tensor) -> Tensor:
    """Return sheets whose rows from start to end are fitted around the middle of 28 rows."""
    size = ((end - start) / scale).round().clamp(min=1)
    step = (end - start) / size  # rows of the sheet for one of the result
    row = torch.arange(_LONGEST)
    fitted = means(start[:, None] + step[:, None] * row, step) @ ink
    fitted *= (row < size[:, None])[..., None]
    mass = fitted.sum(2)
    centre = (mass * (row + 0.5)).sum(1) / mass.sum(1)
    offset = torch.minimum((_EDGE / 2 - centre).round().clamp(min=0), _EDGE - size)
    return (torch.arange(_EDGE)[:, None] == row + offset[:, None, None]).float() @ fitted
