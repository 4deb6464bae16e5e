"""CIFAR-10 in each of the forms in which it is passed around.

Binary files (a label byte, then 3 x 32 x 32 bytes, picture by picture), Python's pickles of the
same, or a folder of pictures for each class. A pickle is a program: it is read here, never run.
"""

import pickletools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cnncli.errors import DataError
from cnncli.nn.cache import cached
from cnncli.nn.folders import list_part, plain_format
from cnncli.nn.sources import Part, Style
from cnncli.nn.splits import Split

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
FILES = {"train": tuple(f"data_batch_{n}" for n in range(1, 6)), "test": ("test_batch",)}
_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar10", ".")
PIXELS = 3 * 32 * 32
HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"


class Cifar10:
    """CIFAR-10, whatever its form; see :class:`cnncli.nn.sources.IdxSource` for the fields."""

    name = "cifar10"
    torchvision: tuple[str, Mapping[str, str]] = ("CIFAR10", {})
    classes = CLASSES
    style: Style = "photo"

    def find(self, root: Path) -> Path | None:
        """Return the folder under `root` that holds both parts, or None."""
        for folder in (root / name for name in _FOLDERS):
            if _in_files(folder, ".bin") or _in_files(folder, "") or _in_folders(folder):
                return folder
        return None

    def advice(self, root: Path) -> str:
        """Say where its files belong."""
        return f"unpack an archive of {HOME} in {root}"

    def read(self, root: Path, part: Part) -> Split:
        """Read the pictures of a part, uint8 ``(N, 3, 32, 32)``.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        folder = self.find(root) or root
        if _in_folders(folder):
            listing, _ = list_part(folder / part, CLASSES)
            split, broken = cached(folder / part, listing, plain_format(32, 3), root)
            if broken:
                raise DataError(broken[0][1])
            return split
        suffix = ".bin" if _in_files(folder, ".bin") else ""
        batches = [_read_batch(folder / f"{name}{suffix}") for name in FILES[part]]
        labels, pixels = (
            torch.from_numpy(np.concatenate(each)) for each in zip(*batches, strict=True)
        )
        return Split(pixels, labels)


def _in_files(folder: Path, suffix: str) -> bool:
    return all((folder / f"{name}{suffix}").is_file() for names in FILES.values() for name in names)


def _in_folders(folder: Path) -> bool:
    return all((folder / part / name).is_dir() for part in FILES for name in CLASSES)


def _read_batch(path: Path) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return labels ``(N,)`` and pixels ``(N, 3, 32, 32)`` of a file."""
    try:
        labels, pixels = (_binary if path.suffix == ".bin" else _pickled)(path.read_bytes())
        pictures = pixels.reshape(len(labels), 3, 32, 32)
        known = labels.max() < len(CLASSES)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError:  # too short, too long, or no pickle
        known = False
    if not known:
        raise DataError(f"{path} is no file of CIFAR-10; get it again from {HOME}")
    return labels.astype(np.int64), pictures


def _binary(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + PIXELS)
    return records[:, 0], records[:, 1:]


def _pickled(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Find what a pickle holds among its operations: the longest text, numbers after "labels"."""
    labels: list[int] = []
    key, longest, last, by_columns = b"", b"", "", False
    for operation, argument, _ in pickletools.genops(data):
        if isinstance(argument, str | bytes):
            key = argument.encode("latin-1") if isinstance(argument, str) else argument
            if len(key) > len(longest):
                longest, by_columns = key, last == "NEWTRUE"  # the flag stands before the bytes
        elif key == b"labels" and operation.name == "BININT1" and argument is not None:
            labels.append(argument)
        last = operation.name
    pixels = np.frombuffer(longest, np.uint8).reshape(
        len(labels), PIXELS, order="F" if by_columns else "C"
    )
    return np.array(labels, np.uint8), pixels
