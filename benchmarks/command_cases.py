"""Whole commands on files: wall time and peak memory, ours and others', run in turn."""

import json
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

CV2_SCRIPT = """\
import sys, cv2, numpy as np
image = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
kernel = np.array([[-1, 0, 1]] * 3, np.float32)
cv2.imwrite(sys.argv[2], cv2.filter2D(image, -1, kernel))
"""
# A process counts its parent's memory until it becomes the command, so the parent is a small one.
LAUNCHER = """\
import os, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - start
print([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code])
"""
ROWS = "-1,0,1 -1,0,1 -1,0,1"


class Run(NamedTuple):
    """One process: seconds, peak resident memory in MB, exit code."""

    seconds: float
    peak_mb: float
    code: int


def run(command: list[str]) -> Run:
    """Run a command to its end."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launched, capture_output=True, text=True, check=True)
    seconds, peak, code = json.loads(done.stdout.splitlines()[-1])
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return Run(seconds, peak / scale, code)


def find(*names: str, says: str = "") -> str | None:
    """Return the first of these programs that is installed and names itself as expected."""
    for name in names:
        path = shutil.which(name)
        if path and (not says or says in _version(path)):
            return path
    return None


def _version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def commands(source: Path, folder: Path) -> dict[str, list[str]]:
    """Return the commands that find vertical edges in one picture, ours first."""
    script = folder / "edges_cv2.py"
    script.write_text(CV2_SCRIPT, encoding="utf-8")
    matrix = folder / "edges.mat"
    matrix.write_text("3 3 1 0\n-1 0 1\n-1 0 1\n-1 0 1\n", encoding="ascii")

    def out(name: str) -> str:
        return str(folder / f"{name}{source.suffix}")

    ours = [sys.executable, "-m", "cnncli", "convolve", str(source), "-f", "vertical_edge"]
    found = {
        "cnncli": [*ours, "--range", "clip", "-q", "--no-show", "-o", out("ours")],
        "python + OpenCV": [sys.executable, str(script), str(source), out("cv2")],
    }
    if vips := find("vips"):
        conv = [vips, "conv", str(source)]
        found["vips conv"] = [*conv, out("vips"), str(matrix)]
        if source.suffix == ".png":
            found["vips conv, compression=1"] = [*conv, out("v1") + "[compression=1]", str(matrix)]
    if magick := find("magick", "/usr/bin/convert", "convert", says="Version: ImageMagick"):
        morphology = ["-morphology", "Correlate", f"3x3: {ROWS}"]
        found["ImageMagick"] = [magick, str(source), *morphology, out("im")]
    if gm := find("gm"):
        kernel = ROWS.replace(" ", ",")
        found["GraphicsMagick"] = [gm, "convert", str(source), "-convolve", kernel, out("gm")]
    return found


def compete(contenders: dict[str, list[str]], rounds: int) -> dict[str, dict[str, Any]]:
    """Run commands in turn; return medians, and the median ratio of the first to each.

    Each round has an order of its own: whoever always followed the same one would start with what
    that one leaves behind, such as data on the way to the disk.
    """
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    draw = random.Random(1)
    for i in range(rounds + 1):
        for name in draw.sample(list(contenders), len(contenders)):
            done = run(contenders[name])
            if i:  # the first round fills the caches
                runs[name].append(done)
    ours = [done.seconds for done in next(iter(runs.values()))]
    return {name: _summary(found, ours) for name, found in runs.items()}


def _summary(runs: list[Run], ours: list[float]) -> dict[str, Any]:
    seconds = [done.seconds for done in runs]
    return {
        "median_s": round(statistics.median(seconds), 4),
        "min_s": round(min(seconds), 4),
        "max_s": round(max(seconds), 4),
        "n": len(seconds),
        "peak_mb": round(max(done.peak_mb for done in runs), 1),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, seconds, strict=True)), 3),
        "failed": sum(done.code != 0 for done in runs),
    }


def batch(folder: Path, copies: Path) -> dict[str, list[str]]:
    """Return the commands that filter a folder of pictures."""
    ours = [sys.executable, "-m", "cnncli", "convolve", str(folder), "-f", "vertical_edge"]
    ours += ["--range", "clip", "-q", "--no-show", "-o"]
    found = {
        "cnncli": [*ours, str(copies / "all")],
        "cnncli --jobs 1": [*ours, str(copies / "one"), "--jobs", "1"],
    }
    if mogrify := find("/usr/bin/mogrify", "mogrify", says="Version: ImageMagick"):
        kernel = ROWS.replace(" ", ",")
        (copies / "im").mkdir(exist_ok=True)
        names = sorted(map(str, folder.iterdir()))
        found["mogrify"] = [mogrify, "-path", str(copies / "im"), "-convolve", kernel, *names]
    return found
