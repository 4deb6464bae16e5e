"""What is wrong with a folder of pictures: arrays in, findings out.

Labels are doubted by what a classifier says that was trained without the picture, after Northcutt,
Jiang and Chuang (2021, arXiv 1911.00068); cleanlab, their library, would bring pandas for five
lines. Copies are neighbours by features whose pixels also agree once they are
laid upon each other: one without the other finds strangers (features), or needs every pair
(pixels); a perceptual hash does not survive a mirror or a crop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cnncli.config import PHOTO_EDGE_LIMITS
from cnncli.errors import DataError
from cnncli.images.scaling import picture_size, resize

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Kind = Literal["label", "leak", "duplicate", "broken", "few"]

DOUBTED = 3.0  # times likelier than its label
NEIGHBOURS = 8  # of 100 planted copies, mirrored and cropped and re-encoded, all were among these
SAME = 0.96  # correlation: of those copies 0.97 and more; of 4 pairs in 3 million others
_HOPELESS = 0.6  # correlation of two pictures as they are, below which no shift makes a copy
_EDGE = 16  # pixels of the pictures that are compared
FEW = 20  # pictures of a class
TINY = 32  # pixels of the shorter side


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at.

    Parameters
    ----------
    kind
        ``"label"``: probably another class; ``"leak"``: a test picture that training sees too;
        ``"duplicate"``; ``"broken"``: unreadable or tiny; ``"few"``: a class, not a picture.
    path
        The picture, or the folder of the class.
    facts
        What is known of it, as JSON types.
    rows
        Of the pictures that show it in :attr:`Checked.pixels`.
    """

    kind: Kind
    path: Path
    facts: dict[str, Any]
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What :func:`check_folder` found.

    Parameters
    ----------
    findings
        The worst of each kind first.
    pixels
        uint8 ``(N, H, W, 3)``: all pictures that could be read.
    accuracy
        Of a head on half of the pictures and on all, by cross-validation; and what about twice as
        many would give, if errors went on shrinking as they did.
    """

    findings: list[Finding]
    pixels: NDArray[np.uint8]
    accuracy: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Folder:
    """All pictures of a folder with classes, whatever part they are in."""

    place: Path  # of the classes' folders
    classes: tuple[str, ...]
    paths: list[Path]
    parts: list[str]
    labels: Labels
    pixels: NDArray[np.uint8]
    broken: list[tuple[Path, str]]
    features: Array


def check_folder(folder: Path, root: Path) -> Checked:
    """Look for what is wrong with a folder of classes.

    Parameters
    ----------
    folder
        With one sub-folder a class, or with such folders in ``train/``, ``val/`` and ``test/``.
    root
        The data folder: pictures and features that were seen before are kept there.

    Raises
    ------
    DataError
        If there are no two classes, or the weights of ``--model photos`` are missing.
    """
    found = _open(folder, root)
    logits, labels, rows = _cross_validated(found.features, found.labels)
    half = np.random.default_rng(0).permutation(len(labels))[: len(labels) // 2]
    part, part_labels, _ = _cross_validated(found.features[rows][half], found.labels[rows][half])
    right = float((logits.argmax(1) == labels).mean())
    of_half = float((part.argmax(1) == part_labels).mean())
    findings = [
        *_wrong_labels(found, logits, rows),
        *_copies(found),
        *(Finding("broken", path, {"reason": reason}) for path, reason in found.broken),
        *_tiny(found),
        *_few(found),
    ]
    order = {kind: place for place, kind in enumerate(get_args(Kind))}
    findings.sort(key=lambda finding: order[finding.kind])
    accuracy = {"half": of_half, "all": right, "twice": twice_as_many(of_half, right)}
    return Checked(findings, found.pixels, {k: round(v, 4) for k, v in accuracy.items()})


def _open(folder: Path, root: Path) -> _Folder:
    from cnncli.nn import folders
    from cnncli.nn.cache import cached
    from cnncli.nn.head import photo_features

    whole = folder.resolve()  # the name by which training keeps it, too
    parts = folders.part_folders(whole)
    classes, _ = folders.list_classes(parts["train"])
    listings = {part: folders.list_part(path, classes)[0] for part, path in parts.items()}
    edge = folders.fit_edge(folders.find_format(listings["train"])[0], PHOTO_EDGE_LIMITS["head"])
    preprocessing = folders.plain_format(edge, 3)
    paths, names, splits, broken = [], [], [], []
    for part, listing in listings.items():
        split, unread = cached(parts[part], listing, preprocessing, root)
        skipped = {path for path, _ in unread}
        kept = [path for path in listing.files if path not in skipped]
        paths += [folder / path.relative_to(whole) for path in kept]
        names += [part] * len(kept)
        splits.append(split)
        broken += [(folder / path.relative_to(whole), reason) for path, reason in unread]
    images = np.concatenate([split.images.numpy() for split in splits])
    labels = np.concatenate([split.labels.numpy() for split in splits])
    features = photo_features(images, preprocessing, str(whole), root)
    return _Folder(
        folder / parts["train"].relative_to(whole),
        classes,
        paths,
        names,
        labels,
        images.transpose(0, 2, 3, 1),
        broken,
        features,
    )


def _cross_validated(features: Array, labels: Labels) -> tuple[Array, Labels, NDArray[np.intp]]:
    """Return logits and labels of the rows whose class has two pictures or more, and the rows."""
    from cnncli.nn.head import fit_head

    rows = np.flatnonzero(np.bincount(labels)[labels] >= 2)
    present, numbers = np.unique(labels[rows], return_inverse=True)
    if len(present) < 2:
        raise DataError("fewer than two classes have two pictures; add some before a check")
    return fit_head(features[rows], numbers, len(present)).logits, numbers, rows


def _wrong_labels(found: _Folder, logits: Array, rows: NDArray[np.intp]) -> Iterator[Finding]:
    present, numbers = np.unique(found.labels[rows], return_inverse=True)
    for position, number, odds in doubted_labels(logits, numbers):
        row = int(rows[position])
        facts = {
            "label": found.classes[found.labels[row]],
            "suggested": found.classes[present[number]],
            "odds": odds,
        }
        yield Finding("label", found.paths[row], facts, (row,))


def _copies(found: _Folder) -> Iterator[Finding]:
    for first, second, alike in copies(found.features, found.pixels):
        leaks = found.parts[first] != found.parts[second]
        facts = {
            "of": str(found.paths[first]),
            "similarity": round(alike, 4),
            "labels": [found.classes[found.labels[row]] for row in (first, second)],
        }
        kind: Kind = "leak" if leaks else "duplicate"
        yield Finding(kind, found.paths[second], facts, (first, second))


def _tiny(found: _Folder) -> Iterator[Finding]:
    for row, path in enumerate(found.paths):
        width, height = picture_size(path)
        if min(width, height) < TINY:
            yield Finding("broken", path, {"reason": f"only {width}x{height} pixels"}, (row,))


def _few(found: _Folder) -> Iterator[Finding]:
    for number, count in thin_classes(found.labels.tolist(), len(found.classes)):
        name = found.classes[number]
        yield Finding("few", found.place / name, {"class": name, "pictures": count})


def doubted_labels(logits: Array, labels: Labels) -> list[tuple[int, int, float]]:
    """Return the pictures whose label is in doubt, the worst first.

    Of 100 wrong labels among 2,500, in 3 draws 82, 83 and 82 stood in the first 150; by the label's
    own probability alone it is as many, by the difference of the two 68.

    Parameters
    ----------
    logits
        ``(N, K)``, each row by a classifier that has not seen the picture.
    labels
        ``(N,)``: the classes that they are said to show.

    Returns
    -------
    list of (row, class, odds)
        The class that it probably shows, and how many times likelier that is than the label, at
        least :data:`DOUBTED`.

    Examples
    --------
    >>> doubted_labels(np.array([[3, 0], [0, 1], [4, 0]], np.float32), np.array([1, 1, 1]))
    [(2, 0, 54.6), (0, 0, 20.1)]
    """
    best = logits.argmax(1)
    rows = np.arange(len(labels))
    odds = np.exp(np.minimum(logits[rows, best] - logits[rows, labels], 20))
    order = np.argsort(-odds, kind="stable")
    return [(int(i), int(best[i]), round(float(odds[i]), 1)) for i in order if odds[i] >= DOUBTED]


def copies(features: Array, pixels: NDArray[np.uint8]) -> list[tuple[int, int, float]]:
    """Return pairs of pictures that are copies: mirrored, cropped by up to a tenth, or re-encoded.

    Parameters
    ----------
    features
        ``(N, F)``: what tells neighbours.
    pixels
        uint8 ``(N, H, W, C)``.

    Returns
    -------
    list of (row, row, correlation)
        The smaller row first; the most alike first.
    """
    small = [resize(picture, (3 * _EDGE, 3 * _EDGE)) for picture in pixels]
    shrunk = np.stack([_shrunk(picture) for picture in small])
    plain, mirrored = _standard(shrunk), _standard(shrunk[:, :, ::-1])
    found = []
    for a, b in _neighbours(features):
        if max(plain[a] @ plain[b], plain[a] @ mirrored[b]) < _HOPELESS:
            continue
        alike = max(
            float((views @ plain[other]).max())
            for views, other in ((_views(small[a]), b), (_views(small[b]), a))
        )
        if alike >= SAME:
            found.append((a, b, alike))
    return sorted(found, key=lambda pair: -pair[2])


def _neighbours(features: Array) -> list[tuple[int, int]]:
    """Return the pairs of which one is among the nearest of the other, by their angle."""
    from sklearn.neighbors import NearestNeighbors

    scaled = (features - features.mean(0)) / (features.std(0) + 1e-6)
    near = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(scaled) - 1), metric="cosine")
    nearest = near.fit(scaled).kneighbors(return_distance=False).tolist()
    return sorted({(min(a, b), max(a, b)) for a, others in enumerate(nearest) for b in others})


def _shrunk(picture: NDArray[np.uint8], left: float = 0, top: float = 0, part: float = 1) -> Array:
    height, width = picture.shape[:2]
    box = top * height, left * width, (top + part) * height, (left + part) * width
    return resize(picture, (_EDGE, _EDGE), box).astype(np.float32)


def _views(picture: NDArray[np.uint8]) -> Array:
    """Return a picture as it is, cropped to 95 and 90 % at nine places, and mirrored."""
    crops = [_shrunk(picture)]
    for part in (0.95, 0.9):
        places = (0, (1 - part) / 2, 1 - part)
        crops += [_shrunk(picture, left, top, part) for left in places for top in places]
    views = np.stack(crops)
    return _standard(np.concatenate([views, views[:, :, ::-1]]))


def _standard(pictures: Array) -> Array:
    """Return flat pictures with mean 0 and length 1: their products are correlations."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(1, keepdims=True)
    scaled: Array = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return scaled


def twice_as_many(half: float, whole: float) -> float:
    """Return the accuracy to expect of twice the pictures: errors shrink as from half to all.

    >>> round(twice_as_many(0.6, 0.7), 3)
    0.775
    """
    return 1 - (1 - whole) * min((1 - whole) / max(1 - half, 1e-9), 1.0)


def thin_classes(labels: Sequence[int], classes: int) -> list[tuple[int, int]]:
    """Return the classes with fewer than :data:`FEW` pictures, and their number, fewest first."""
    counts = np.bincount(np.asarray(labels, int), minlength=classes)
    order = np.argsort(counts, kind="stable")
    return [(int(k), int(counts[k])) for k in order if counts[k] < FEW]
