"""The recipes of docs/contributing.md: each is applied to a copy of the tree, and runs there.

A recipe is a ``diff`` block, ``+++ FILE`` and then the lines of a new file, or behind ``@@`` lines
that are there (they begin with a space) and lines that are added; and an ``sh`` block to run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
RECIPES = re.findall(
    r"^\*\*(.+?)\*\*(?:(?!^\*\*).)*?^```diff\n(.*?)^```\n\n```sh\n(.*?)^```$", PAGE, re.M | re.S
)
# What each change may touch, below the package.
FILES = {
    "A kernel": {"ops/kernels.py"},
    "A filter of several kernels": {"ops/kernels.py"},
    "A border": {"ops/borders.py"},
    "A network": {"nn/networks/linear.py", "nn/networks/__init__.py"},
    "An output format": {"images/formats.py"},
    "A subcommand": {"commands/count.py", "cli.py"},
}


def _apply(diff: str, tree: Path) -> set[str]:
    """Change the files of a tree and return their names below the package."""
    names = set()
    for part in re.split(r"^\+\+\+ (?=cnncli/)", diff, flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        path = tree / name
        names.add(name.removeprefix("cnncli/"))
        if not body.startswith("@@"):
            path.write_text(re.sub(r"^\+", "", body, flags=re.M), encoding="utf-8")
            continue
        text = path.read_text(encoding="utf-8")
        for hunk in re.split(r"^@@\n", body, flags=re.M)[1:]:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] == " ")
            assert text.count(before) == 1, f"{name} does not hold this once:\n{before}"
            text = text.replace(before, "".join(line[1:] for line in lines))
        path.write_text(text, encoding="utf-8")
    return names


def test_the_page_has_all_recipes() -> None:
    assert [name for name, _, _ in RECIPES] == list(FILES)


@pytest.mark.parametrize(("name", "diff", "lines"), RECIPES, ids=[name for name, _, _ in RECIPES])
def test_a_recipe_works_in_the_files_that_it_names(
    name: str, diff: str, lines: str, tmp_path: Path
) -> None:
    for folder in ("cnncli", "sample_images", "weights"):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    assert _apply(diff, tmp_path) == FILES[name]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for line in lines.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "cnncli"
        run = subprocess.run(
            [sys.executable, "-m", "cnncli", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, run.stderr) == (0, run.stderr)
        assert run.stdout.strip()
