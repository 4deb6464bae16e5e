"""A number: several digits beside each other, split and put in order from left to right."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.ground import Array
from cnncli.preprocess.locate import KEPT, Located, locate, mean_ink
from cnncli.preprocess.objects import Mask, Objects, find_objects

SMALLEST = 0.25  # of the tallest object's height: what is smaller is a speck or a part
OVERLAP = 0.4  # of the narrower one's width: objects one above the other are one digit
PART = (
    0.5  # of the tallest object's height: what is lower is a part, and overlaps if it does at all
)
PART_OVERLAP = 0.12
WIDEST = 1.35  # of its height: a wider object is two digits that touch
USUAL = 0.75  # width of a digit that touches another, as a part of its height


def locate_number(image: Array) -> list[Located]:
    """Find the digits of a number.

    Parameters
    ----------
    image
        ``(H, W, C)`` in [0, 1].

    Returns
    -------
    list of Located
        From left to right; empty where the picture is blank. Objects that reach the edge are left
        out, detached parts above each other belong together, and an object much wider than high
        is cut where its ink is thinnest.
    """
    found = locate(image)
    if found is None:
        return []
    objects = find_objects((found.ink > KEPT * found.level) | found.mask)
    written = _written(objects, found)
    heights = objects.boxes[:, 2] - objects.boxes[:, 0]
    low = PART * heights[written].max(initial=0)
    groups = _grouped(objects, written, heights < low)
    masks = [piece for group in groups for piece in _cut(objects.mask(group), low)]
    masks.sort(key=lambda mask: float(np.flatnonzero(mask.any(axis=0)).mean()))
    return [_located(mask, found) for mask in masks] or [found]


def _located(mask: Mask, found: Located) -> Located:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    return replace(found, mask=mask, box=box, others=0, touches=False)


def _written(objects: Objects, found: Located) -> Mask:
    """Return which objects are of the found digit's ink, inside the picture, and not too small."""
    alike = (mean_ink(objects, found.ink) > 0.6 * found.level) & ~objects.touches_edge()
    if not alike.any():
        return alike
    heights = objects.boxes[:, 2] - objects.boxes[:, 0]
    widths = objects.boxes[:, 3] - objects.boxes[:, 1]
    tallest = heights[alike].max()
    written: Mask = alike & (np.maximum(heights, widths) >= SMALLEST * tallest)
    return written


def _grouped(objects: Objects, written: Mask, parts: Mask) -> list[NDArray[np.bool_]]:
    """Return the objects of each digit: those that lie above each other, and their parts."""
    groups: list[tuple[int, int, list[int]]] = []
    for number in sorted(np.flatnonzero(written).tolist(), key=lambda k: int(objects.boxes[k, 1])):
        _, left, _, right = objects.boxes[number].tolist()
        if groups:
            start, stop, members = groups[-1]
            common = min(stop, right) - max(start, left)
            part = parts[number] or parts[members].all()
            least = PART_OVERLAP if part else OVERLAP
            if common >= least * min(stop - start, right - left):
                groups[-1] = min(start, left), max(stop, right), [*members, number]
                continue
        groups.append((left, right, [number]))
    count = len(objects.areas)
    return [np.isin(np.arange(count), members) for _, _, members in groups]


def _cut(mask: Mask, low: float) -> list[Mask]:
    """Return the digits of one object: cut at its thinnest columns if it is too wide for one.

    An object that is lower than `low` is a dash, and stays whole.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    if width <= WIDEST * height or height < low:
        return [mask]
    pieces = max(round(width / (USUAL * height)), 2)
    ink = mask.sum(axis=0)
    cuts = [int(columns[0])]
    for piece in range(1, pieces):
        middle = columns[0] + width * piece / pieces
        reach = width / pieces / 3
        around = np.arange(int(middle - reach), int(middle + reach) + 1)
        penalty = abs(around - middle) / reach  # of two equally thin places, the middle one
        cuts.append(int(around[np.argmin(ink[around] + penalty)]))
    cuts.append(int(columns[-1]) + 1)
    place = np.arange(mask.shape[1])
    parts = [mask & (place >= a) & (place < b) for a, b in pairwise(cuts)]
    return [part for part in parts if part.any()]
