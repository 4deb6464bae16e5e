"""A number: cut between its digits in all ways that may be right, for the network to choose from.

Cuts are paths from top to bottom through little ink: between digits, through what joins them, and
through digits that were better left whole. Whatever lies between two cuts may be a digit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.digit import prepared, read_digit, working_image
from cnncli.preprocess.locate import HUGGING, Candidate, hull, locate, search_grid
from cnncli.preprocess.normalise import already_normal, linear
from cnncli.preprocess.objects import Array, Mask, Objects, label_components
from cnncli.preprocess.prepared import Prepared
from cnncli.preprocess.stroke import change_width

# What may be digits, by the numbers of the cuts between which each lies: a way to read a number
# goes from cut 0 to the last one.
Pieces = dict[tuple[int, int], Prepared]
Cuts = list[float]  # ink that each goes through, against the digits' height

WORKING_SIDE = 600  # pixels, to twice as many: a number is wider than a digit
LONGEST = 288  # pixels of the longer side of the grid that is searched
PALEST, STRONGEST = 0.25, 0.6  # ink's coverage: all of an object, and some of it
CLEAR_OF_NOISE = 3  # standard deviations of the grain: ink is that far from it
LARGE = 0.3  # of the largest object's size: what is smaller does not tell the digits' height
SMALLEST = 0.1  # of the digits' height: what is smaller is a speck
POINT = (0.05, 0.3)  # size of a decimal point, against the digits' height
DISPLAY = 0.55  # of the digits' height: what is lower on average are a display's segments
GAP = 0.08  # of the digits' height: between two segments
SHARP = 3.0  # power of ink for cuts: what joins two digits is often paler than they are
ASIDE = 0.3  # of a pixel full of ink: what a step to the side costs a path
APART = 0.12  # of the digits' height, at least, between two cuts
THICKEST_CUT = 0.6  # of their height: no cut goes through more ink
WIDEST, LOWEST = 1.35, 0.5  # sizes of a digit, against their height
# What speaks against a piece being one digit, and how much, against 1 for the network's logarithm
# of odds that it is none. Fitted by benchmarks/number_weights.py.
AGAINST = {
    "digit": 2.2,  # each one
    "wide": 6.0,  # its width beyond USUAL of the height
    "low": 2.5,  # what it lacks of the height
    "cut": 2.8,  # the ink that was cut
    "gap": 1.2,  # being left together where a cut goes through less than OPEN
}
USUAL, OPEN = 0.8, 0.1


@dataclass(frozen=True, slots=True)
class Number:
    """What may be the digits of a number.

    Parameters
    ----------
    pieces
        All pieces that may be digits.
    marks
        Decimal points, commas and minus signs: the column of the picture, and the character.
    """

    pieces: Pieces
    marks: tuple[tuple[float, str], ...] = ()


def read_number(colours: NDArray[np.uint8], height: int, width: int) -> Number:
    """Cut a number in all ways that may be right, each piece as :func:`read_digit` shows one.

    A picture that is one normalised digit already, or that is blank, gives one.
    """
    image = working_image(colours, WORKING_SIDE)
    normal = already_normal(colours, height, width) is not None
    found = [] if normal else locate(search_grid(image, LONGEST))
    if not found:
        return Number({(0, 1): next(read_digit(colours, height, width))})
    best = found[0]
    ink, level = best.reading.ink, best.level
    cover = np.clip(linear(ink, level, best.reading.axis), 0, 1)
    cover *= ink > CLEAR_OF_NOISE * best.reading.noise
    for least in (STRONGEST, PALEST):
        (objects,) = label_components((cover > least)[np.newaxis])
        written = objects.sums(cover > STRONGEST) > 0
        written &= objects.edges <= HUGGING * objects.outlines
        if not written.any():
            objects, written = best.objects, best.own
        top, tall, display = _line(objects, written)
        if display:  # a point is close to the segments: what is pale would join them
            break
    written &= objects.longest >= POINT[0] * tall
    marks = _marks(objects.boxes[written], top, tall)
    digits = written & (objects.longest >= SMALLEST * tall)
    digits[np.flatnonzero(written)[list(marks)]] = False
    mask = objects.mask(digits) if digits.any() else best.mask
    cover *= mask
    if display:
        cover = change_width(cover, GAP * tall)
    pieces = list(_pieces(mask, cover, tall, OPEN if display else THICKEST_CUT))
    wholes = label_components(np.array([each[1] for each in pieces]), apart=False)
    middles = objects.boxes[written][:, [1, 3]].mean(axis=1) * colours.shape[1] / cover.shape[1]

    def shown(whole: Objects, features: NDArray[np.float64]) -> Prepared:
        evidence = -float(features @ list(AGAINST.values()))
        own = np.ones(1, bool), hull(whole.boxes), best.level
        one = Candidate(best.reading, whole, *own, features, evidence, inf)
        return prepared(image, one, colours.shape[:2], (height, width))

    return Number(
        {
            ends: shown(whole, features)
            for (ends, _, features), whole in zip(pieces, wholes, strict=True)
        },
        tuple((float(middles[number]), mark) for number, mark in marks.items()),
    )


def _line(objects: Objects, written: Mask) -> tuple[int, int, bool]:
    """Return the top and the height of digits, and whether they are a display's segments."""
    large = written & (objects.longest >= LARGE * objects.longest[written].max())
    top, _, bottom, _ = hull(objects.boxes[large])
    low = np.ptp(objects.boxes[large][:, [0, 2]], axis=1).mean() < DISPLAY * (bottom - top)
    return top, bottom - top, bool(low)


def _marks(boxes: NDArray[np.intp], top: int, tall: int) -> dict[int, str]:
    """Return which of some objects are marks: points, commas, minus signs with nothing near."""
    found = {}
    for number, (start, left, stop, right) in enumerate(boxes.tolist()):
        mark = _mark((start - top) / tall, (stop - top) / tall, (right - left) / tall)
        reach = GAP * tall
        near = (boxes[:, 1] < right + reach) & (boxes[:, 3] > left - reach)
        if mark and (mark != "-" or near.sum() == 1):
            found[number] = mark
    return found


def _mark(start: float, stop: float, wide: float) -> str:
    """Return what a small object is, placed from 0, the digits' top, to 1, their bottom."""
    high = stop - start
    if POINT[0] <= max(high, wide) <= POINT[1] and start > 0.7 and stop < 1.3:
        return "," if high > 1.4 * wide and stop > 1.06 else "." if wide < 1.8 * high else ""
    if wide > 1.8 * high and 0.15 <= wide <= 0.8 and start > 0.3 and stop < 0.75:
        return "-"
    return ""


def _pieces(
    written: Mask, cover: Array, tall: int, thickest: float
) -> Iterator[tuple[tuple[int, int], Mask, NDArray[np.float64]]]:
    """Yield what may be digits: its two cuts, its pixels, and what speaks against it.

    Parameters
    ----------
    written
        ``(h, w)``: the digits' pixels.
    cover
        ``(h, w)`` in [0, 1]: the ink that is in a cut's way.
    tall
        Their height.
    thickest
        Of it: no cut goes through more ink.
    """
    places, cuts = _cut(written, cover**SHARP, tall, thickest)
    last = len(cuts) - 1
    for first, second in combinations(range(last + 1), 2):
        mask = (places >= first) & (places < second)
        high, wide = (np.ptp(np.flatnonzero(mask.any(axis=axis))) / tall for axis in (1, 0))
        if second - first == last or (wide <= WIDEST and high >= LOWEST):
            gap = max(1 - min([OPEN, *cuts[first + 1 : second]]) / OPEN, 0)
            signs = 1, max(wide - USUAL, 0), max(1 - high, 0), cuts[second], gap
            yield (first, second), mask, np.array(signs)


def _cut(written: Mask, ink: Array, tall: int, thickest: float) -> tuple[NDArray[np.intp], Cuts]:
    """Return between which cuts each pixel of ink lies, -1 where there is none, and the cuts."""
    middle = len(ink) // 2
    above, up = _paths(ink[:middle][::-1])
    below, down = _paths(ink[middle + 1 :])
    through = (above + below + ink[middle]) / tall
    paths = np.concatenate([up[::-1], np.arange(ink.shape[1])[np.newaxis], down])
    chosen: list[int] = []
    for column in np.argsort(through, kind="stable").tolist():
        if through[column] > thickest:
            break
        if all(abs(column - other) >= APART * tall for other in chosen):
            chosen.append(column)
    chosen.sort()
    columns = np.arange(ink.shape[1])
    left_of = sum((columns > paths[:, [cut]] for cut in chosen), np.zeros(ink.shape, np.intp))
    kept, numbers = np.unique(left_of[written], return_inverse=True)
    places = np.full(ink.shape, -1)
    places[written] = numbers
    between = [through[chosen[a:b]].min() for a, b in pairwise(kept)]
    return places, [0.0, *map(float, between), 0.0]


def _paths(ink: Array) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return how much ink the best path down from each column goes through, and its columns."""
    cost = np.zeros(ink.shape[1])
    steps = []
    for row in ink[::-1]:
        padded = np.pad(cost + row, 1, constant_values=inf)
        ways = np.stack([padded[:-2] + ASIDE, padded[1:-1], padded[2:] + ASIDE])
        steps.append(ways.argmin(axis=0) - 1)
        cost = ways.min(axis=0)
    paths, place = np.empty(ink.shape, np.intp), np.arange(ink.shape[1])
    for row, step in enumerate(steps[::-1]):
        place = place + step[place]
        paths[row] = place
    return cost, paths
