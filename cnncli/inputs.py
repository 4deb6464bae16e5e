"""Which files the words on the command line mean (standard library only)."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from cnncli.errors import ImageReadError

STDIN = Path("-")

# What a folder is searched for; a file named outright may be called anything.
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".ico", ".jp2", ".j2k", ".avif", ".qoi"}
)


def expand_inputs(arguments: Sequence[str]) -> list[Path]:
    """Return the picture files that files, folders, globs and ``-`` stand for.

    Parameters
    ----------
    arguments
        As typed. A folder stands for the pictures directly in it, a glob for what it matches
        (``**`` for any depth), ``-`` for stdin. An existing file is taken whatever its name is.

    Returns
    -------
    list of Path
        In the order of the arguments; within one argument by natural order (``2`` before ``10``).
        A file named twice is listed once. Where there are several arguments, a missing file is
        listed too: it fails when its turn comes, and the others are done.

    Raises
    ------
    ImageReadError
        If the only file is missing, a folder holds no picture, or a glob matches nothing.
    """
    alone = len(arguments) == 1
    found = [path for argument in arguments for path in _expand(argument, alone)]
    return list(dict.fromkeys(found))


def stand_for_several(arguments: Sequence[str]) -> bool:
    """Tell whether a folder or a pattern was named, whatever number of files it stands for now.

    >>> stand_for_several(["a.png"]), stand_for_several(["*.png"])
    (False, True)
    """
    return any(_stands_for_several(_home(Path(argument))) for argument in arguments)


def _stands_for_several(path: Path) -> bool:
    try:
        return path.is_dir() or (glob.has_magic(str(path)) and not path.exists())
    except OSError:  # a name that is too long: reading it will tell
        return False


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key that counts: ``img2`` comes before ``img10``.

    >>> sorted([Path("img10.png"), Path("img2.png")], key=natural_key)[0].name
    'img2.png'
    """
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def _expand(argument: str, alone: bool) -> list[Path]:
    if argument == "-":
        return [STDIN]
    path = _home(Path(argument))
    try:
        if path.is_dir():
            return _in_folder(path)
        exists = path.exists()
    except OSError as error:  # a folder that may not be listed, a name that is too long
        if not alone:
            return [path]
        raise ImageReadError(
            f"{argument}: {error.strerror or error}; check the path and its permissions"
        ) from None
    if not exists and glob.has_magic(argument):
        return _matches(argument)
    if exists or not alone:
        return [path.absolute() if path == STDIN else path]  # ./- is a file
    raise ImageReadError(f"{argument}: no such file or folder; check the path")


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no user of that name: the file is really called ~something
        return path


def _in_folder(folder: Path) -> list[Path]:
    pictures = [entry for entry in folder.iterdir() if _is_picture(entry)]
    if not pictures:
        raise ImageReadError(f"{folder} holds no pictures; name a folder that does")
    return sorted(pictures, key=natural_key)


def _is_picture(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in PICTURE_SUFFIXES and not hidden and path.is_file()


def _matches(pattern: str) -> list[Path]:
    expanded = str(_home(Path(pattern)))
    names = glob.glob(expanded, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute one)
    matches = [Path(name) for name in names if Path(name).is_file()]
    if not matches:
        raise ImageReadError(f"{pattern} matches no file; check the pattern")
    return sorted(matches, key=natural_key)
