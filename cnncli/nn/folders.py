"""A folder of pictures with one sub-folder per class, decoded once into memory."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median_low

import numpy as np
import torch
from numpy.typing import NDArray

from cnncli.config import Preprocessing
from cnncli.errors import CnncliError, DataError
from cnncli.files import PICTURE_SUFFIXES, natural_key
from cnncli.images import read_picture, to_uint8_rgb
from cnncli.nn.splits import Split
from cnncli.pipeline import core_count

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_SAMPLE = 64  # pictures that are looked at to find size and colour
_GREY_TOLERANCE = 12  # JPEG gives grey pictures this much colour


@dataclass(frozen=True, slots=True)
class Listing:
    """The picture files of one part, each with the index of its class."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]


def part_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of the parts that exist; only ``train`` = the folder itself if none.

    Parameters
    ----------
    folder
        With ``train/`` (and ``val/``, ``test/``), or with the classes directly in it.
    """
    found = {
        part: folder / name
        for part, names in PARTS.items()
        for name in names
        if class_folders(folder / name)
    }
    return found if "train" in found else {"train": folder}


def class_folders(folder: Path) -> list[Path]:
    """Return the visible sub-folders in natural order; none of what is no folder."""
    if not folder.is_dir():
        return []
    visible = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    return sorted(visible, key=natural_key)


def list_classes(folder: Path) -> tuple[tuple[str, ...], list[str]]:
    """Return the class names of a part in natural order, and notices about what is left out.

    Raises
    ------
    DataError
        If fewer than two classes have pictures.
    """
    filled, notices = [], []
    for path in class_folders(folder):
        if any(_pictures(path)):
            filled.append(path.name)
        else:
            notices.append(f"class {path.name} has no pictures; it is left out")
    hidden = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name.startswith("."))
    notices += [f"hidden folder {name} is left out" for name in hidden]
    if len(filled) < 2:
        raise DataError(
            f"{folder} has pictures of {len(filled)} class{'' if len(filled) == 1 else 'es'} "
            f"({', '.join(filled) or 'none'}); a classifier needs two or more sub-folders, "
            "one for each class"
        )
    return tuple(filled), notices


def _pictures(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in PICTURE_SUFFIXES and not hidden and path.is_file():
            yield path


def list_part(folder: Path, classes: Sequence[str]) -> tuple[Listing, list[str]]:
    """Return the files of one part by the given class names, and notices about other folders."""
    files: list[Path] = []
    labels: list[int] = []
    for index, name in enumerate(classes):
        here = sorted(_pictures(folder / name), key=natural_key)
        files += here
        labels += [index] * len(here)
    others = [p.name for p in class_folders(folder) if p.name not in classes and any(_pictures(p))]
    notices = [f"{folder / name} is no class of the training part; left out" for name in others]
    return Listing(tuple(files), tuple(labels)), notices


@lru_cache(maxsize=4)
def find_format(listing: Listing) -> tuple[int, int]:
    """Return size and colour of pictures, from an even sample of them.

    Parameters
    ----------
    listing
        The training files.

    Returns
    -------
    side, channels
        The median shorter side, 0 if no picture could be read; ``channels`` is 1 if no picture of
        the sample has colour, else 3.
    """
    step = max(1, len(listing.files) // _SAMPLE)
    sides, coloured = [], False
    for path in listing.files[::step]:
        try:
            pixels = to_uint8_rgb(read_picture(path)).astype(np.int16)
        except CnncliError:
            continue  # named when all pictures are read
        sides.append(min(pixels.shape[:2]))
        coloured |= int(np.ptp(pixels, axis=2).max()) > _GREY_TOLERANCE
    return median_low(sides) if sides else 0, 3 if coloured else 1


def fit_edge(side: int, limits: tuple[int, int]) -> int:
    """Return the height and width to bring pictures to: their side, within limits.

    >>> fit_edge(70, (8, 64)), fit_edge(31, (8, 64))
    (64, 28)
    """
    low, high = limits
    return min(max(side // 4 * 4, low), high)


def plain_format(edge: int, channels: int) -> Preprocessing:
    """Return how a folder's pictures are brought to one size; what they are on average is open."""
    half = (0.5,) * channels
    return Preprocessing("resize", edge, edge, channels, half, half)


def read_part(
    listing: Listing, preprocessing: Preprocessing
) -> tuple[Split, list[tuple[Path, str]]]:
    """Decode and prepare pictures in parallel, the way prediction does it.

    Parameters
    ----------
    listing
        Files and labels.
    preprocessing
        Size and colour to bring them to.

    Returns
    -------
    split, broken
        The pictures that could be read, and path and reason of those that could not.
    """
    from cnncli.preprocess import pixels_needed, prepare

    enough = pixels_needed(preprocessing)

    def read(path: Path) -> NDArray[np.uint8] | str:
        try:
            return prepare(read_picture(path, enough=enough), preprocessing).pixels
        except CnncliError as error:
            return str(error)

    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    images = np.empty((len(listing.files), *shape), np.uint8)
    labels: list[int] = []
    broken: list[tuple[Path, str]] = []
    with ThreadPoolExecutor(core_count()) as pool:
        results = pool.map(read, listing.files)
        for path, label, result in zip(listing.files, listing.labels, results, strict=True):
            if isinstance(result, str):
                broken.append((path, result))
            else:
                images[len(labels)] = result
                labels.append(label)
    tensor = torch.from_numpy(images[: len(labels)]).permute(0, 3, 1, 2).contiguous()
    return Split(tensor, torch.tensor(labels, dtype=torch.int64)), broken
