"""Where the digit is: all readings of a picture propose objects, and the best explained wins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cnncli.images.scaling import resize
from cnncli.preprocess.ink import FAINTEST, Reading, readings
from cnncli.preprocess.lines import find_lines, without_lines
from cnncli.preprocess.objects import Mask, Objects, label_components
from cnncli.preprocess.prepared import Box

LONGEST = 128  # pixels of the longer side of the grid that is searched
LEVELS = (0.25, 0.5)  # thresholds tried, as parts of the strongest ink
FAR_FROM_NOISE = 2.5  # standard deviations of the grain: every threshold is that far
# A detached part is this close, down and across, as a part of the digit's longer side: the bar
# of a 5 flies high, and what stands beside a digit is another one.
NEAR = (0.4, 0.15)
SMALLEST_PART = 0.12  # of the digit's longer side
LONGEST_WHOLE = 1.7  # a digit and its detached parts, against the digit alone


# What speaks for an object being the digit, and how much, as logarithms of odds. Fitted without the
# network. What benchmarks/reading_weights.py fits together with it reads printed cells and displays
# better and was not taken: without the network, as features, why and evaluate go, two of the sample
# digits were lost.
FEATURES = {
    "level": -0.82,  # logarithm of its strength of ink, against the strongest in the picture
    "size": -1.79,  # logarithm of its longer side, against the picture's
    "size2": -0.22,
    "width": 0.28,  # logarithm of its strokes' width, against its longer side
    "width2": -0.62,
    "edge": -8.21,  # part of its outline that lies on the picture's edge
    "left": -3.03,  # ink of other objects that it leaves unexplained, against all objects'
    "line": -0.51,  # ink of lines taken away, against it and its own
    "lines": -4.37,  # whether any were
    "even": 0.83,  # whether the background is one colour
    "negative": -14.35,  # what is as far from the background on the other side
    "aspect": -3.56,  # logarithm of its shorter side against the longer one
    "energy": 12.43,  # squared ink, against the whole picture's
    "fill": -1.20,  # of its box
    "fill2": -13.68,
    "parts": -4.87,  # logarithm of their number
    "even left": -13.64,
    "even edge": 1.57,
    "even parts": 3.17,
    "edgiest": -6.28,  # the most of "edge" that one of its parts has
    "snr": -2.54,
}
# What speaks for the chosen object being a digit at all, of the same features: a logistic
# regression on digits that are read right against what is none or read wrong (--clear, with those
# other weights). Its zero lay where 1.2 % of the former were doubted; it was moved by 0.5, so that
# no sample digit is, turned or inverted.
CLEAR = {
    "level": -0.82, "size": -0.32, "size2": 0.53, "width": -0.87, "width2": -0.46, "edge": -3.83,
    "left": 1.22, "line": 0.56, "lines": -2.16, "even": -0.26, "negative": -15.76,
    "aspect": -0.26, "energy": 9.70, "fill": 8.86, "fill2": -11.82, "parts": -0.27,
    "even left": -7.24, "even edge": 4.75, "even parts": 0.97, "edgiest": -2.75, "snr": 0.59,
}  # fmt: skip
CLEAR_FROM = 6.95
SAME = 0.85  # of the larger one's pixels are common
HIGH = 0.7  # of the digit's height: parts as high as that are digits themselves
SPECK = 0.05  # of the picture's longer side: smaller objects are no part of a digit
HUGGING = 0.35  # of its outline lies on the picture's edge: a table, not a part of a digit
MOST = 4  # candidates that are shown to the network
MARGIN = 6.0  # logarithm of odds against the best: what is less likely is not shown
ALIKE = 0.6  # of the digit's strength of ink: what is paler is something else


@dataclass(frozen=True)
class Candidate:
    """What may be the digit.

    Parameters
    ----------
    reading
        How ink was told from background; its ink without lines.
    objects
        All that is ink by that reading.
    own
        ``(n,)``: which of the objects are the digit.
    box
        Top, left, bottom, right on the grid, ends not included.
    level
        Strength of its ink.
    features
        What speaks for and against it, named in :data:`FEATURES`.
    evidence
        All of that, weighed against other objects.
    clear
        All of that, weighed against there being no digit.
    """

    reading: Reading
    objects: Objects
    own: Mask
    box: tuple[int, int, int, int]
    level: float
    features: NDArray[np.float64]
    evidence: float
    clear: float

    @cached_property
    def mask(self) -> Mask:
        """Its pixels, ``(h, w)``."""
        return self.objects.mask(self.own)

    def alike(self, objects: Objects) -> Mask:
        """Return which of `objects` have about its ink."""
        found: Mask = objects.sums(self.reading.ink) > ALIKE * self.level * objects.areas
        return found

    def others(self) -> int:
        """Return how many objects of about the same ink and size are clear of it and the edge."""
        large = self.objects.longest > 0.5 * max(
            self.box[2] - self.box[0], self.box[3] - self.box[1]
        )
        return int((large & ~self.own & self.alike(self.objects) & (self.objects.edges == 0)).sum())

    def beside(self) -> int:
        """Return how many of its parts are about as high as all of it and clear of each other."""
        boxes = self.objects.boxes[self.own]
        high = boxes[boxes[:, 2] - boxes[:, 0] > HIGH * (self.box[2] - self.box[0])]
        high = high[np.argsort(high[:, 1])]
        return 1 + int((high[1:, 1] >= high[:-1, 3]).sum())


def search_grid(colours: NDArray[np.uint8], longest: int = 0) -> NDArray[np.uint8]:
    """Return a picture at the size at which it is searched, small ones enlarged."""
    height, width = colours.shape[:2]
    scale = (longest or LONGEST) / max(height, width)
    return resize(colours, (max(round(height * scale), 1), max(round(width * scale), 1)))


def locate(grid: NDArray[np.uint8]) -> list[Candidate]:
    """Return the likeliest digits in a picture, best first; none where it is blank.

    Parameters
    ----------
    grid
        As :func:`search_grid` returns it.
    """
    best: list[Candidate] = []
    for found in sorted(candidates(grid), key=lambda one: -one.evidence):
        if len(best) == MOST or (best and found.evidence < best[0].evidence - MARGIN):
            break
        if not any(_same(found, other) for other in best):
            best.append(found)
    return best


def _same(one: Candidate, other: Candidate) -> bool:
    """Tell whether two readings found about the same pixels."""
    common = int((one.mask & other.mask).sum())
    return common > SAME * max(int(one.mask.sum()), int(other.mask.sum()))


def candidates(grid: NDArray[np.uint8]) -> Iterator[Candidate]:
    """Yield what may be the digit in a picture, in no order."""
    found: list[tuple[Reading, Objects, Mask, Box, float]] = []
    measured = []
    tried = list(_thresholds(list(readings(grid))))
    if not tried:
        return
    masks = np.array([reading.ink > least for reading, least, _ in tried])
    for (reading, _, known), objects in zip(tried, label_components(masks), strict=True):
        ink = reading.ink
        mass, edges = objects.sums(ink), objects.edges / objects.outlines
        own = _groups(objects, mass / objects.areas, edges)
        if not len(own):
            continue
        others = max(float(mass[objects.longest >= 4].sum()), 1e-9)
        columns = [objects.areas, mass, objects.outlines, objects.edges, objects.sums(ink * ink)]
        sums = own.astype(float) @ np.stack(columns, axis=1)
        edgiest = (own * edges).max(axis=1).tolist()
        for group, (area, *rest), edge in zip(own, sums.tolist(), edgiest, strict=True):
            top, left, bottom, right = box = hull(objects.boxes[group])
            found.append((reading, objects, group, box, rest[0] / area))
            sides = sorted((bottom - top, right - left))
            measured.append((area, *rest, edge, *sides, group.sum(), others, *known))
    if found:
        features = _features(np.array(measured, float).T, max(grid.shape[:2]))
        evidence = (features @ list(FEATURES.values())).tolist()
        clear = (features @ list(CLEAR.values()) - CLEAR_FROM).tolist()
        for one, *weighed in zip(found, features, evidence, clear, strict=True):
            yield Candidate(*one, *weighed)


def _thresholds(found: list[Reading]) -> Iterator[tuple[Reading, float, tuple[float, ...]]]:
    """Yield readings with a threshold, and the last of what :func:`_features` takes."""
    lines = np.zeros(1, bool)
    for reading in found:
        faintest = max(FAINTEST, 2 * FAR_FROM_NOISE * reading.noise)
        if not reading.even:
            lines = find_lines(reading.ink, max(faintest, 0.15 * float(reading.ink.max())))
        shown = []
        if lines.any():
            clear = replace(reading, ink=without_lines(reading.ink, lines))
            shown.append((clear, float(reading.ink[lines].sum())))
        if reading.even or not lines.any():
            shown.append((reading, 0.0))
        for one, line_mass in shown:
            strongest = float(one.ink.max())
            away = float(np.square(np.minimum(one.ink, 0)).sum())
            energy = float(np.square(one.ink).sum()) - away
            known = strongest, energy, away, line_mass, one.ink is not reading.ink, one.even
            for part in LEVELS[-1:] if one.even else LEVELS:
                if strongest >= faintest and part * strongest > FAR_FROM_NOISE * one.noise:
                    yield one, part * strongest, (*known, one.noise)


def _features(measured: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Return what is named in :data:`FEATURES`, ``(n, 21)``, of all that is measured of objects."""
    (
        area, mass, outline, edge, energy, edgiest, low, long, parts, others,
        strongest, all_energy, away, line_mass, lines, even, noise,
    ) = measured  # fmt: skip
    left = np.maximum(1 - mass / others, 0)
    size, width = np.log(long / longest), np.log(2 * area / outline / long)
    fill, parts = area / (low * long), np.log(parts)
    return np.stack([
        np.log(mass / area / strongest),
        size, size**2, width, width**2,
        edge / outline,
        left,
        line_mass / (mass + line_mass),
        lines,
        even,
        away / (all_energy + away),
        np.log(low / long),
        energy / all_energy,
        fill, fill**2,
        parts,
        even * left, even * edge / outline, even * parts,
        edgiest,
        np.log(np.minimum(mass / area / np.maximum(noise, 0.01), 100)),
    ], axis=1)  # fmt: skip


def _groups(
    objects: Objects, level: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the two best objects with their parts, and all objects as one: ``(groups, n)``.

    What may be a detached part of an object is close, not small, and not at the edge.
    """
    longest = objects.longest
    goodness = level**2 * longest * (1 - np.minimum(edges, 1)) ** 2 * (longest >= 4)
    seeds = np.argsort(-goodness)[:2]
    seeds = seeds[goodness[seeds] > 0, np.newaxis]  # (seeds, 1)
    clear, size = edges <= HUGGING, longest[seeds]
    low, high = objects.boxes[:, :2], objects.boxes[:, 2:]
    start, stop = low[seeds], high[seeds]  # (seeds, 1, 2)
    reach = size[:, :, np.newaxis] * np.array(NEAR)
    own = ((low < stop + reach) & (high > start - reach)).all(axis=2)  # (seeds, n)
    own &= (np.maximum(high, stop) - np.minimum(low, start)).max(axis=2) <= LONGEST_WHOLE * size
    own &= (longest >= SMALLEST_PART * size) & (level > ALIKE * level[seeds])
    own &= clear & clear[seeds]
    own[np.arange(len(seeds)), seeds[:, 0]] = True
    groups = [*own, clear & (longest >= SPECK * max(objects.shape))]
    return np.array(list({group.tobytes(): group for group in groups if group.any()}.values()))


def hull(boxes: NDArray[np.intp]) -> tuple[int, int, int, int]:
    """Return the box around boxes: top, left, bottom, right."""
    top, left = boxes[:, :2].min(axis=0).tolist()
    bottom, right = boxes[:, 2:].max(axis=0).tolist()
    return top, left, bottom, right
