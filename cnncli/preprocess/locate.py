"""Where the digit is: the object among specks, rulings, shadows and page edges that is written."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.preprocess.ground import Array, background, border_colour, ink_direction, to_log
from cnncli.preprocess.objects import Mask, Objects, find_objects
from cnncli.preprocess.ranks import ranked
from cnncli.preprocess.resample import resample

LONGEST = 200  # pixels of the picture that is searched
# Windows of the background's median, as parts of the shorter side: the narrow one follows a
# shadow, the wide one is not deceived by a thick stroke that fills the picture.
WINDOWS = (0.6, 1.2)
LEVELS = (0.2, 0.3, 0.42, 0.56, 0.72)  # thresholds tried, as parts of the strongest ink
FAINTEST = 0.1  # in logarithms of colour: paler than this is never ink
KEPT = 0.4  # of the ink's own level: what belongs to the digit
# A detached part is this close, down and across, as a part of the digit's longer side: the bar
# of a 5 flies high, and what stands beside a digit is another one.
NEAR = (0.4, 0.15)
SMALLEST_PART = 0.12  # of the digit's longer side
LONGEST_WHOLE = 1.7  # a digit and its detached parts, against the digit alone
EDGE_PENALTY = 0.15


@dataclass(frozen=True, slots=True)
class Located:
    """A digit found in a picture.

    Parameters
    ----------
    mask
        ``(h, w)``: its pixels, on a grid that covers the whole picture.
    box
        Top, left, bottom, right on that grid, ends not included.
    ink
        ``(h, w)``: strength of ink everywhere, in logarithms of colour.
    level
        Strength of the digit's own ink.
    noise
        Strength of what is no ink.
    touches
        Whether it reaches the picture's edge.
    others
        Objects of about the same ink and size beside it.
    """

    mask: Mask
    box: tuple[int, int, int, int]
    ink: Array
    level: float
    noise: float
    touches: bool
    others: int


def search_grid(height: int, width: int) -> tuple[int, int]:
    """Return the size at which a picture is searched."""
    scale = min(LONGEST / max(height, width), 1)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def ink_strength(logs: Array, paper: Array) -> Array:
    """Return how far each pixel's colour is from its background, in the direction of ink.

    Parameters
    ----------
    logs
        ``(h, w, C)`` from :func:`~cnncli.preprocess.ground.to_log`.
    paper
        The background, of a shape that fits.

    Returns
    -------
    Array
        ``(h, w)`` in logarithms of colour; negative away from the ink.
    """
    difference = logs - paper
    return np.asarray(difference @ ink_direction(difference), np.float32)


def locate(image: Array) -> Located | None:
    """Find the one object that is most like something written.

    Parameters
    ----------
    image
        ``(H, W, C)`` in [0, 1].

    Returns
    -------
    Located or None
        None where the picture is blank.
    """
    logs = to_log(resample(image, search_grid(*image.shape[:2])))
    papers = [background(logs, window) for window in WINDOWS]
    papers.append(border_colour(logs))  # holds where ink covers most of a small picture
    found = [_search(ink_strength(logs, paper)) for paper in papers]
    located, score = max(found, key=lambda pair: pair[1])
    return located if score else None


def _search(ink: Array) -> tuple[Located | None, float]:
    noise = _noise(ink)
    seed, score = _seed(ink, max(FAINTEST, 5 * noise))
    if seed is None:
        return None, 0.0
    level = float(ranked(ink[seed]))
    mask, others = _grown(ink, seed, level)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    return Located(mask, box, ink, level, noise, _at_edge(mask), others), score * _one_sided(ink)


def _noise(ink: Array) -> float:
    """Return the standard deviation of the grain: differences of pixels two apart see no shapes."""
    steps = [abs(ink[2:] - ink[:-2]).ravel(), abs(ink[:, 2:] - ink[:, :-2]).ravel()]
    return sum(1.05 * float(ranked(step)) for step in steps if step.size) / 2


def _one_sided(ink: Array) -> float:
    """Return 1 if all that stands out does so in one direction, 0 if it is half and half.

    Where a background is wrong, being ink itself, holes in the ink stand out against it.
    """
    squares = ink * ink
    powers = squares * squares
    away = float(powers[ink < 0].sum())
    return max(1 - 2 * away / max(float(powers.sum()), 1e-9), 0.01)


def _seed(ink: Array, faintest: float) -> tuple[Mask | None, float]:
    """Return the best object over several thresholds: strong, large and clear of the edges."""
    best, best_score = None, 0.0
    strongest = float(ink.max())
    for level in LEVELS:
        threshold = max(level * strongest, faintest)
        if threshold >= strongest:
            break
        objects = find_objects(ink > threshold)
        scores = _scores(objects, ink)
        if scores.size and scores.max() > best_score:
            best_score = float(scores.max())
            best = objects.labels == scores.argmax()
    return best, best_score


def _extents(objects: Objects) -> NDArray[np.intp]:
    boxes = objects.boxes
    longest: NDArray[np.intp] = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return longest


def _scores(objects: Objects, ink: Array) -> NDArray[np.float64]:
    extents = _extents(objects)
    smallest = max(4, 0.05 * min(ink.shape))
    scores = mean_ink(objects, ink) ** 2 * extents * (extents >= smallest)
    return np.asarray(np.where(objects.touches_edge(), EDGE_PENALTY, 1.0) * scores)


def _grown(ink: Array, seed: Mask, level: float) -> tuple[Mask, int]:
    """Return the seed's whole objects with the detached parts near them, and how many are beside.

    A lower threshold than the seed's takes in the soft edges of its strokes.
    """
    objects = find_objects((ink > KEPT * level) | seed)
    own = np.zeros(len(objects.areas), bool)
    own[objects.labels[seed]] = True
    if objects.touches_edge()[own].any() and not _at_edge(seed):
        objects = find_objects(seed)  # at this threshold it runs into something else
        own = np.ones(1, bool)
    same_ink = mean_ink(objects, ink) > 0.6 * level
    alike = same_ink & ~objects.touches_edge() & ~own
    parts = alike & _near(objects, own)
    longest = _extents(objects)
    beside = alike & ~parts & (longest > 0.5 * longest[own].max())
    return objects.mask(own | parts), int(beside.sum())


def mean_ink(objects: Objects, ink: Array) -> NDArray[np.float64]:
    """Return the mean strength of ink of each object, ``(n,)``."""
    inside = objects.labels >= 0
    mass = np.bincount(objects.labels[inside], ink[inside], len(objects.areas))
    mean: NDArray[np.float64] = mass / objects.areas
    return mean


def _near(objects: Objects, own: Mask) -> Mask:
    """Return which objects may be detached parts of the digit: close to it, and not small."""
    low, high = objects.boxes[:, :2], objects.boxes[:, 2:]
    start, stop = low[own].min(axis=0), high[own].max(axis=0)
    longest = (stop - start).max()
    reach = np.array(NEAR) * longest
    near = ((low < stop + reach) & (high > start - reach)).all(axis=1)
    whole = np.maximum(high, stop) - np.minimum(low, start)
    near &= whole.max(axis=1) <= LONGEST_WHOLE * longest
    large = _extents(objects) >= SMALLEST_PART * longest
    return np.asarray(near & large, np.bool_)


def _at_edge(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
