"""Where results go: beside the input, into a folder, into a named file, or to stdout."""

import os
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cnncli.batch.inputs import STDIN, Inputs
from cnncli.batch.resuming import JOURNAL, require_same
from cnncli.errors import ImageWriteError, UsageError
from cnncli.images.formats import format_of, holds, names_format, suffix_fits, suffix_of
from cnncli.images.picture import Picture
from cnncli.remote import is_url, names_in

IGNORES_CASE = sys.platform in ("darwin", "win32")  # a.png and A.png are one file there

_Identity = tuple[int, int] | str


class ProtectedFiles:
    """Files that nothing may be written over, by whatever name.

    Parameters
    ----------
    names
        Their paths, with a null character between two. They are looked at once a target exists,
        which most do not.
    """

    def __init__(self, names: str) -> None:
        # A million take 2 MB like this, as texts 75, in this process and on the way to others.
        self._names = zlib.compress(os.fsencode(names), 1)
        self._identities: set[_Identity] | None = None

    def refuse(self, target: str | Path) -> None:
        """Raise ImageWriteError if `target` is one of them: by a link or in other letters too."""
        identity = _identity(target)
        if identity is None:  # there is no such file
            return
        if self._identities is None:
            names = os.fsdecode(zlib.decompress(self._names))
            found = map(_identity, names.split("\0"))
            self._identities = {each for each in found if each is not None}
        if identity in self._identities:
            raise ImageWriteError(f"{target} is an input; name another output with -o")


def _identity(path: str | Path) -> _Identity | None:
    """Return what two names of one file have in common, None where there is none."""
    if is_url(str(path)):
        return str(path)
    try:
        found = os.stat(path)  # noqa: PTH116 (a Path for each of a million names takes seconds)
    except (OSError, ValueError):
        return None
    # Some file systems do not count their files.
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(path)


class OutputPaths:
    """The output path of every input, checked before anything is written.

    Parameters
    ----------
    inputs
        All inputs of the run; none of them is ever written over.
    output
        What ``--output`` said, or None. A new name without a suffix is a folder where a folder or
        a pattern was named, even if there is one picture today.
    what
        Goes into file names: ``photo.png`` and ``blur`` give ``photo_blur.png``.
    others
        Further files that are read, such as a kernel, and are not written over either.

    Raises
    ------
    UsageError
        If several inputs would end in one file.
    """

    def __init__(
        self, inputs: Inputs, output: str | None, what: str, others: Sequence[Path] = ()
    ) -> None:
        self._what = what
        self._taken: dict[str, str] = {}
        self._folder: str | None = None
        self._file: str | None = None
        if output is not None:
            self._parse(output, len(inputs), inputs.several)
        names = "\0".join(inputs.names)
        self._protected = ProtectedFiles("\0".join([names, *map(str, others)]))
        # Whether no two results can be one file, whatever their suffixes turn out to be: only
        # then may the paths of different inputs be found in different processes.
        self.are_apart = False
        if self._file is None:
            # Most are, and a million names take seconds else.
            alike = bool(inputs.names) and _are_alike(names, len(inputs))
            stems = len(inputs) if alike else _without_clashes(inputs.names, self._stem)
            self.are_apart = stems == len(inputs) and STDIN not in inputs.names

    @property
    def to_stdout(self) -> bool:
        """Whether the picture itself goes to stdout."""
        return self._file == "-"

    def make_folder(self) -> None:
        """Make the output folder, if there is to be one."""
        if self._folder is not None and not is_url(self._folder):
            Path(self._folder).mkdir(parents=True, exist_ok=True)

    def finished(self, names: Iterable[str], settings: str) -> set[str]:
        """Return the inputs whose results are there, whole as all files are.

        Parameters
        ----------
        names
            Inputs.
        settings
            What the results are made with, as one line of text.

        Raises
        ------
        UsageError
            If there is no output folder, or it holds results of other settings.
        """
        if self._folder is None:
            raise UsageError("--resume needs a folder for the results; give -o FOLDER/")
        listed = names_in if is_url(self._folder) else os.listdir
        there = {name for name in listed(self._folder) if names_format(Path(name))}
        if self.are_apart:  # whatever the suffix turned out to be
            there = {os.path.splitext(name)[0] for name in there}  # noqa: PTH122
        done = set()
        for source in names:
            suffix = "" if self.are_apart else os.path.splitext(source)[1]  # noqa: PTH122
            if os.path.basename(self._stem(source)) + suffix in there:  # noqa: PTH119
                done.add(source)
        require_same(self._folder, JOURNAL, settings, begun=bool(done))
        return done

    def path_for(self, source: str, result: Picture) -> tuple[str, str]:
        """Return the path, ``"-"`` for stdout, and the format of one result.

        The input's own format is kept where it can hold the result; else PNG, or NPY for real
        numbers.

        Raises
        ------
        ImageWriteError
            If the path is an input, or has an unknown suffix.
        """
        own = str(result.info.get("format", "PNG"))
        kept = own if holds(own, result.kind) else "PNG"
        name = kept if holds(kept, result.kind) else "NPY"
        if self._file == "-":
            return "-", name
        if self._file is not None:
            target = self._file
            name = format_of(Path(target))
        else:
            suffix = os.path.splitext(source)[1]  # noqa: PTH122 (a URL is no Path)
            keeps = name == own and source != STDIN and suffix_fits(suffix, result.kind)
            target = self._stem(source) + (suffix if keeps else suffix_of(name, result.kind))
        self._protected.refuse(target)
        if (other := self._taken.setdefault(_name_on_disk(target), source)) != source:
            raise ImageWriteError(f"{target} is already the result of {other}; use another -o")
        return target, name

    def _parse(self, output: str, count: int, several: bool) -> None:
        path = Path(output)
        is_folder = output.endswith(("/", os.sep)) or path.is_dir()
        is_folder |= several and output != "-" and not path.suffix and not path.exists()
        if output == "-" and count > 1:
            raise UsageError(f"-o - takes one picture and there are {count}; name a folder")
        if output == "-" or (count == 1 and not is_folder):
            self._file = output if output == "-" or is_url(output) else str(path)
        elif not is_folder and (path.exists() or names_format(path)):
            raise UsageError(f"-o {output} is one file and there are {count} inputs; name a folder")
        else:
            self._folder = output if is_url(output) else str(path)

    def _stem(self, source: str) -> str:
        """Return the path of a result without its suffix."""
        folder, name = ("", "stdin") if source == STDIN else os.path.split(source)
        if self._folder is not None:
            folder = self._folder
        return os.path.join(folder, f"{os.path.splitext(name)[0]}_{self._what}")  # noqa: PTH118, PTH122


def _are_alike(names: str, count: int) -> bool:
    """Whether all names have one folder and one suffix, so that their stems differ as they do.

    Counted in all names at once: a million texts lie scattered in memory.
    """
    first = names.partition("\0")[0]
    folder = first[: first.rfind("/") + 1]
    suffix = os.path.splitext(first)[1]  # noqa: PTH122
    return (
        not IGNORES_CASE
        and suffix != ""
        and f"\0{names}".count(f"\0{folder}") == count
        and names.count("/") == count * folder.count("/")
        and f"{names}\0".count(f"{suffix}\0") == count
    )


def _without_clashes(names: Sequence[str], stem_of: Callable[[str], str]) -> int:
    """Refuse inputs that would become one file; return the number of different stems."""
    seen: dict[str, str] = {}
    stems = set()
    for source in names:
        stem = stem_of(source)
        target = stem + os.path.splitext(source)[1]  # noqa: PTH122
        stems.add(_name_on_disk(stem))
        if (other := seen.setdefault(_name_on_disk(target), source)) != source:
            raise UsageError(
                f"{other} and {source} would both become {target}; "
                "name them in separate runs with different -o"
            )
    return len(stems)


def _name_on_disk(target: str) -> str:
    return target.casefold() if IGNORES_CASE else target
