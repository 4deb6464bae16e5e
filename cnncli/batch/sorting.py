"""Files put into folders by class: none is lost, none is overwritten, none is left in part."""

import contextlib
import errno
import filecmp
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cnncli.files import atomic_write


def class_folder(root: Path, label: str) -> Path:
    """Return the folder of a class; a name that would lead elsewhere is made harmless.

    >>> class_folder(Path("out"), "../7").as_posix()
    'out/_7'
    """
    safe = re.sub(r"[^\w .()+-]+", "_", label).strip(" .") or "_"
    return root / (safe if not set(safe) <= {"."} else "_")


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
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
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
