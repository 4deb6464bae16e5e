"""Race the filters against their peers, in memory and as whole commands.

    python benchmarks/filters.py [--quick] [--part memory|commands|sizes|peak] [--json FILE]

Writes a JSON file with every figure and the machine it was measured on, and from it
``docs/benchmarks.md`` with ``docs/pictures/benchmark-sizes.png``. Losses are in the tables too.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import machine  # noqa: E402 (found through the path above)

Results = dict[str, Any]


def memory(*, quick: bool) -> Results:
    """Race filters and pooling on pictures in memory, on one thread and on all."""
    import cv2
    import memory_cases as cases

    from cnncli.pipeline import core_count

    sizes = {"12 MP": (3000, 4000)} | ({} if quick else {"512x512": (512, 512), "28x28": (28, 28)})
    results: Results = {}
    for label, (height, width) in sizes.items():
        for channels in (1, 3):
            for dtype in ("uint8", "float32"):
                image = cases.picture(height, width, channels, dtype)
                for threads in sorted({1, core_count()}):
                    cv2.setNumThreads(threads)
                    key = f"{label} {'grey' if channels == 1 else 'RGB'} {dtype}, {threads} thread"
                    results[key] = _memory_races(image, threads, quick=quick)
                    print(key, json.dumps(results[key]), flush=True)
    return results


def _memory_races(image: Any, threads: int, *, quick: bool) -> Results:
    import memory_cases as cases

    many = image.dtype == "uint8" and image.ndim == 2 and threads == 1
    rounds = 5 if quick else 9
    clock = time.thread_time if threads == 1 else time.perf_counter
    races = {
        name: machine.race(
            cases.filter_contenders(image, case, threads, many=many), rounds, clock=clock
        )
        for name, case in cases.FILTERS.items()
        if min(image.shape[:2]) > case.weights.shape[0]
    }
    if image.dtype == "uint8":
        for name, functions in cases.pool_cases(image, threads, many=many):
            races[name] = machine.race(functions, rounds, clock=clock)
    return races


def commands(*, quick: bool) -> Results:
    """Race whole commands on files of several kinds and sizes, and on a folder."""
    import command_cases as cases

    rounds = 3 if quick else 7
    results: Results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, source in _files(folder).items():
            results[label] = cases.compete(cases.commands(source, folder), rounds)
            print(label, json.dumps(results[label]), flush=True)
        pictures = _folder(folder, 100 if quick else 10_000)
        label = f"{len(list(pictures.iterdir()))} JPEG of 512x512"
        results[label] = cases.compete(cases.batch(pictures, folder), 2)
        print(label, json.dumps(results[label]), flush=True)
    return results


def _files(folder: Path) -> dict[str, Path]:
    from memory_cases import picture
    from PIL import Image

    large, small = picture(3000, 4000, 3), picture(512, 512, 3)
    files = {
        "12 MP RGB PNG": (large, "large.png"),
        "12 MP RGB JPEG": (large, "large.jpg"),
        "512x512 RGB PNG": (small, "small.png"),
        "28x28 grey PNG": (picture(28, 28, 1), "tiny.png"),
    }
    for pixels, name in files.values():
        Image.fromarray(pixels).save(folder / name)
    return {label: folder / name for label, (_, name) in files.items()}


def _folder(folder: Path, count: int) -> Path:
    from memory_cases import picture
    from PIL import Image

    pictures = folder / "pictures"
    pictures.mkdir()
    wide = picture(512, 512 + count, 3)
    for i in range(count):
        Image.fromarray(wide[:, i : i + 512]).save(pictures / f"{i:05}.jpg")
    return pictures


def sizes(*, quick: bool) -> Results:
    """Time filters from 28x28 to 100 MP and kernels from 1x1 to 101x101: nothing must jump."""
    import cv2
    import memory_cases as cases

    from cnncli import ops

    results: Results = {"image": {}, "kernel": {}}
    sides = (28, 64, 128, 256, 512, 1024, 2048, 4096) + (() if quick else (10_000,))
    for side in sides:
        image = cases.picture(side, side, 1)
        for name in ("edge 3x3", "gaussian 15x15 float", "random 31x31"):
            if side > 31:
                functions = cases.filter_contenders(image, cases.FILTERS[name], 1, many=False)
                results["image"].setdefault(name, {})[side] = machine.race(
                    functions, 5, clock=time.thread_time
                )
    image, cv2_out = cases.picture(1024, 1024, 1), cases.picture(1024, 1024, 1)
    cv2.setNumThreads(1)
    for side in (1, 3, 5, 7, 9, 11, 15, 21, 31, 45, 63, 81, 101):
        kinds = {
            "dense": cases._dense(side),
            "separable": cases.gaussian(side, side / 5)[:, None] * cases.gaussian(side, side / 5),
            "whole numbers": cases.np.random.default_rng(1).integers(-9, 10, (side, side)),
        }
        for name, weights in kinds.items():
            kernel = weights.astype(cases.np.float32)
            made = ops.Kernel.of(weights)
            functions: dict[str, Callable[[], object]] = {
                "cnncli": lambda k=made: ops.filter_image(image, k, range="clip", threads=1),
                "cv2.filter2D": lambda k=kernel: cv2.filter2D(image, -1, k, dst=cv2_out),
            }
            results["kernel"].setdefault(name, {})[side] = machine.race(
                functions, 5, clock=time.thread_time
            )
    return results


def peak(*, quick: bool) -> Results:
    """Measure peak memory of the whole command on a large picture, as a multiple of its bytes."""
    import command_cases as cases
    from memory_cases import picture
    from PIL import Image

    side = 4000 if quick else 10_000
    results: Results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for channels, suffix in ((1, "pgm"), (1, "png"), (3, "ppm"), (3, "png")):
            source = folder / f"large{channels}.{suffix}"
            Image.fromarray(picture(side, side, channels)).save(source)
            decoded = side * side * channels / 1e6
            found = cases.compete(cases.commands(source, folder), 1 if quick else 2)
            for figures in found.values():
                figures["times_decoded"] = round(figures["peak_mb"] / decoded, 2)
            label = f"{side * side // 10**6} MP {'grey' if channels == 1 else 'RGB'} {suffix}"
            results[label] = found
            print(label, json.dumps(found), flush=True)
    return results


PARTS = {"memory": memory, "commands": commands, "sizes": sizes, "peak": peak}


def main() -> None:
    """Run the parts that were asked for and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; repeats")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "filters.json")
    parser.add_argument("--report", action="store_true", help="only rewrite the report")
    asked = parser.parse_args()
    report = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.exists() else {}
    if not asked.report:
        cleared = machine.prepare(2)
        for name in asked.part or PARTS:
            report[name] = PARTS[name](quick=asked.quick)
            report[f"{name} machine"] = machine.facts() | {"cleared": cleared}
            asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    from report import write

    write(report, ROOT / "docs")


if __name__ == "__main__":
    main()
