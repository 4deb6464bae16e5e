"""Compare two checkouts: the same commands must write the same pixels.

    python benchmarks/same_results.py OLD_PYTHON NEW_PYTHON [--count 500] [--seed 0] [--keep DIR]

OLD_PYTHON and NEW_PYTHON are the interpreters of two checkouts, each with its own cnncli. Seeded
``cnncli convolve`` and ``cnncli pool`` commands run with both, over filters, kernels, borders,
strides, dilations, ranges, pools and pictures of every mode. Where sums are whole numbers, results
must be equal to the bit, and so must pooling. Where they are floats (kernels with fractions, float
or transparent pictures) real results may differ by float32's rounding of the sums, and rounded
ones by 1 at a tie. Exits with 1 where anything else differs.
"""

import argparse
import json
import random
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FILTERS = [
    "identity", "vertical_edge", "horizontal_edge", "blur", "box3", "box5", "box7", "gaussian3",
    "gaussian5", "gaussian7", "sharpen", "unsharp", "emboss", "outline", "laplacian",
    "laplacian8", "log", "sobel_x", "sobel_y", "prewitt_x", "scharr_y", "roberts_x", "roberts_y",
    "kirsch_ne", "motion_blur", "sobel", "prewitt", "scharr", "roberts", "kirsch",
]  # fmt: skip
BORDERS = ["reflect", "symmetric", "edge", "wrap", "valid", "constant", "constant:77", "constant:9"]
RANGES = ["auto", "auto", "clip", "abs", "offset", "minmax", "raw"]
MODES = ["L", "L", "RGB", "RGB", "LA", "RGBA", "P", "I;16", "F", "1", "CMYK"]
REAL_MODES = {"F", "LA", "RGBA"}  # whose sums are floats: see `is_whole`

# Runs in each checkout: every command in one process, its exit code on a line of its own.
_RUNNER = """
import contextlib, io, json, sys
from cnncli.cli import main
for line in sys.stdin:
    code, text = 0, io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(text):
            main(json.loads(line))
    except SystemExit as end:
        code = end.code or 0
    print(json.dumps([code, text.getvalue()]), flush=True)
"""


def draw_picture(rng: random.Random, folder: Path, number: int) -> tuple[Path, str]:
    """Write a picture of a random mode and size, and return its path and mode."""
    mode = rng.choice(MODES)
    sizes = [(28, 28), (64, 48), (7, 5), (1, 9), (331, 227), (640, 410), (3, 2)]
    width, height = rng.choice(sizes)
    values = np.random.default_rng(number)
    shape = (height, width, max(len(Image.new(mode, (1, 1)).getbands()), 1))
    noise = values.integers(0, 256, shape, np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    noise[(x // 9 + y // 7) % 2 == 0] //= 3
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 257 + 13)
    elif mode == "F":
        picture = Image.fromarray(noise[..., 0].astype(np.float32) / 7)
    elif mode == "1":
        picture = Image.fromarray(noise[..., 0]).convert("1")
    elif mode == "P":
        picture = Image.fromarray(noise[..., 0]).convert("P")
    else:
        picture = Image.fromarray(noise[..., 0] if shape[2] == 1 else noise, mode)
    path = folder / f"{number}.{'tif' if mode in ('F', 'CMYK', 'I;16') else 'png'}"
    picture.save(path)
    return path, mode


def draw_kernel(rng: random.Random) -> tuple[list[str], bool]:
    """Return the options of a kernel from text, and whether its weights are whole."""
    rows, columns = rng.choice([(3, 3), (1, 5), (5, 1), (2, 2), (4, 3), (7, 7), (15, 15), (23, 21)])
    whole = rng.random() < 0.6
    kind = rng.choice(["random", "ones", "product"])
    weights = np.ones((rows, columns))
    if kind == "random":
        weights = np.array([[rng.randint(-9, 9) for _ in range(columns)] for _ in range(rows)])
    elif kind == "product":
        column, row = ([rng.randint(-4, 6) for _ in range(k)] for k in (rows, columns))
        weights = np.outer(column, row)
    if not whole:
        weights = weights * rng.choice([0.1, 1 / 3, 0.37, 1 / 9])
    if not weights.any():
        weights[0, 0] = 1
    number = "{:g}" if whole else "{:.6f}"
    return ["-k", "; ".join(" ".join(number.format(v) for v in row) for row in weights)], whole


def draw_command(rng: random.Random, picture: Path, mode: str) -> tuple[list[str], bool]:
    """Return a command without its output, and whether its results must be equal to the bit."""
    pair = ["1", "1", "1", "2", "3", "2x3", "1x4"]
    if rng.random() < 0.25:
        command = [
            "pool",
            str(picture),
            "--mode",
            rng.choice(["max", "avg", "min", "median", "l2", "sum"]),
        ]
        command += ["--size", rng.choice(["1", "2", "2", "3", "4", "2x3", "5"])]
        if rng.random() < 0.4:
            command += ["--stride", rng.choice(pair)]
        edge = rng.choice(["partial", "partial", "drop", "pad"])
        command += ["--edge", edge, "--range", rng.choice(["clip", "clip", "minmax", "raw"])]
        command += ["--padding", "1"] if edge == "pad" and rng.random() < 0.7 else []
        return command, True
    command, whole = ["convolve", str(picture)], mode not in REAL_MODES
    if rng.random() < 0.6:
        chain = rng.choice([1, 1, 1, 1, 2, 3])
        for _ in range(chain):
            command += ["-f", rng.choice(FILTERS)]
        whole = whole and chain == 1
    else:
        kernel, weights_are_whole = draw_kernel(rng)
        command, whole = command + kernel, whole and weights_are_whole
    options: dict[str, list[str]] = {"--border": BORDERS, "--range": RANGES}
    options |= {"--stride": pair, "--dilation": pair, "--op": ["correlate", "convolve"]}
    options |= {"--scale": ["2", "9", "0.5", "-3", "1e-2"], "--bias": ["5", "-0.5", "128"]}
    for option, values in options.items():
        if rng.random() < 0.5:
            command += [option, rng.choice(values)]
    return command, whole


def run_all(
    python: str, commands: list[list[str]], suffix: str, folder: Path
) -> list[tuple[int, str]]:
    """Run commands in one process of a checkout and return exit codes and messages."""
    lines = "".join(
        json.dumps([*command, "-q", "--no-show", "-o", f"{target}.{suffix}{Path(target).suffix}"])
        + "\n"
        for *command, target in commands
    )
    command = [python, "-c", _RUNNER]  # in a folder of its own: `-c` imports from where it is
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, check=True, cwd=folder
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def read(path: Path) -> np.ndarray[Any, Any]:
    """Return what a command wrote, as an array."""
    if path.suffix == ".npy":
        return np.load(path)
    with Image.open(path) as picture:
        mode = picture.mode
        array = np.asarray(picture)
    return array.astype(np.uint8) if mode == "1" else array


def verdict(old: Path, new: Path, *, whole: bool) -> str:
    """Say ``equal``, ``rounding`` where floats allow the difference, or what differs."""
    if old.exists() != new.exists():
        return "one of them wrote nothing"
    if not old.exists() or old.read_bytes() == new.read_bytes():
        return "equal"
    a, b = read(old), read(new)
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype} {a.shape} became {b.dtype} {b.shape}"
    if np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return "equal"
    gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    size = max(float(np.abs(a.astype(np.float64)).max()), 1.0)
    allowed = 1e-5 * size if a.dtype.kind == "f" else 1.0
    if whole or gap.max() > allowed or (a.dtype.kind != "f" and (gap > 0).mean() > 0.01):
        return f"{int((gap > 0).sum())} of {gap.size} values differ by up to {gap.max():g}"
    return "rounding"


def main() -> int:
    """Run the commands with both interpreters and compare what they write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the pictures, kept afterwards")
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        commands, wholes = [], []
        for number in range(asked.count):
            picture, mode = draw_picture(rng, folder, number)
            command, whole = draw_command(rng, picture, mode)
            raw = "raw" in command
            target = folder / f"out{number}{'.npy' if raw else picture.suffix}"
            commands.append([*command, str(target)])
            wholes.append(whole)
        sides = ((asked.old, "a"), (asked.new, "b"))
        codes = [run_all(python, commands, side, folder) for python, side in sides]
        found: Counter[str] = Counter()
        for command, whole, old, new in zip(commands, wholes, *codes, strict=True):
            target = Path(command[-1])
            paths = [Path(f"{target}.{side}{target.suffix}") for side in "ab"]
            same = verdict(*paths, whole=whole) if old[0] == new[0] else f"exit {old} became {new}"
            if old[0] == new[0] != 0 and old[1] != new[1]:
                same = f"message {old[1].strip()!r} became {new[1].strip()!r}"
            done = "refused alike" if old[0] and same == "equal" else same
            found[done if done in ("equal", "rounding", "refused alike") else "different"] += 1
            if done not in ("equal", "rounding", "refused alike"):
                print(f"{done}: cnncli {' '.join(command[:-1])}")
    print(", ".join(f"{count} {name}" for name, count in found.most_common()))
    return int(found["different"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
