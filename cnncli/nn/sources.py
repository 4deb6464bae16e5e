"""The data sets that have a name: where their files may lie and how they are recognised."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from cnncli.errors import DataError
from cnncli.nn.idx import read_idx
from cnncli.nn.splits import Split

Part = Literal["train", "test"]
Style = Literal["digit", "photo"]

_DIGITS = tuple("0123456789")


@dataclass(frozen=True, slots=True)
class IdxSource:
    """A named data set of IDX files.

    Parameters
    ----------
    name
        As ``--data`` names it.
    folders
        Where its files may lie inside the data folder; the last is torchvision's own.
    prefix
        Start of its files' names.
    torchvision
        The class of ``torchvision.datasets`` that downloads it, and its arguments.
    classes
        Names of the classes.
    style
        ``"digit"``: white strokes on black, never flipped; ``"photo"``: mirrored pictures occur.
    transposed
        Whether the files hold each picture mirrored at its diagonal.
    md5
        MD5 of the unpacked files, where known.
    """

    name: str
    folders: tuple[str, ...]
    torchvision: tuple[str, Mapping[str, str]]
    prefix: str = ""
    classes: tuple[str, ...] = _DIGITS
    style: Style = "digit"
    transposed: bool = False
    md5: Mapping[str, str] = field(default_factory=dict)

    def find(self, root: Path) -> Path | None:
        """Return the folder under `root` that holds both parts, or None."""
        for folder in (root / name for name in self.folders):
            if all(find_pair(folder, part, self.prefix) for part in ("train", "test")):
                return folder
        return None

    def advice(self, root: Path) -> str:
        """Say where its files belong."""
        return f"put its four IDX files into {root / self.folders[-1]}"

    def read(self, root: Path, part: Part) -> Split:
        """Read the pictures of a part, uint8 ``(N, 1, H, W)``.

        Raises
        ------
        DataError
            If a file is missing, damaged, or not the expected one.
        """
        pair = find_pair(self.find(root) or root, part, self.prefix)
        if pair is None:
            raise DataError(f"the files of {self.name} are incomplete; {self.advice(root)}")
        return read_pair(pair, self.md5, transposed=self.transposed)


SOURCES = {
    source.name: source
    for source in (
        IdxSource(
            "mnist",
            (".", "mnist", "MNIST/raw"),
            ("MNIST", {}),
            md5={
                "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
                "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
                "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
                "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
            },
        ),
        IdxSource(
            "fashion-mnist",
            ("fashion-mnist", "FashionMNIST/raw"),
            ("FashionMNIST", {}),
            classes=(
                "t-shirt", "trouser", "pullover", "dress", "coat",
                "sandal", "shirt", "sneaker", "bag", "ankle boot",
            ),
            style="photo",
        ),
        IdxSource(
            "kmnist",
            ("kmnist", "KMNIST/raw"),
            ("KMNIST", {}),
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        ),
        IdxSource(
            "emnist-digits",
            ("emnist-digits", "EMNIST/raw"),
            ("EMNIST", {"split": "digits"}),
            prefix="emnist-digits-",
            transposed=True,
        ),
    )
}  # fmt: skip


def find_pair(folder: Path, part: Part, prefix: str = "") -> tuple[Path, Path] | None:
    """Return the files of pictures and of labels of one part, or None if one is missing."""
    found = []
    for what, axes in (("images", 3), ("labels", 1)):
        names = (
            f"{prefix}{start}-{what}{joint}idx{axes}-ubyte{packed}"
            for start in (["train"] if part == "train" else ["t10k", "test"])
            for joint in "-."  # some mirrors write train-images.idx3-ubyte
            for packed in ("", ".gz")
        )
        found += [next((path for name in names if (path := folder / name).is_file()), None)]
    return (found[0], found[1]) if found[0] and found[1] else None


def read_pair(
    pair: tuple[Path, Path], md5: Mapping[str, str] | None = None, *, transposed: bool = False
) -> Split:
    """Read pictures and labels that belong together.

    Parameters
    ----------
    pair
        File of pictures, file of labels.
    md5
        MD5 that the unpacked files must have, by their names.
    transposed
        Whether the file holds each picture mirrored at its diagonal.

    Raises
    ------
    DataError
        If a file is damaged or not the expected one, or the two do not belong together.
    """
    images, labels = (
        read_idx(path, (md5 or {}).get(path.name.removesuffix(".gz").replace(".idx", "-idx")))
        for path in pair
    )
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(labels):
        raise DataError(
            f"{pair[0].name} {images.shape} and {pair[1].name} {labels.shape} in {pair[0].parent} "
            "do not belong together; get both files again"
        )
    # A copy: what was read from bytes is not writable, and torch warns about that.
    upright = np.array(images.transpose(0, 2, 1) if transposed else images, order="C")
    return Split(torch.from_numpy(upright)[:, None], torch.from_numpy(labels.astype(np.int64)))
