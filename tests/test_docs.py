"""The documentation: every command runs, shows what the page says, and draws what it shows."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from cnncli.cli import build_app
from cnncli.images import Picture, write_picture
from cnncli.show.sheet import words
from tests.conftest import ROOT, CliRunner


def _build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_build"] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


build = _build()
PAGES = build.pages()
COMMANDS = [
    (path.name, command)
    for path in PAGES
    for block in build.blocks(path)
    for command in block.commands()
]


def test_there_is_something_to_check() -> None:
    assert {path.name for path in PAGES} >= {"README.md", "how-it-works.md", "gallery.md"}
    assert len(COMMANDS) > 25


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_console_block_is_seen(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("```console\n") == len(build.blocks(path))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_shows_what_its_commands_print_and_draw(path: Path) -> None:
    if not build.blocks(path):
        assert "```console" not in path.read_text(encoding="utf-8")
        return
    made = build.fresh(path)
    old = path.read_text(encoding="utf-8")
    if not build.same_text(old, made.text):
        assert old == made.text, f"{path.name} is stale: make docs"  # shows the difference
    for name, data in made.pictures.items():
        assert build.same_picture(ROOT / build.PICTURES / name, data), f"{name} is stale: make docs"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_picture_is_there(path: Path) -> None:
    for target in re.findall(r"!\[[^\]]*\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_picture_of_the_docs_is_made_and_shown() -> None:
    shown = {
        name
        for path in PAGES
        for name in re.findall(r"pictures/([\w.-]+)\)", path.read_text(encoding="utf-8"))
    }
    assert {path.name for path in (ROOT / build.PICTURES).iterdir()} <= shown


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(value)[:60])
def test_every_command_line_can_be_parsed(page: str, command: str) -> None:
    name, *arguments = build.split(command)[0]
    commands = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    assert name in commands, f"{page}: {command}"
    commands[name].make_context(name, list(arguments)).close()


def test_the_parsing_can_fail() -> None:
    with pytest.raises(typer.BadParameter.__base__):  # type: ignore[arg-type]
        test_every_command_line_can_be_parsed("here", "cnncli pool x.png --sizes 2")


def test_cli_page_is_what_the_options_say() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == build.cli_page(), "docs/cli.md is stale: make docs"


def test_cli_page_has_every_option_of_help(cli: CliRunner) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^## cnncli (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    )
    assert len(sections) == len(build_app().registered_commands)
    for name in ("convolve", "features"):
        shown = cli(name, "--help", env={"COLUMNS": "200"}).stdout
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", shown.partition("Options")[2]))
        told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", sections[name]))
        assert options - {"--help"} <= told
        assert len(options) > 5


def test_redirections_are_understood() -> None:
    assert build.split("cnncli predict a/ --csv > n.csv") == (["predict", "a/", "--csv"], "n.csv")
    assert build.split('cnncli convolve -k "1 2"') == (["convolve", "-k", "1 2"], None)


def test_a_failing_command_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"pool missing\.png exits with 1: error: "):
        build.shell(f"cnncli pool {shlex.quote('missing.png')}")


def test_another_word_in_a_picture_is_seen(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, text in zip(paths, ("7 with 92.0%", "7 with 92.1%"), strict=True):
        write_picture(path, Picture(words(text, 16), None, "RGB"))
    assert build.same_picture(paths[0], paths[0].read_bytes())
    assert not build.same_picture(paths[0], paths[1].read_bytes())


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("7 with 92.0%", "7 with 92.1%", True),
        ("7 with 92.0%", "7 with 92.2%", False),
        ("0.920405", "0.920406", True),
        ("0.920405", "0.920409", False),
        ("784 x 128", "784 x 129", False),
        ("a 1.5", "b 1.5", False),
    ],
)
def test_only_the_last_digit_may_differ(old: str, new: str, same: bool) -> None:
    assert build.same_text(old, new) is same


def test_a_stale_block_is_found() -> None:
    block = build.Block("here", "run", '$ cnncli convolve --signal "1,2" -k "1"\nwrong\n')
    assert block.refreshed() == '$ cnncli convolve --signal "1,2" -k "1"\n[1, 2]\n'
    kept = build.Block("here", "keep", '$ cnncli convolve --signal "1,2" -k "1"\nwrong\n')
    assert kept.refreshed() == kept.body
