"""Options that are not checked by pydantic reach the command as Typer would hand them over."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cnncli.commands._quick import QuickCommand
from cnncli.resources import sample_image

WORDS = ["a", "b", "-n", "3", "--factor", "2", "-t", "x", "-t", "y", "--name", "7", "--flag"]


def collected(words: list[str], *, quick: bool) -> tuple[int, dict[str, object]]:
    app, seen = typer.Typer(), {}

    @app.command(cls=QuickCommand if quick else None)
    def command(
        files: list[str],
        number: Annotated[int, typer.Option("-n", min=0)] = 1,
        factor: float = 0.5,
        tags: Annotated[list[str] | None, typer.Option("-t")] = None,
        name: str = "none",
        path: Path | None = None,
        flag: bool = False,
    ) -> None:
        seen.update(locals())

    code = CliRunner().invoke(app, words).exit_code
    return code, {k: v for k, v in seen.items() if k not in ("seen", "app")}


@pytest.mark.parametrize(
    "words",
    [
        ["a"],
        WORDS,
        [*WORDS, "--path", "p/q"],
        ["a", "-n", "-1"],
        ["a", "-n", "x"],
        ["a", "--factor", "x"],
        ["a", "--unknown"],
        [],
    ],
    ids=" ".join,
)
def test_values_and_types_are_typers_own(words: list[str]) -> None:
    ours, typers = collected(words, quick=True), collected(words, quick=False)
    assert ours == typers
    assert [type(v) for v in ours[1].values()] == [type(v) for v in typers[1].values()]


@pytest.mark.parametrize(
    "words",
    [
        ["filters", "blur", "--json"],
        ["convolve", "FILE", "-f", "blur"],
        ["pool", "FILE"],
        ["predict", "FILE", "--json"],
    ],
    ids=lambda words: words[0],
)
def test_pydantic_is_not_imported_for_texts_choices_and_defaults(
    words: list[str], tmp_path: Path
) -> None:
    words = [str(sample_image("digit-1-28x28.png")) if word == "FILE" else word for word in words]
    if words[0] in ("convolve", "pool"):
        words += ["-o", "out.png"]
    code = (
        f"import sys\nfrom cnncli.cli import main\ntry:\n    main({words})\n"
        "finally:\n    print('pydantic' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout.splitlines()[-1] == "False"
