"""What becomes of predictions beside being shown: files written, pictures labelled, sorted."""

import contextlib
import errno
import filecmp
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.batch.inputs import STDIN
from cnncli.batch.outputs import ProtectedFiles
from cnncli.errors import CnncliError, failure_of
from cnncli.files import atomic_write
from cnncli.images import Picture, to_uint8_rgb, write_picture
from cnncli.inference.predict import Prediction
from cnncli.show.sheet import annotated

Sink = Callable[[Prediction], None]


def hand_over(prediction: Prediction, sinks: Sequence[Sink]) -> CnncliError | None:
    """Give a prediction to all sinks; return the first failure as an error of this input."""
    failures = []
    for sink in sinks:
        try:
            sink(prediction)
        except (CnncliError, OSError) as error:
            failures.append(failure_of(prediction.path, error))
    return failures[0] if failures else None


class PictureFolder:
    """Writes pictures under names that no other picture of the run has, and that are no input.

    Parameters
    ----------
    folder
        Made if it is missing.
    inputs
        Never overwritten.
    what
        Goes into the names: ``photo.jpg`` and ``seen`` give ``photo_seen.png``.
    """

    def __init__(self, folder: Path, inputs: Sequence[str], what: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._what = folder, what
        self._protected = ProtectedFiles("\0".join(inputs))
        self._names: dict[str, int] = {}

    def write(self, source: str, pixels: NDArray[np.uint8]) -> None:
        """Write pixels ``(H, W)`` or ``(H, W, 3)`` for an input."""
        stem = "stdin" if source == STDIN else Path(source).stem
        number = self._names[stem] = self._names.get(stem, 0) + 1
        name = f"{stem}_{self._what}{'' if number == 1 else f'_{number}'}.png"
        self._protected.refuse(self._folder / name)
        write_picture(self._folder / name, Picture(pixels, mode="L" if pixels.ndim == 2 else "RGB"))


def write_seen(folder: PictureFolder, prediction: Prediction) -> None:
    """Write what the network was shown."""
    if prediction.prepared is not None:
        pixels = prediction.prepared.pixels
        folder.write(prediction.path, pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def write_labelled(
    folder: PictureFolder, read: Callable[[str], Picture], prediction: Prediction
) -> None:
    """Read the picture again and write it with its label, and a frame around what was read."""
    text = f"{prediction.label}  {prediction.top[0].confidence:.0%}"
    pixels = to_uint8_rgb(read(prediction.path))
    folder.write(prediction.path, annotated(pixels, text, prediction.boxes))


def sort_by_class(root: Path, move: bool, prediction: Prediction) -> None:
    """Copy or move the picture into the folder of its class."""
    put(Path(prediction.path), class_folder(root, str(prediction.label)), move=move)


def class_folder(root: Path, label: str) -> Path:
    """Return the folder of a class; a name that would lead elsewhere is made harmless.

    >>> class_folder(Path("out"), "../7").as_posix()
    'out/_7'
    """
    safe = re.sub(r"[^\w .()+-]+", "_", label).strip(" .") or "_"
    return root / safe


def put(source: Path, folder: Path, *, move: bool) -> Path:
    """Copy or move a file into a folder under its own name, or one with a number.

    The name is first taken by an empty file that only this call can have made; then the content
    replaces it in one step. Whatever ends the work in between (a full disk, Ctrl-C), the source
    is whole, and the name is free again.

    Parameters
    ----------
    source
        The file.
    folder
        Made if it is missing.
    move
        Remove the source once its content is safely at the new place.

    Returns
    -------
    Path
        Where the file is now. A copy that is there already, byte for byte, is not made twice.

    Raises
    ------
    OSError
        As the operating system reports it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if source.resolve().parent == folder.resolve():
        return source
    for target in _names(folder, source.name):
        if not move and target.is_file() and filecmp.cmp(source, target, shallow=False):
            return target
        if _reserve(target):
            break
    try:
        if not (move and _rename(source, target)):
            _copy(source, target)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise
    if move and source.exists():
        source.unlink()
    return target


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(2, 1_000_000):
        yield folder / f"{stem}-{number}{suffix}"


def _reserve(target: Path) -> bool:
    try:
        target.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _rename(source: Path, target: Path) -> bool:
    """Move within one file system; False where it takes a copy."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as original, atomic_write(target) as copy:
        shutil.copyfileobj(original, copy, 1 << 20)
    with contextlib.suppress(OSError):  # dates are nice to have; not every disk keeps them
        shutil.copystat(source, target)
