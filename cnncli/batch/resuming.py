"""What an earlier run has done already: finished pictures, and lines of a file of results."""

import json
from pathlib import Path
from typing import Literal

from cnncli.errors import DataError, UsageError
from cnncli.files import open_lines, write_whole
from cnncli.remote import is_url, names_in, read_object, write_object

JOURNAL = ".cnncli-settings"  # beside results: what they were made with


def require_same(folder: str, name: str, settings: str, *, begun: bool) -> None:
    """Write down what results are made with; refuse to add results of other settings.

    Parameters
    ----------
    folder
        Where the results are; a path or a URL.
    name
        Of the file there that says it.
    settings
        One line of text.
    begun
        Whether there are results already.

    Raises
    ------
    UsageError
        If those were made with other settings, or nobody knows with which.
    """
    remote = is_url(folder)
    there = name in names_in(folder) if remote else Path(folder, name).exists()
    journal = f"{folder.rstrip('/')}/{name}"
    if there:
        before = read_object(journal) if remote else Path(journal).read_bytes()
        if before.decode("utf-8", "replace").strip() != settings:
            raise UsageError(
                f"{folder} holds results of other settings, see {journal}; "
                "give those again, or another -o"
            )
        return
    if begun:
        raise UsageError(
            f"{folder} holds results of unknown settings; --resume goes on with what was "
            "begun with --resume: remove them, or give another -o"
        )
    if remote:
        write_object(journal, settings.encode() + b"\n")
        return
    write_whole(Path(journal), settings.encode() + b"\n")


class ResultsFile:
    """A file that gets a line for each input as soon as it is done.

    Whatever ends the process, at most the last line is cut off; going on removes it.

    Parameters
    ----------
    path
        ``.jsonl`` or ``.csv``.
    header
        First line of a ``.csv``.
    settings
        One line of text: what the results are made with.
    resume
        Go on behind the lines that are there.

    Raises
    ------
    UsageError
        If the file is there and is not to be gone on with, or its suffix is another one.
    DataError
        If it holds something else.
    """

    def __init__(self, path: Path, header: str, settings: str, *, resume: bool) -> None:
        if path.suffix not in (".jsonl", ".csv"):
            raise UsageError(f"-o {path} names no format of results; use .jsonl or .csv")
        if path.exists() and not resume:
            raise UsageError(f"{path} exists; add --resume to go on with it, or give another -o")
        self._is_csv, self._header = path.suffix == ".csv", header
        self.done: set[str] = set()
        self.failed = 0
        end = self._read(path) if path.exists() else 0
        require_same(str(path.parent), f".{path.name}{JOURNAL}", settings, begun=end > 0)
        self._file = open_lines(path, end)
        if self._is_csv and not end:
            self.append(header)

    @property
    def form(self) -> Literal["json", "csv"]:
        """``"csv"`` or ``"json"``."""
        return "csv" if self._is_csv else "json"

    def append(self, line: str) -> None:
        """Write one line."""
        self._file.write(line.encode("utf-8", "surrogateescape") + b"\n")

    def _read(self, path: Path) -> int:
        """Note what is done; return where the last whole line ends."""
        end, row = 0, b""
        with path.open("rb") as file:
            for line in file:
                row += line
                within_quotes = self._is_csv and row.count(b'"') % 2  # a name with a line end
                if line.endswith(b"\n") and not within_quotes:
                    self._note(row.decode("utf-8", "surrogateescape"), path)
                    end, row = end + len(row), b""
        return end

    def _note(self, row: str, path: Path) -> None:
        import csv  # 4 ms that no other command needs

        try:
            if not self._is_csv:
                record = json.loads(row)
                name, error = record["path"], record["error"]
            elif row.rstrip("\n") == self._header:
                return
            else:
                name, *_, error = next(csv.reader([row]))
        except (ValueError, KeyError, TypeError, StopIteration):
            raise DataError(f"{path} holds no results ({row[:40]!r}); give another -o") from None
        self.done.add(name)
        self.failed += bool(error)
