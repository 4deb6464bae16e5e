"""Where results go: beside the input, into a folder, into a named file, or to stdout."""

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from cnncli.errors import ImageWriteError, UsageError
from cnncli.images.formats import format_of, holds, names_format, suffix_fits, suffix_of
from cnncli.images.picture import Picture
from cnncli.inputs import STDIN

IGNORES_CASE = sys.platform in ("darwin", "win32")  # a.png and A.png are one file there


class Inputs:
    """Files that nothing may be written over, by whatever name."""

    def __init__(self, paths: Collection[Path]) -> None:
        files = [path for path in paths if path != STDIN]
        self._names = {os.path.realpath(path) for path in files}
        self._identities = {_identity(path) for path in files} - {None}

    def refuse(self, target: Path) -> None:
        """Raise ImageWriteError if `target` is one of them: by a link or in other letters too."""
        if os.path.realpath(target) in self._names or _identity(target) in self._identities:
            raise ImageWriteError(f"{target} is an input; name another output with -o")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_ino else None


class Targets:
    """The output path of every input, checked before anything is written.

    Parameters
    ----------
    inputs
        All inputs of the run; none of them is ever a target.
    output
        What ``--output`` said, or None.
    what
        Goes into file names: ``photo.png`` and ``blur`` give ``photo_blur.png``.
    others
        Further files that are read, such as a kernel, and are no target either.
    several
        Whether a folder or a pattern was named. A new name without a suffix is a folder then,
        even if there is one picture today.

    Raises
    ------
    UsageError
        If several inputs would end in one file.
    """

    def __init__(
        self,
        inputs: Sequence[Path],
        output: str | None,
        what: str,
        others: Collection[Path] = (),
        *,
        several: bool = False,
    ) -> None:
        self._what = what
        self._taken: dict[str, Path] = {}
        self._folder: Path | None = None
        self._file: str | None = None
        if output is not None:
            self._parse(output, len(inputs), several)
        self._inputs = Inputs([*inputs, *others])
        if self._file is None:
            self._refuse_clashes(inputs)

    @property
    def to_stdout(self) -> bool:
        """Whether the picture itself goes to stdout."""
        return self._file == "-"

    def are_apart(self, inputs: Sequence[Path]) -> bool:
        """Whether no two results can be one file, whatever their suffixes turn out to be.

        If so, the targets of different inputs may be found in different processes.
        """
        if self._file is not None:
            return False
        names = {_name_on_disk(self._place(source) / _stem(source)) for source in inputs}
        return len(names) == len(inputs)

    def prepare(self) -> None:
        """Make the output folder, if there is to be one."""
        if self._folder is not None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ImageWriteError(
                    f"{self._folder}: {error.strerror or error}; name another folder"
                ) from None

    def path_for(self, source: Path, result: Picture) -> tuple[str, str]:
        """Return the target, ``"-"`` for stdout, and the format of one result.

        The input's own format is kept where it can hold the result; else PNG, or NPY for real
        numbers.

        Raises
        ------
        ImageWriteError
            If the target is an input, or has an unknown suffix.
        """
        own = str(result.info.get("format", "PNG"))
        kept = own if holds(own, result.kind) else "PNG"
        name = kept if holds(kept, result.kind) else "NPY"
        if self._file == "-":
            return "-", name
        if self._file is not None:
            target = Path(self._file)
            name = format_of(target)
        else:
            keeps = name == own and source != STDIN and suffix_fits(source.suffix, result.kind)
            suffix = source.suffix if keeps else suffix_of(name, result.kind)
            target = self._place(source) / f"{_stem(source)}_{self._what}{suffix}"
        self._inputs.refuse(target)
        if (other := self._taken.setdefault(_name_on_disk(target), source)) != source:
            raise ImageWriteError(f"{target} is already the result of {other}; use another -o")
        return str(target), name

    def _parse(self, output: str, count: int, several: bool) -> None:
        path = Path(output)
        is_folder = path.is_dir() or output.endswith(("/", os.sep))
        is_folder |= several and output != "-" and not path.suffix and not path.exists()
        if output == "-" and count > 1:
            raise UsageError(f"-o - takes one picture and there are {count}; name a folder")
        if output == "-" or (count == 1 and not is_folder):
            self._file = output
        elif not is_folder and (path.exists() or names_format(path)):
            raise UsageError(f"-o {output} is one file and there are {count} inputs; name a folder")
        else:
            self._folder = path

    def _place(self, source: Path) -> Path:
        if self._folder is not None:
            return self._folder
        return Path() if source == STDIN else source.parent

    def _refuse_clashes(self, inputs: Sequence[Path]) -> None:
        seen: dict[str, Path] = {}
        for source in inputs:
            target = self._place(source) / f"{_stem(source)}_{self._what}{source.suffix}"
            other = seen.setdefault(_name_on_disk(target), source)
            if other != source:
                raise UsageError(
                    f"{other} and {source} would both become {target}; "
                    "name them in separate runs with different -o"
                )


def _name_on_disk(target: Path) -> str:
    return str(target).casefold() if IGNORES_CASE else str(target)


def _stem(source: Path) -> str:
    return "stdin" if source == STDIN else source.stem
