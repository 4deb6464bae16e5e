"""Measure the house: code lines a room, imports inside functions, depth of calls, double names.

``python .ci/house.py`` prints the figures beside their limits and exits 1 where one is over.
A code line is one that is neither blank nor comment nor docstring. The depth is the largest
number of this package's own frames on the stack at once while a command runs, in any thread.
"""

import ast
import io
import os
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cnncli"

# The ceiling of the whole only falls; a new room raises it by its own lines, in the same commit.
MOST_LINES = {"ops": 1_600, "in all": 13_750}
MOST_LAZY_IMPORTS = 70
MOST_FRAMES = {
    "convolve scene.png -f vertical_edge": 15,
    "predict digit-7-pen.jpg": 14,
}
SCREEN = 50  # lines
ON_ONE_SCREEN = {
    "ops/correlate.py": "filter_image",
    "batch/run.py": "run_batch",
    "nn/loop.py": "train_epoch",
}

# Runs in a fresh interpreter: counts the frames of PACKAGE at every call.
_PROBE = """
import sys, threading
from pathlib import Path
package, *arguments = sys.argv[1:]
deepest = 0
def count(frame, event, _):
    global deepest
    if event == "call":
        depth = 0
        while frame is not None:
            depth += frame.f_code.co_filename.startswith(package)
            frame = frame.f_back
        deepest = max(deepest, depth)
from cnncli.cli import main
threading.setprofile(count)
sys.setprofile(count)
try:
    main(arguments)
finally:
    sys.setprofile(None)
    print(deepest, file=sys.stderr)
"""

_BESIDE_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str, *, name: str | None = None) -> int:
    """Return the number of code lines of a module, or of one of its functions or classes."""
    tree = ast.parse(source)
    docs = {line for node in ast.walk(tree) for line in _docstring_lines(node)}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _BESIDE_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    if name is not None:
        (node,) = (each for each in ast.walk(tree) if getattr(each, "name", None) == name)
        lines &= set(range(node.lineno, node.end_lineno + 1))  # type: ignore[attr-defined]
    return len(lines - docs)


def _docstring_lines(node: ast.AST) -> range:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return range(0)
    if ast.get_docstring(node, clean=False) is None:
        return range(0)
    first = node.body[0]
    return range(first.lineno, (first.end_lineno or first.lineno) + 1)


def lazy_imports(source: str) -> int:
    """Return how many imports of this package stand inside functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inner = {
        node
        for function in ast.walk(ast.parse(source))
        if isinstance(function, functions)
        for node in ast.walk(function)
    }
    return sum(any(name.split(".")[0] == "cnncli" for name in _imported(node)) for node in inner)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def classes(source: str) -> Iterator[str]:
    """Yield the names of the classes of a module, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield node.name


def deepest_stack(command: str, picture: str, *options: str) -> int:
    """Return how many frames of this package a command has at once, at the most."""
    # Nothing may change which weights are read.
    environment = {name: text for name, text in os.environ.items() if name[:7] != "CNNCLI_"}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(ROOT / "sample_images" / picture, folder)
        run = subprocess.run(
            [sys.executable, "-c", _PROBE, str(PACKAGE), command, picture, *options],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    return int(run.stderr.splitlines()[-1])


def figures() -> Iterator[tuple[str, int, int | None]]:
    """Yield each figure's name, its value and its limit (None: shown only)."""
    sources = {path.relative_to(PACKAGE): path.read_text() for path in PACKAGE.rglob("*.py")}
    rooms: Counter[str] = Counter()
    for path, source in sources.items():
        rooms[path.parts[0] if len(path.parts) > 1 else "top level"] += code_lines(source)
    rooms["in all"] = rooms.total()
    for room, lines in sorted(rooms.items(), key=lambda item: item[1]):
        yield f"code lines, {room}", lines, MOST_LINES.get(room)
    lazy = sum(map(lazy_imports, sources.values()))
    yield "imports of own modules inside functions", lazy, MOST_LAZY_IMPORTS
    homes = Counter(name for source in sources.values() for name in set(classes(source)))
    double = sorted(name for name, count in homes.items() if count > 1)
    yield f"class names in two modules {' '.join(double)}".rstrip(), len(double), 0
    for name, function in ON_ONE_SCREEN.items():
        lines = code_lines(sources[Path(name)], name=function)
        yield f"code lines, {name} {function}", lines, SCREEN
    for words, most in MOST_FRAMES.items():
        yield f"own frames, {words}", deepest_stack(*words.split()), most


def main() -> int:
    """Print every figure and return the exit code."""
    passed = False
    for name, value, most in figures():
        over = most is not None and value > most
        passed = passed or over
        limit = "" if most is None else f"  (at most {most:,}{', OVER' if over else ''})"
        print(f"{value:>7,}  {name}{limit}")
    return int(passed)


if __name__ == "__main__":
    sys.exit(main())
