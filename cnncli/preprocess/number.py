"""A number: several digits beside each other, split and put in order from left to right."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.digit import prepared, read_digit, working_image
from cnncli.preprocess.locate import Candidate, hull, locate, search_grid
from cnncli.preprocess.normalise import already_normal
from cnncli.preprocess.objects import Mask, Objects, label_components
from cnncli.preprocess.prepared import Prepared
from cnncli.preprocess.stroke import change_width

# Pictures of one object and its pieces, by the numbers of the cuts between which each lies: a way
# to read it goes from cut 0 to the last one.
Pieces = dict[tuple[int, int], tuple[Prepared, ...]]

WORKING_SIDE = 600  # pixels, to twice as many: a number is wider than a digit
LONGEST = 288  # pixels of the longer side of the grid that is searched
SMALLEST = 0.25  # of the tallest object's height: what is smaller is a mark, a speck or a part
OVERLAP = 0.4  # of the narrower one's width: objects one above the other are one digit
PART = 0.5  # of the tallest object's height: what is lower is a part, and overlaps if at all
PART_OVERLAP = 0.12
DISPLAY = 0.7  # of the height of all: objects that are lower on average are a display's segments
GAP = 0.08  # of their height: between two segments of one digit
SLANTS = (0.0, 0.3, 0.6)  # columns for a row: cuts that lean to the right, as writing does
NARROWEST, WIDEST = 0.2, 1.25  # width of a digit that touches another, against its height
SURELY_ONE = 0.85  # of its height: a narrower object is one digit
USUAL = 0.8  # width of a digit against its height, beyond which it is less and less likely
WIDE = 10.0  # by so many logarithms of odds for each height
APART = 0.15  # of its height, at least, between two cuts
THICKEST_CUT = 0.5  # of its height: no cut goes through more ink
POINT = (0.05, 0.3)  # size of a decimal point, against the digits' height


@dataclass(frozen=True, slots=True)
class Number:
    """The parts of a number, from left to right.

    Parameters
    ----------
    objects
        For each object, all pieces that may be digits.
    marks
        Decimal points, commas and minus signs: how many of the objects stand before each, and
        the character.
    """

    objects: list[Pieces]
    marks: tuple[tuple[int, str], ...] = ()

    def parts(self) -> list[Prepared]:
        """Return every picture that may be a digit."""
        return [part for pieces in self.objects for parts in pieces.values() for part in parts]


def read_number(colours: NDArray[np.uint8], height: int, width: int) -> Number:
    """Find the digits of a number, each as :func:`read_digit` finds one.

    A picture that is one normalised digit already, or that is blank, gives one.
    """
    image = working_image(colours, WORKING_SIDE)
    found = (
        []
        if already_normal(colours, height, width) is not None
        else locate(search_grid(image, LONGEST))
    )
    if not found:
        return Number([{(0, 1): tuple(read_digit(colours, height, width)[:1])}])
    best = found[0]
    groups, marks = _split(best)

    def shown(mask: Mask) -> tuple[Prepared, ...]:
        found = _only(best, mask)
        return (prepared(image, found, colours.shape[:2], (height, width)),)

    objects = [{ends: shown(part) for ends, part in _pieces(mask)} for mask in groups]
    return Number(objects, marks)


def _only(best: Candidate, mask: Mask) -> Candidate:
    """Return the candidate whose digit is `mask`."""
    objects = label_components(mask)
    own = np.ones(len(objects.areas), bool)
    top, left, bottom, right = box = hull(objects.boxes)
    evidence = -WIDE * max((right - left) / (bottom - top) - USUAL, 0)
    return replace(best, objects=objects, own=own, box=box, evidence=evidence, clear=inf)


def _split(best: Candidate) -> tuple[list[Mask], tuple[tuple[int, str], ...]]:
    """Return the pixels of each object that is a digit or several that touch, and the marks."""
    objects = _joined(best)
    alike = best.alike(objects)
    if not alike.any():
        return [best.mask], ()
    sizes = objects.boxes[:, 2:] - objects.boxes[:, :2]
    tallest = int(sizes[alike, 0].max())
    written = alike & (sizes.max(axis=1) >= SMALLEST * tallest) & ~_is_bar(sizes, tallest)
    if not written.any():
        return [best.mask], ()
    low = PART * tallest
    groups = _grouped(objects, written, sizes[:, 0] < low)
    groups = [g for g in groups if np.ptp(objects.boxes[g][:, [0, 2]]) >= low] or groups
    groups.sort(key=lambda group: float(objects.boxes[group][:, [1, 3]].mean()))
    return [objects.mask(group) for group in groups], _marks(objects, alike & ~written, groups)


def _joined(best: Candidate) -> Objects:
    """Return the objects; those of a display are joined where segments nearly touch."""
    objects = best.objects
    sizes = objects.boxes[:, 2:] - objects.boxes[:, :2]
    alike = best.alike(objects)
    if not alike.any():
        return objects
    box = hull(objects.boxes[alike])
    whole = box[2] - box[0]
    if np.average(sizes[alike, 0], weights=objects.areas[alike]) > DISPLAY * whole:
        return objects
    bars = alike & (sizes.max(axis=1) > POINT[1] * whole)
    mask, reach = objects.mask(bars), round(GAP * whole / 2)
    near = label_components(change_width(mask.astype(np.float32), 2 * reach) > 0)
    points = objects.mask(alike & ~bars)
    small = label_components(points)
    labels = np.where(mask, near.labels, -1)
    return Objects(
        np.where(points, len(near.areas) + small.labels, labels),
        np.concatenate([near.boxes + np.array([reach, reach, -reach, -reach]), small.boxes]),
        np.concatenate([np.bincount(labels[mask], minlength=len(near.areas)), small.areas]),
    )


def _is_bar(sizes: NDArray[np.intp], tallest: int) -> Mask:
    """Tell which objects are no digit but a dash: low, and much wider than high."""
    return (sizes[:, 0] < SMALLEST * tallest) & (sizes[:, 1] > 1.5 * sizes[:, 0])


def _grouped(objects: Objects, written: Mask, parts: Mask) -> list[Mask]:
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
    return [np.isin(np.arange(len(objects.areas)), members) for _, _, members in groups]


def _marks(objects: Objects, small: Mask, groups: list[Mask]) -> tuple[tuple[int, str], ...]:
    """Return points, commas and minus signs among the small objects."""
    boxes = np.array([hull(objects.boxes[group]) for group in groups])
    top, bottom = float(np.median(boxes[:, 0])), float(np.median(boxes[:, 2]))
    height = bottom - top
    middles = boxes[:, [1, 3]].mean(axis=1)
    found = []
    for number in np.flatnonzero(small).tolist():
        start, left, stop, right = objects.boxes[number].tolist()
        character = _character(
            (start - top) / height, (stop - top) / height, (right - left) / height
        )
        if character:
            found.append((int((middles < (left + right) / 2).sum()), character))
    return tuple(sorted(found))


def _character(start: float, stop: float, width: float) -> str:
    """Return what a small object is, placed from 0, the digits' top, to 1, their bottom."""
    tall = stop - start
    if POINT[0] <= max(tall, width) <= POINT[1] and start > 0.7 and stop < 1.3:
        return "," if tall > 1.4 * width and stop > 1.06 else "." if width < 1.8 * tall else ""
    if width > 1.8 * tall and 0.15 <= width <= 0.8 and start > 0.3 and stop < 0.75:
        return "-"
    return ""


def _pieces(mask: Mask) -> Iterator[tuple[tuple[int, int], Mask]]:
    """Yield the pieces of an object that may be digits, with the numbers of their two cuts."""
    rows, columns = np.nonzero(mask)
    height = int(np.ptp(rows)) + 1
    if np.ptp(columns) < SURELY_ONE * height:
        yield (0, 1), mask
        return
    leaning = [_leaning(rows, columns, slant) for slant in SLANTS]
    places = min(leaning, key=lambda one: _cuts(one, height)[1])
    cuts = _cuts(places, height)[0]
    for (first, left), (second, right) in combinations(enumerate(cuts), 2):
        own = (places >= left) & (places < right)
        tall = np.ptp(rows[own]) + 1 if own.any() else 0
        fits = NARROWEST * height <= right - left <= WIDEST * height and tall >= PART * height
        if fits or second - first == len(cuts) - 1:
            part = np.zeros_like(mask)
            part[rows[own], columns[own]] = True
            yield (first, second), part


def _leaning(rows: NDArray[np.intp], columns: NDArray[np.intp], slant: float) -> NDArray[np.intp]:
    """Return in which leaning column each pixel lies, from 0."""
    places = np.round(columns + slant * (rows - rows.min())).astype(np.intp)
    return np.asarray(places - places.min(), np.intp)


def _cuts(places: NDArray[np.intp], height: int) -> tuple[list[int], float]:
    """Return where an object may be cut, both ends included, and how thin the thinnest cuts are.

    Cuts are the leaning columns with the least ink, not close to each other.
    """
    ink = np.bincount(places)
    chosen = [0, len(ink)]
    for place in np.argsort(ink, kind="stable").tolist():
        if ink[place] > THICKEST_CUT * height:
            break
        if min(abs(place - other) for other in chosen) >= APART * height:
            chosen.append(place)
    needed = max(round(len(ink) / (USUAL * height)) - 1, 1)
    through = [*ink[chosen[2 : 2 + needed]].tolist(), *[height] * needed][:needed]
    return sorted(chosen), sum(through) / needed
