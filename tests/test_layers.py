"""Who may import whom, read from the sources; and what a fresh interpreter really loads."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnncli.resources import sample_image
from tests.conftest import ROOT

PACKAGE = ROOT / "cnncli"
HEAVY = {"torch", "torchvision", "sklearn", "scipy", "matplotlib"}

# Rooms that every room may use: they import nothing of the package.
COMMON = {
    *("", "errors", "config", "files", "limits", "resources", "layers", "pipeline", "remote"),
    "rows",
}
# A room -> the rooms it may import, beside COMMON. Inside functions too, unless said otherwise.
MAY_IMPORT = {
    "": set(),
    "errors": set(),
    "config": set(),
    "files": set(),
    "limits": set(),
    "resources": set(),
    "layers": set(),
    "ops": set(),
    "images": set(),
    "checkpoint": set(),
    "pipeline": set(),
    "remote": set(),
    "rows": set(),
    "filtering": {"ops", "images"},
    "kernel_files": {"ops", "checkpoint"},
    "data_check": {"images", "preprocess", "nn"},
    "preprocess": {"ops", "images"},
    "nn": {"images", "preprocess", "checkpoint"},
    "inference": {"ops", "images", "checkpoint", "pipeline", "preprocess", "nn"},
    "batch": {"images", "inference", "show"},
    "interpret": {"ops", "checkpoint", "inference", "nn"},
    # Letters as pixels; the types that it draws.
    "show": {"images", "checkpoint", "inference", "interpret"},
    "page": {"ops", "images", "checkpoint", "preprocess", "inference", "interpret", "show"},
    "commands": {
        "ops",
        "images",
        "batch",
        "filtering",
        "checkpoint",
        "kernel_files",
        "data_check",
        "preprocess",
        "nn",
        "inference",
        "interpret",
        "show",
        "page",
    },
    "cli": {"commands", "images", "show"},
    "__main__": {"cli"},
}


def _room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def _imports(path: Path) -> list[tuple[str, int]]:
    """Return every imported module's full name and line, those inside functions too."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "cnncli":
                found += [(f"cnncli.{alias.name}", node.lineno) for alias in node.names]
            else:
                found.append((node.module, node.lineno))
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path}:{node.lineno}: relative import; write the full name")
    return found


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_is_known() -> None:
    assert len(SOURCES) > 20
    assert {_room(path) for path in SOURCES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = _room(path)
    allowed = COMMON | MAY_IMPORT[room] | {room}
    for name, line in _imports(path):
        top, *rest = name.split(".")
        assert top != "click", f"{path}:{line}: click is vendored by Typer; never import it"
        if top == "cnncli" and rest:
            assert rest[0] in allowed or rest[0] == "__version__", f"{path}:{line}: {name}"


@pytest.mark.parametrize(
    ("module", "rooms"),
    [
        ("PIL", {"images"}),
        ("typer", {"cli", "commands"}),
        ("torch", {"nn", "inference", "interpret", "commands"}),
        ("rich", {"show", "commands", "cli"}),
    ],
)
def test_a_library_is_known_to_its_rooms_only(module: str, rooms: set[str]) -> None:
    users = {
        _room(path)
        for path in SOURCES
        if any(name.split(".")[0] == module for name, _ in _imports(path))
    }
    assert users <= rooms


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["convolve", "--help"],
        ["convolve", "PICTURE", "--filter", "vertical_edge", "-o", "out.png"],
        ["pool", "PICTURE", "-o", "out.png"],
        ["filters"],
        ["predict", "DIGIT"],
        ["features", "DIGIT", "-o", "maps.png"],
        ["summary"],
    ],
    ids=" ".join,
)
def test_light_commands_load_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    stand_ins = {
        "PICTURE": str(sample_image("scene.png")),
        "DIGIT": str(sample_image("digit-7-pen.jpg")),
    }
    code = (
        "import sys, json\n"
        "from cnncli.cli import main\n"
        "try:\n    main(json.loads(sys.argv[1]))\n"
        "finally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps([stand_ins.get(a, a) for a in arguments])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    loaded = set(json.loads(run.stderr.splitlines()[-1]))
    assert not HEAVY & loaded
    assert run.stdout.strip()


def test_the_same_commands_are_enough_to_load_torch_when_asked() -> None:
    # The guard above can fail: the same probe sees torch where it is really used.
    code = "import cnncli.nn.training, sys; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
