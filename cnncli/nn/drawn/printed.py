"""Signs as machines show them: printed in the fonts that matplotlib brings, and on displays."""

from functools import cache
from math import ceil

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.ft2font import FT2Font
from torch import Tensor
from torch.nn import functional

from cnncli.nn.augmentation import warp
from cnncli.nn.drawn.canvas import INK, PIXELS, SIDE, Dice

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *(f"cm{style}10" for style in ("r", "b", "ss", "tt", "ti")),
)
SIGNS = "0123456789AEFHKLMNPRTUVWXYadefhkmnrtuvwxy?%#&@=+*"  # the digits first
WEIGHTS = (-0.7, 0.0, 0.8, 1.6, 2.4)  # px that are added to a stroke on each side
MAKES = 100  # of displays in one batch

# Segments a to g, as (x, y, whether it stands) of their middle in a box 2 wide and 4 high; those
# of each digit; and of digits that other displays show without a tail, or with a hook.
_SEGMENTS = ((1, 0, 0), (2, 1, 1), (2, 3, 1), (1, 4, 0), (0, 3, 1), (0, 1, 1), (1, 2, 0))
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgcde", "abc", "abcdefg", "abcdfg")
_LIT_ELSEWHERE = {6: "fgcde", 7: "abcf", 9: "abcfg"}


@cache
def glyphs() -> Tensor:
    """Return all signs in every font and weight, ``(fonts, weights, signs, SIDE, SIDE)``."""
    sheets = torch.zeros(len(FONTS), len(SIGNS), SIDE, SIDE)
    for row, name in enumerate(FONTS):
        font = FT2Font(f"{mpl.get_data_path()}/fonts/ttf/{name}.ttf")
        font.set_size(INK / 0.73, 72)  # digits are 0.62 to 0.76 of a size high
        for column, sign in enumerate(SIGNS):
            font.set_text(sign)
            font.draw_glyphs_to_bitmap(antialiased=True)
            ink = torch.from_numpy(np.array(font.get_image())[:SIDE, :SIDE] / 255)
            top, left = ((SIDE - edge) // 2 for edge in ink.shape)
            sheets[row, column, top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return torch.stack([_with_weight(sheets, pixels) for pixels in WEIGHTS], 1)


def _with_weight(ink: Tensor, pixels: float) -> Tensor:
    """Return strokes that are wider, or less wide, by some pixels on each side."""
    sign = 1 if pixels > 0 else -1
    for step in range(ceil(abs(pixels))):
        moved = sign * functional.max_pool2d(sign * ink, 3, 1, 1)
        ink = torch.lerp(ink, moved, min(abs(pixels) - step, 1))
    return ink


def print_signs(which: Tensor, dice: Dice) -> Tensor:
    """Print signs.

    Parameters
    ----------
    which
        int64 ``(N,)``: positions in `SIGNS`.
    dice
        For them.

    Returns
    -------
    Tensor
        float32 ``(N, SIDE, SIDE)`` in [0, 1].
    """
    ink = glyphs()[dice.whole(0, len(FONTS)), dice.whole(0, len(WEIGHTS)), which]
    return _reshaped(ink, dice.between(0.5, 1.15), dice.between(-0.15, 0.15), dice)


def _reshaped(ink: Tensor, width: Tensor, slant: Tensor, dice: Dice) -> Tensor:
    turn, still = dice.between(-0.07, 0.07), torch.zeros(dice.count)
    rows = [1 / width, slant - turn, still, turn, still + 1, still]
    return warp(ink[:, None], torch.stack(rows, 1).view(-1, 2, 3))[:, 0]


def display(digits: Tensor, dice: Dice) -> Tensor:
    """Show digits on displays of seven segments, in which others may glow faintly.

    Parameters
    ----------
    digits
        int64 ``(N,)``.
    dice
        For them.

    Returns
    -------
    Tensor
        float32 ``(N, SIDE, SIDE)`` in [0, 1].
    """
    elsewhere = [_LIT_ELSEWHERE.get(digit, lit) for digit, lit in enumerate(_LIT)]
    lit = torch.tensor([[float(name in lit) for name in "abcdefg"] for lit in (*_LIT, *elsewhere)])
    faint = dice.between(0, 0.22, 1).where(dice.chance(0.3, 1), 0.0)
    glow = torch.maximum(lit[digits + 10 * dice.chance(0.3)], faint)[..., None, None]
    segments = _segments(dice.of(MAKES))[dice.whole(0, MAKES)]
    ink = (segments * glow).amax(1)
    return _reshaped(ink, torch.ones(dice.count), dice.between(-0.05, 0.3), dice)


def _segments(dice: Dice) -> Tensor:
    """Return the seven segments of displays, each of another make, ``(N, 7, SIDE, SIDE)``."""
    thick, gap = dice.between(3, 7.5, 1, 1, 1), dice.between(-1.5, 1.8, 1, 1, 1)
    mitre = dice.between(0, 0.7, 1, 1, 1)  # 0: ends are square, 1: pointed
    high = (INK - thick) / 4
    wide = high * dice.between(0.65, 1.25, 1, 1, 1)
    x, y, upright = torch.tensor(_SEGMENTS).T[:, :, None, None]
    right = PIXELS - SIDE / 2 - (x - 1) * wide
    down = (PIXELS - SIDE / 2)[:, None] - (y - 2) * high
    along = torch.where(upright > 0, down, right).abs()
    beside = torch.where(upright > 0, right, down).abs()
    length = torch.where(upright > 0, high, wide) - gap + (1 - mitre) * thick / 4
    return (torch.minimum(thick / 2 - beside, length - along - mitre * beside) + 0.5).clamp(0, 1)
