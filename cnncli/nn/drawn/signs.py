"""Digits, and signs that are none, drawn by this project: as many as wanted, none twice."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from cnncli.nn.drawn.canvas import SIDE, Dice
from cnncli.nn.drawn.pen import skeletons, write
from cnncli.nn.drawn.printed import SIGNS, display, print_signs
from cnncli.nn.drawn.seen import normalise, photograph, texture

VERSION = 5  # grows with every change of what a seed draws
_AT_ONCE = 2048  # signs of one part
_IN_CACHE = 128  # sheets that a core's cache holds

Maker = Callable[[Tensor, Dice], Tensor]  # from what is wanted to sheets


def draw_digits(labels: Tensor, seed: int) -> Tensor:
    """Draw digits as pens, printers and displays do, and as pictures show them.

    Parameters
    ----------
    labels
        int64 ``(N,)``: which.
    seed
        Decides everything else.

    Returns
    -------
    Tensor
        uint8 ``(N, 1, 28, 28)``, normalised as MNIST is.
    """
    return _drawn(labels, seed, {_write_digits: 0.55, print_signs: 0.28, display: 0.17})


def draw_others(count: int, seed: int) -> Tensor:
    """Draw what is no digit: letters, shapes, two signs at once, textures.

    Letters that people write as they write a digit (O, I, Z, S, b, q and such) are left out.

    Parameters
    ----------
    count
        How many.
    seed
        Decides everything.

    Returns
    -------
    Tensor
        uint8 ``(count, 1, 28, 28)``, normalised as digits are.
    """
    letters = torch.arange(count) % (len(SIGNS) - 10) + 10
    return _drawn(
        letters, seed, {_write_others: 0.45, print_signs: 0.25, _tangle: 0.15, texture: 0.15}
    )


def _drawn(wanted: Tensor, seed: int, shares: Mapping[Maker, float]) -> Tensor:
    """Draw parts side by side, each with dice of its own: the number of cores changes nothing."""

    def part(number: int) -> Tensor:
        dice = Dice(torch.Generator().manual_seed((seed * 100_003 + number) % 2**63), 0)
        some = wanted[number * _AT_ONCE : (number + 1) * _AT_ONCE]
        sheets = torch.empty(len(some), SIDE, SIDE)
        chances = torch.tensor(list(shares.values()))
        maker = torch.multinomial(chances, len(some), replacement=True, generator=dice.generator)
        for position, make in enumerate(shares):
            rows = torch.nonzero(maker == position).flatten()
            if len(rows):
                sheets[rows] = make(some[rows], dice.of(len(rows)))
        starts = range(0, len(some), _IN_CACHE)
        few = (sheets[start : start + _IN_CACHE] for start in starts)
        return torch.cat([normalise(photograph(each, dice.of(len(each)))) for each in few])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what is this small is not shared out
    try:
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            return torch.cat(list(workers.map(part, range(-(-len(wanted) // _AT_ONCE)))))
    finally:
        torch.set_num_threads(threads)


def _write_digits(digits: Tensor, dice: Dice) -> Tensor:
    signs = [each.sign for each in skeletons()]
    counts = torch.tensor([signs.count(str(digit)) for digit in range(10)])[digits]
    firsts = torch.tensor([signs.index(str(digit)) for digit in range(10)])[digits]
    return write(firsts + (dice.between(0, 1) * counts).long(), dice)


def _write_others(_: Tensor, dice: Dice) -> Tensor:
    digits = sum(each.sign.isdigit() for each in skeletons())  # they come first
    return write(dice.whole(digits, len(skeletons())), dice)


def _tangle(_: Tensor, dice: Dice) -> Tensor:
    """Return two signs across each other."""
    first, second = (write(dice.whole(0, len(skeletons())), dice) for _ in range(2))
    return torch.maximum(first.roll(SIDE // 7, 2), second.roll(SIDE // 7, 1))
