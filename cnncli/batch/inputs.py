"""Which files the words on the command line mean (standard library only)."""

import glob
import os
import re
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cnncli.errors import CnncliError, ImageReadError, UsageError
from cnncli.files import PICTURE_SUFFIXES, natural_key
from cnncli.remote import expand_url, is_url

STDIN = "-"
_DIGITS = str.maketrans("123456789", "000000000")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The pictures of a batch, in order.

    Parameters
    ----------
    names
        Paths, and ``-`` for stdin; none twice. Texts, because a million paths fill the memory.
    missing
        Names that stand for no picture, and why: they fail when their turn comes.
    several
        Whether a folder, a pattern or a list was named, whatever number of files it stands for now.
    done, failed
        Inputs that an earlier run has done, and how many of them failed then.
    """

    names: list[str]
    missing: dict[str, CnncliError] = field(default_factory=dict)
    several: bool = False
    done: int = 0
    failed: int = 0

    def __len__(self) -> int:
        return len(self.names)

    @property
    def present(self) -> list[str]:
        """The names that are not missing."""
        return [name for name in self.names if name not in self.missing]

    def shard(self, part: str | None) -> "Inputs":
        """Return every N-th of the sorted inputs, beginning with the I-th; all for None.

        Parameters
        ----------
        part
            ``I/N``, I from 1 to N.

        Raises
        ------
        UsageError
            If it is not of that form.

        Examples
        --------
        >>> Inputs(["b", "a", "d", "c"]).shard("2/3").names
        ['b']
        """
        if part is None:
            return self
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", part)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {part!r} is no part; give I/N with I from 1 to N: 2/8")
        return replace(self, names=_sorted(self.names)[int(match[1]) - 1 :: int(match[2])])

    def without(self, done: Container[str], failed: int = 0) -> "Inputs":
        """Return what is left to do; `failed` of the others have failed before."""
        names = [name for name in self.names if name not in done]
        return replace(self, names=names, done=len(self.names) - len(names), failed=failed)


def expand_inputs(
    arguments: Sequence[str] | None, *, recursive: bool = False, from_list: str | None = None
) -> Inputs:
    """Return the picture files that files, folders, globs and ``-`` stand for.

    Parameters
    ----------
    arguments
        As typed. A folder stands for the pictures directly in it, a glob for what it matches
        (``**`` for any depth), ``-`` for stdin. An existing file is taken whatever its name is.
    recursive
        A folder stands for the pictures of its sub-folders too.
    from_list
        A file of further names, one a line, or ``-`` for stdin. Where there are null characters,
        these end the names (``find -print0``). They are not looked at before their turn.

    Returns
    -------
    Inputs
        In the order of the arguments; within one argument by natural order (``2`` before ``10``).

    Raises
    ------
    UsageError
        If there is no argument and no list.
    ImageReadError
        If the only argument is missing, a folder without pictures, or a glob without a match.
    """
    arguments = arguments or []
    listed = _listed(from_list) if from_list is not None else []
    if not arguments and from_list is None:
        raise UsageError("no picture is named; name files, folders, globs or - for stdin")
    names: list[str] = []
    missing: dict[str, CnncliError] = {}
    for argument in arguments:
        try:
            names += _expand(argument, recursive=recursive)
        except CnncliError as error:
            if len(arguments) == 1 and not listed:
                raise
            names.append(argument)
            missing[argument] = error
    several = bool(listed) or any(_stands_for_several(argument) for argument in arguments)
    if len(arguments) > 1 or listed:  # one folder or pattern names nothing twice
        names = list(dict.fromkeys([*names, *listed]))
    return Inputs(names, missing, several)


def _listed(source: str) -> list[str]:
    data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    text = os.fsdecode(data)
    if "\0" in text:
        return [name for name in text.split("\0") if name]
    return [line for line in text.replace("\r\n", "\n").split("\n") if line]


def _stands_for_several(argument: str) -> bool:
    name = _home(argument)
    if is_url(name):
        return name.endswith("/") or "*" in name
    return os.path.isdir(name) or (glob.has_magic(name) and not os.path.exists(name))  # noqa: PTH110, PTH112 (Path's raise for a name too long)


def _expand(argument: str, *, recursive: bool) -> list[str]:
    if argument == STDIN:
        return [STDIN]
    if is_url(argument):
        return _sorted(expand_url(argument, recursive=recursive))
    path = Path(_home(argument))
    try:
        if path.is_dir():
            return _in_folder(path, recursive=recursive)
        exists = path.exists()
    except OSError as error:  # a folder that may not be listed, a name that is too long
        raise ImageReadError(
            f"{argument}: {error.strerror or error}; check the path and its permissions"
        ) from None
    if exists:
        return [str(path) if str(path) != STDIN else f".{os.sep}-"]  # ./- is a file
    if glob.has_magic(argument):
        return _matches(argument)
    raise ImageReadError(f"{argument}: no such file or folder; check the path")


def _home(name: str) -> str:
    return os.path.expanduser(name)  # noqa: PTH111 (Path's raises where there is no such user)


def _in_folder(folder: Path, *, recursive: bool) -> list[str]:
    pictures = list(_pictures(str(folder), recursive=recursive))
    if pictures:
        return _sorted(pictures)
    deeper = not recursive and next(_pictures(str(folder), recursive=True), None)
    way_out = (
        "add --recursive for those of its sub-folders" if deeper else "name a folder that does"
    )
    raise ImageReadError(f"{folder} holds no pictures; {way_out}")


def _pictures(folder: str, *, recursive: bool) -> Iterator[str]:
    """Yield the pictures of a folder as the system lists them, hidden ones left out."""
    suffixes = tuple(PICTURE_SUFFIXES)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(suffixes) and entry.is_file():
                yield entry.name if folder == "." else entry.path
            elif recursive and entry.is_dir(follow_symlinks=False):
                yield from _pictures(entry.path if folder != "." else entry.name, recursive=True)


def _sorted(names: list[str]) -> list[str]:
    names = sorted(names)  # by itself, too: 01 and 1 count the same
    shapes = set("\0".join(names).translate(_DIGITS).split("\0"))
    # Where all numbers have one width, that was it: 0.6 of the 2.8 s until a million are listed.
    return names if len(shapes) == 1 else sorted(names, key=natural_key)


def _matches(pattern: str) -> list[str]:
    names = glob.glob(_home(pattern), recursive=True)  # noqa: PTH207 (Path.glob takes no absolute one)
    matches = [str(Path(name)) for name in names if os.path.isfile(name)]  # noqa: PTH113
    if not matches:
        raise ImageReadError(f"{pattern} matches no file; check the pattern")
    return _sorted(matches)
