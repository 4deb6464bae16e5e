"""Files that are whole or absent: every output goes through one atomic writer (stdlib only)."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open `path` for writing so that it appears whole, or not at all.

    The bytes go to a hidden temporary file in the same folder, reach the disk (fsync), and take
    the name by a rename. If the body or the disk fails, the temporary file is removed and an
    earlier file of that name is untouched. A symbolic link stays a link: its target is replaced.

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
    temporary = target.with_name(f".{target.name[:80]}.{secrets.token_hex(4)}.tmp")
    # 0o666 less the umask, or the mode of the file that is replaced: what open() would leave.
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    descriptor = os.open(
        temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
    )
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
