"""Decoded pictures of a folder in a memory-mapped file, used again while nothing has changed."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnncli.config import Preprocessing
from cnncli.files import atomic_write, write_whole
from cnncli.nn import folders
from cnncli.nn.folders import Listing
from cnncli.nn.splits import Split

MIN_PICTURES = 1000  # fewer are decoded in a second or two
Part = tuple[Split, list[tuple[Path, str]]]


def cached(folder: Path, listing: Listing, preprocessing: Preprocessing, root: Path) -> Part:
    """Return what :func:`cnncli.nn.folders.read_part` does, from a cache if nothing has changed.

    One file serves each folder and format: what changes replaces it, so that the cache does not
    grow. A cache that cannot be written is done without.

    Parameters
    ----------
    folder
        The part's folder.
    listing
        Its files; path, size and time of change of each decide whether the cache is fresh.
    preprocessing
        Size and colour.
    root
        The data folder.
    """
    if len(listing.files) < MIN_PICTURES:
        return folders.read_part(listing, preprocessing)
    size = [preprocessing.height, preprocessing.width, preprocessing.channels]
    name = _digest([str(folder), size])[:16]
    pixels, record = (root / "cache" / f"{name}{ending}" for ending in (".npy", ".json"))
    fresh = _digest([size, *(_stamp(path) for path in listing.files), listing.labels])
    with contextlib.suppress(OSError, ValueError, KeyError):
        return _load(pixels, record, fresh)
    split, broken = folders.read_part(listing, preprocessing)
    with contextlib.suppress(OSError):
        _store(pixels, record, fresh, split, broken)
    return split, broken


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _stamp(path: Path) -> tuple[str, int, int]:
    stat = path.stat()
    return str(path), stat.st_size, stat.st_mtime_ns


def _load(pixels: Path, record: Path, fresh: str) -> Part:
    known = json.loads(record.read_text(encoding="utf-8"))
    if known["fresh"] != fresh:
        raise ValueError("the folder has changed")
    # "c": pages are read when they are needed, and writing to them would not reach the file.
    images = torch.from_numpy(np.load(pixels, mmap_mode="c", allow_pickle=False))
    labels = torch.tensor(known["labels"], dtype=torch.int64)
    if len(images) != len(labels):
        raise ValueError("pixels and labels were written by two runs")
    return Split(images, labels), [(Path(path), reason) for path, reason in known["broken"]]


def _store(
    pixels: Path, record: Path, fresh: str, split: Split, broken: list[tuple[Path, str]]
) -> None:
    pixels.parent.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)  # until both are new, neither counts
    with atomic_write(pixels) as file:
        np.save(file, split.images.numpy())
    known = {
        "fresh": fresh,
        "labels": split.labels.tolist(),
        "broken": [[str(path), reason] for path, reason in broken],
    }
    write_whole(record, json.dumps(known).encode())
