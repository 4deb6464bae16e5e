"""Files: every output is whole or absent, names sort as people count (standard library only)."""

import contextlib
import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

# What a folder is searched for; a file named outright may be called anything.
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".ico", ".jp2", ".j2k", ".avif", ".qoi"}
    | {".heic", ".heif"}  # with the extra photos
)

_unfinished: set[Path] = set()  # temporary files that exist at this moment
_may_begin = threading.Lock()  # held while one comes into being; kept for good at the end


def natural_key(name: str | Path) -> str:
    """Return a sort key that counts: ``img2`` comes before ``img10``.

    >>> sorted(["img10.png", "img2.png"], key=natural_key)
    ['img2.png', 'img10.png']
    """
    return re.sub("[0-9]+", _counted, str(name))


def _counted(number: re.Match[str]) -> str:
    """Put in front of a number how many digits it has: texts then compare as numbers do."""
    digits = number[0].lstrip("0")
    return chr(len(digits)) + digits


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it appears whole, or not at all.

    The bytes go to a hidden temporary file in the same folder, reach the disk (fsync), and take
    the name by a rename. If the body or the disk fails, the temporary file is removed and an
    earlier file of that name is untouched. A symbolic link stays a link: its target is replaced.
    What is no regular file (a device, a pipe) or is write-protected is not replaced.

    Parameters
    ----------
    path
        The file to write; its folder must exist.

    Yields
    ------
    BinaryIO
        The temporary file, open for reading and writing.

    Raises
    ------
    OSError
        As the operating system reports it (no such folder, read-only, disk full).
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:80]}.{os.urandom(4).hex()}.tmp")
    mode = _mode_of(target)
    try:
        with _create(temporary) as file:
            if mode is not None:
                temporary.chmod(mode)  # a new file has 0o666 less the umask, as open() leaves it
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except FileExistsError:
        raise  # the name was drawn before by somebody else, and is not ours to remove
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    finally:
        _unfinished.discard(temporary)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file by :func:`atomic_write`."""
    with atomic_write(path) as file:
        file.write(data)


def open_lines(path: Path, end: int) -> FileIO:
    """Open a file that grows line by line, at its end, each line written at once.

    Parameters
    ----------
    path
        Made if it is missing.
    end
        Bytes that stay; what lies behind is a line that was cut off.
    """
    file = path.open("ab", buffering=0)
    file.truncate(end)
    return file


def remove_unfinished() -> None:
    """Remove the temporary files of writes that will not end, and let none begin.

    For a process that is about to leave while threads of it may still be writing.
    """
    _may_begin.acquire(timeout=1)
    for temporary in tuple(_unfinished):
        with contextlib.suppress(OSError):
            temporary.unlink()


def _create(temporary: Path) -> BinaryIO:
    with _may_begin:
        _unfinished.add(temporary)
        return temporary.open("x+b")


def _mode_of(target: Path) -> int | None:
    """Return the permissions of the file that is to be replaced, None if there is none."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it exists and is no regular file", str(target))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(target))
    return mode & 0o777
