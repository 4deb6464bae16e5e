"""CIFAR-10 in its binary form: a label byte, then 3 x 32 x 32 bytes, picture by picture.

The other published form is a set of pickles, which can run code when read; it is not used.
"""

from pathlib import Path

import numpy as np
import torch

from cnncli.errors import DataError
from cnncli.nn.splits import Split

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_RECORD = 1 + 3 * 32 * 32


def find_cifar(root: Path) -> Path | None:
    """Return the folder under `root` that holds all six files, or None."""
    names = [name for files in FILES.values() for name in files]
    for folder in (root / FOLDER, root / "cifar10", root):
        if all((folder / name).is_file() for name in names):
            return folder
    return None


def read_cifar(folder: Path, part: str) -> Split:
    """Read the training or the test pictures.

    Parameters
    ----------
    folder
        With the six files.
    part
        ``"train"`` or ``"test"``.

    Returns
    -------
    Split
        Pictures uint8 ``(N, 3, 32, 32)``.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    """
    records = []
    for name in FILES[part]:
        try:
            data = np.fromfile(folder / name, np.uint8)
        except OSError as error:
            raise DataError(f"cannot read {folder / name}: {error.strerror}") from error
        if len(data) == 0 or len(data) % _RECORD or data[::_RECORD].max() > 9:
            raise DataError(f"{folder / name} is no file of CIFAR-10; get it again from {URL}")
        records.append(data.reshape(-1, _RECORD))
    whole = torch.from_numpy(np.concatenate(records))
    return Split(whole[:, 1:].reshape(-1, 3, 32, 32).contiguous(), whole[:, 0].long())
