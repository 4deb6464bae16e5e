"""Known causes of failure on macOS and Windows, looked for in the sources or provoked here."""

import ast
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.hostile import image_of

GUARDED = {"cnncli/ops/tiles.py:sched_getaffinity"}  # behind a hasattr
SOURCES = sorted((ROOT / "cnncli").rglob("*.py"))


def calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_text_files_name_their_encoding() -> None:
    """Without it Windows reads and writes cp1252."""
    for path in SOURCES:
        for call in calls(path):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            named = {keyword.arg for keyword in call.keywords}
            if name in {"read_text", "write_text"}:
                assert "encoding" in named or call.args, f"{path}:{call.lineno}"


def functions_not_for_windows(tree: ast.Module) -> list[list[ast.AST]]:
    """Return what stands in functions that return on Windows before they do anything."""
    check = 'sys.platform == "win32"'
    return [
        list(ast.walk(function))
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and isinstance(first := function.body[1:2] and function.body[1], ast.If)
        and ast.unparse(first.test) == ast.unparse(ast.parse(check, mode="eval"))
        and isinstance(first.body[0], ast.Return)
    ]


def test_what_only_posix_has_is_asked_for_first() -> None:
    """``os.fork``, ``signal.SIGHUP`` and the like are AttributeErrors elsewhere."""
    posix = {"fork", "getuid", "geteuid", "mkfifo", "sched_getaffinity", "SIGHUP", "SIGKILL"}
    posix |= {"O_BINARY", "SIGBREAK", "fchmod", "killpg", "setsid", "uname", "getpgid"}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        elsewhere = [each for function in functions_not_for_windows(tree) for each in function]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in posix:
                place = f"{path.relative_to(ROOT)}:{node.attr}"
                assert ast.unparse(node.value) not in {"os", "signal"} or place in GUARDED
            if isinstance(node, ast.Import) and node not in elsewhere:
                named = {alias.name for alias in node.names}
                assert not named & {"fcntl", "resource", "pwd", "grp", "termios"}, path


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_consoles_without_our_letters(encoding: str, tmp_path: Path) -> None:
    image_of("L", 9, 9).save(tmp_path / "gr\u00fc\u00df \u65e5\u672c.png")
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    commands: list[list[str]] = [
        ["convolve", ".", "-f", "blur", "-o", "out/", "--show"],
        ["predict", "."],
    ]
    for command in commands:
        run = subprocess.run(
            [sys.executable, "-m", "cnncli", *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert b"Traceback" not in run.stderr
        run.stdout.decode(encoding)


def test_files_are_closed_before_they_are_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows renames no open file: the writer must have closed its own."""
    from cnncli import files

    opened = []
    real = files._create
    monkeypatch.setattr(files, "_create", lambda path: opened.append(real(path)) or opened[-1])

    def replace(source: Path, target: Path) -> None:
        assert opened[-1].closed
        os.replace(source, target)  # noqa: PTH105 (Path's is the one replaced)

    monkeypatch.setattr(Path, "replace", replace)
    with files.atomic_write(tmp_path / "a") as file:
        file.write(b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_inputs_are_closed_after_reading(tmp_path: Path) -> None:
    """An open input could not be replaced or removed on Windows."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("open files cannot be listed here")
    from cnncli.errors import CnncliError
    from cnncli.images import read_picture
    from tests.reliability.hostile import every_format

    for _, data in every_format():
        for content in (data, data[: len(data) // 2]):
            (tmp_path / "a").write_bytes(content)
            with contextlib.suppress(CnncliError):
                read_picture(tmp_path / "a")
            names = [
                str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()
            ]
            assert str(tmp_path / "a") not in names


def test_worker_processes_could_be_spawned() -> None:
    """Nothing of the package runs when it is imported by a spawned process."""
    code = "import cnncli, cnncli.cli, cnncli.images, cnncli.pipeline"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout == run.stderr == b""
