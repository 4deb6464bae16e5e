"""Rebuild the documentation from the program itself, or check that it is fresh.

    python docs/build.py            rewrite what is stale
    python docs/build.py --check    change nothing; exit 1 and name what is stale

Three things are made here: ``docs/cli.md`` from the commands' own options, the output shown under
every command of a ``console`` block in README.md and docs/*.md, and the pictures that those
commands write. A block shows what goes to stdout. A comment in the line before a block changes
what happens to it:

    <!-- console: keep -->     run it, but keep the output as it stands (timings, versions)
    <!-- console: parse -->    check only that the command line can be parsed (long trainings)
    <!-- console: first 9 -->  show the first nine lines of each output
"""

import argparse
import contextlib
import inspect
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cnncli.cli import build_app, main
from cnncli.images import read_picture, to_uint8_rgb

ROOT = Path(__file__).resolve().parents[1]
PICTURES = Path("docs", "pictures")
NEEDED = ("sample_images", "weights")  # folders that the commands of the pages name
_BLOCK = re.compile(
    r"(?:^<!-- console: (?P<mode>keep|parse|first \d+) -->\n)?^```console\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PICTURE = re.compile(r"!\[[^\]]*\]\((?:docs/)?pictures/([\w.-]+)\)")


def pages(root: Path = ROOT) -> list[Path]:
    """Return README.md and the pages in docs/, but for the generated one."""
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return [path for path in found if path.name != "cli.md"]


# --- docs/cli.md -----------------------------------------------------------------------------


def cli_page() -> str:
    """Return ``docs/cli.md``: every command with its options, from what ``--help`` reads."""
    parts = [
        "# The command line",
        "<!-- made by docs/build.py (make docs) from the options themselves; do not edit -->",
        "Exit codes: 0 done, 1 error, 2 wrong usage, 3 some inputs of a batch failed, "
        "130 interrupted (Ctrl-C), 143 ended by SIGTERM; what can be saved is saved first. "
        "Results go to stdout; progress, notices and warnings to stderr.",
    ]
    app = build_app()
    root = app.registered_callback
    if root is not None and root.callback is not None:
        parts += ["## cnncli", inspect.getdoc(root.callback) or "", _table(root.callback)]
    for info in app.registered_commands:
        if info.callback is not None and not info.hidden:
            parts += _command(info.name or info.callback.__name__.replace("_", "-"), info.callback)
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(name: str, callback: Any) -> list[str]:
    named = [p.name() for p in _parameters(callback) if p.is_argument]
    usage = f"    cnncli {name} [OPTIONS] {' '.join(named)}".rstrip()
    return [f"## cnncli {name}", usage, _prose(inspect.getdoc(callback) or ""), _table(callback)]


def _prose(text: str) -> str:
    """Set the examples of a docstring as code: paragraphs that begin with the program's name."""
    blocks = [" ".join(block.split()) for block in text.split("\n\n")]
    blocks = [block.removeprefix("Example: ") for block in blocks]
    return "\n\n".join(f"    {b}" if b.startswith("cnncli ") else b for b in blocks)


def _table(callback: Any) -> str:
    rows = [
        f"| {_code(p.name())} | {_cell(p.meaning())} | {_code(p.shown_default())} |"
        for p in _parameters(callback)
    ]
    return "\n".join(["| option | meaning | default |", "|---|---|---|", *rows]) if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


_METAVARS = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


@dataclass(frozen=True)
class Parameter:
    """One argument or option of a command.

    Parameters
    ----------
    variable, type_, default
        Of the command function.
    given
        Typer's record of it.
    """

    variable: str
    type_: Any
    default: Any
    given: Any

    @property
    def is_argument(self) -> bool:
        """Whether it is told apart by its place, not by a name."""
        return type(self.given).__name__ == "ArgumentInfo"

    def name(self) -> str:
        """Return how it is written: ``--size, -s N|NxM``, ``IMAGES...``."""
        if self.is_argument:
            return self.given.metavar or self.variable.upper()
        # Inside Annotated the first name of an option lands in Typer's field for the default.
        declared = [self.given.default, *(self.given.param_decls or ())]
        flags = [flag for flag in declared if isinstance(flag, str) and flag.startswith("-")]
        flags = flags or [f"--{self.variable.replace('_', '-')}"]
        return " ".join([", ".join(flags), self.given.metavar or self._metavar()]).rstrip()

    def _metavar(self) -> str:
        inner = [t for t in (self.type_, *get_args(self.type_)) if t is not type(None)]
        choices = [arg for t in inner for arg in (get_args(t) or [t]) if isinstance(arg, str)]
        return "|".join(dict.fromkeys(choices)) or "".join(_METAVARS.get(t, "") for t in inner)

    def meaning(self) -> str:
        """Return its help, and the environment variable that also sets it."""
        text = " ".join((self.given.help or "").split())
        return f"{text} (environment: {self.given.envvar})" if self.given.envvar else text

    def shown_default(self) -> str:
        """Return its default, if there is one worth saying."""
        if self.default is inspect.Parameter.empty or not self.given.show_default:
            return ""
        if self.default is None or isinstance(self.default, bool):
            return ""
        return self.default.as_posix() if isinstance(self.default, Path) else str(self.default)


def _parameters(callback: Any) -> Iterator[Parameter]:
    for name, parameter in inspect.signature(callback, eval_str=True).parameters.items():
        told = get_args(parameter.annotation)
        if told and not told[1].hidden:  # a command's own context is neither option nor argument
            yield Parameter(name, told[0], parameter.default, told[1])


# --- the console blocks ----------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """One ``console`` block of a page.

    Parameters
    ----------
    page
        Name of the page.
    mode
        ``run``, ``keep``, ``parse`` or ``first N``.
    body
        Lines between the fences: commands after ``$``, and what they print.
    """

    page: str
    mode: str
    body: str

    def commands(self) -> list[str]:
        """Return the command lines of this program; others, such as pip, are left alone."""
        return [line[2:] for line in self.body.splitlines() if line.startswith("$ cnncli ")]

    def refreshed(self) -> str:
        """Run the commands in the current folder and return the block with what they print."""
        if self.mode == "parse":
            return self.body
        printed = [f"$ {command}\n{self._shown(shell(command))}" for command in self.commands()]
        return self.body if self.mode == "keep" else "".join(printed)

    def _shown(self, printed: str) -> str:
        """Return an output as the page has it: no spaces at line ends, cut where asked."""
        lines = [line.rstrip() for line in printed.rstrip().splitlines()]
        if self.mode.startswith("first"):
            most = int(self.mode.split()[1])
            lines = [*lines[:most], "..."] if len(lines) > most else lines
        return "".join(f"{line}\n" for line in lines)


def blocks(path: Path) -> list[Block]:
    """Return the console blocks of a page."""
    text = path.read_text(encoding="utf-8")
    return [Block(path.name, m["mode"] or "run", m["body"]) for m in _BLOCK.finditer(text)]


def shell(command: str) -> str:
    """Run one command line, with ``> FILE`` at its end if it has one; return what is printed."""
    arguments, file = split(command)
    printed = run(arguments)
    if file is None:
        return printed
    Path(file).write_text(printed, encoding="utf-8")
    return ""


def split(command: str) -> tuple[list[str], str | None]:
    """Return the arguments of ``cnncli …`` and the file that the output is sent to, if any."""
    words = shlex.split(command)[1:]
    return (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, None)


def run(arguments: Sequence[str]) -> str:
    """Run the program in this process and return what it writes to stdout.

    Raises
    ------
    RuntimeError
        If it exits with another code than 0.
    """
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    errors = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
    if code:
        raise RuntimeError(f"cnncli {shlex.join(arguments)} exits with {code}: {errors.getvalue()}")
    out.seek(0)
    return out.read()


@contextlib.contextmanager
def sandbox() -> Iterator[Path]:
    """Work in a fresh folder with copies of what the commands name, in a bare environment."""
    home, environment = Path.cwd(), dict(os.environ)
    with tempfile.TemporaryDirectory() as name:
        for folder in NEEDED:
            shutil.copytree(ROOT / folder, Path(name, folder))
        for variable in ("CNNCLI_WEIGHTS", "CNNCLI_DEVICE", "FORCE_COLOR"):
            os.environ.pop(variable, None)
        os.environ |= {"COLUMNS": "80", "NO_COLOR": "1", "CNNCLI_DATA": str(Path(name, "data"))}
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(home)
            os.environ.clear()
            os.environ.update(environment)


@dataclass(frozen=True)
class Fresh:
    """What a page and its pictures should be: ``text``, and PNG bytes by file name."""

    text: str
    pictures: dict[str, bytes]


def fresh(path: Path) -> Fresh:
    """Run every block of a page and return the page and the pictures that it shows."""
    text = path.read_text(encoding="utf-8")
    with sandbox() as folder:

        def replaced(match: re.Match[str]) -> str:
            block = Block(path.name, match["mode"] or "run", match["body"])
            return match[0].replace(match["body"], block.refreshed(), 1)

        new = _BLOCK.sub(replaced, text)
        made = {name: next(folder.rglob(name), None) for name in _PICTURE.findall(text)}
        return Fresh(new, {n: p.read_bytes() for n, p in made.items() if p is not None})


_DECIMAL = re.compile(r"\d+\.(\d+)")


def same_text(old: str, new: str) -> bool:
    """Tell whether two pages say the same, but for the last digit of a decimal number.

    Processors add up in different orders, and a rounded number may fall to either side.
    """
    if _DECIMAL.sub("0.", old) != _DECIMAL.sub("0.", new):
        return False
    pairs = zip(_DECIMAL.finditer(old), _DECIMAL.finditer(new), strict=True)
    return all(
        abs(float(one[0]) - float(two[0])) <= 1.01 * 10 ** -min(len(one[1]), len(two[1]))
        for one, two in pairs
    )


def same_picture(old: Path, new: bytes) -> bool:
    """Tell whether a picture shows the same; letters differ a little between font libraries."""
    if not old.exists():
        return False
    with tempfile.TemporaryDirectory() as name:
        other = Path(name, old.name)
        other.write_bytes(new)
        one, two = (to_uint8_rgb(read_picture(p)).astype(np.int16) for p in (old, other))
    # A letter more or less changes hundreds of pixels, another smoothing none so much.
    return one.shape == two.shape and int((np.abs(one - two) > 64).any(axis=2).sum()) <= 20


def update(check: bool) -> list[str]:
    """Bring everything up to date, or only find out; return the names of what was stale."""
    stale = []
    cli = ROOT / "docs" / "cli.md"
    if not cli.exists() or cli.read_text(encoding="utf-8") != cli_page():
        stale.append("docs/cli.md")
        if not check:
            cli.write_text(cli_page(), encoding="utf-8")
    for path in pages():
        made = fresh(path)
        if not same_text(path.read_text(encoding="utf-8"), made.text):
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(made.text, encoding="utf-8")
        for name, data in made.pictures.items():
            target = ROOT / PICTURES / name
            if not same_picture(target, data):
                stale.append(str(PICTURES / name))
                if not check:
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(data)
    return stale


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if stale")
    wanted = parser.parse_args()
    found = update(wanted.check)
    sys.stdout.write("".join(f"{'stale' if wanted.check else 'made'}: {name}\n" for name in found))
    sys.exit(1 if wanted.check and found else 0)
