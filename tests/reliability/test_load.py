"""Thousands of pictures, some of them broken, in one command: results, failures, memory."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.reliability.hostile import every_format

COUNT, BROKEN = 5000, 250  # one in twenty


def fill(folder: Path, count: int, broken: int) -> set[str]:
    """Write a mixed folder and return the names of the broken pictures."""
    endings = {
        "PNG": ".png",
        "JPEG": ".jpg",
        "TIFF": ".tif",
        "WEBP": ".webp",
        "BMP": ".bmp",
        "GIF": ".gif",
        "PPM": ".ppm",
        "TGA": ".tga",
    }
    files = [
        (endings[name.split()[0]], data)
        for name, data in every_format()
        if name.split()[0] in endings
    ]
    random = np.random.default_rng(0)
    bad = set(random.choice(count, broken, replace=False).tolist())
    names = set()
    for number in range(count):
        ending, data = files[number % len(files)]
        name = f"{number:05}{ending}"
        if number in bad:
            data = data[: min(14, len(data) // 3)]
            names.add(name)
        (folder / name).write_bytes(data)
    return names


def measured(arguments: list[str], folder: Path) -> tuple[int, str, str, list[int], float]:
    """Run a command and watch its memory (kB) as long as it runs; also return its CPU seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnncli", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sizes: list[int] = []

    def watch() -> None:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            sizes.extend(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = os.times().children_user
    out, err = process.communicate()
    watcher.join()
    return process.returncode, out, err, sizes, os.times().children_user - before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
def test_a_hundred_megapixels_take_less_than_two_and_a_half_times_their_bytes(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10_000, 10_000), dtype=np.uint8)
    (tmp_path / "a.pgm").write_bytes(b"P5 10000 10000 255\n" + pixels.tobytes())
    # A small process starts it and looks: a child is charged what its parent held at the start.
    look = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    arguments = ["convolve", "a.pgm", "-f", "blur", "-o", "b.pgm", "-q"]
    run = subprocess.run(
        [sys.executable, "-c", look, sys.executable, "-m", "cnncli", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes = int(run.stdout.split()[-1])
    assert 2 * pixels.nbytes < kilobytes * 1024 < 2.5 * pixels.nbytes


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
def test_too_little_memory_is_one_line_for_each_picture(tmp_path: Path) -> None:
    import resource

    for name in ("a.pgm", "b.pgm"):
        with (tmp_path / name).open("wb") as file:
            file.write(b"P5 16000 16000 255\n")
            file.truncate(19 + 16_000 * 16_000)
    limit = 900 << 20

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    raw = ["--range", "raw", "-o", "out", "-q"]
    run = subprocess.run(
        [sys.executable, "-m", "cnncli", "convolve", "a.pgm", "b.pgm", "-f", "sobel", *raw],
        cwd=tmp_path,
        preexec_fn=confine,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.count("needs more memory than there is") == 2
    assert run.stderr.count("\n") == 3
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "count",
    [pytest.param(COUNT, marks=pytest.mark.slow), 100],
)
@pytest.mark.parametrize("command", ["convolve", "pool", "predict"])
def test_a_mixed_folder(command: str, count: int, tmp_path: Path) -> None:
    if count < COUNT and command == "convolve":
        pytest.skip("pool goes the same way")
    folder = tmp_path / "in"
    folder.mkdir()
    bad = fill(folder, count, count // 20)
    options = {"convolve": ["-f", "sharpen", "-o", "out"], "pool": ["-o", "out"], "predict": []}
    started = time.perf_counter()
    arguments = [command, "in", *options[command], "--json", "-q"]
    status, out, err, sizes, cpu = measured(arguments, tmp_path)
    seconds = time.perf_counter() - started
    assert status == 3
    records = [json.loads(line) for line in out.splitlines()]
    assert [Path(record["path"]).name for record in records] == sorted(
        path.name for path in folder.iterdir()
    )
    failed = {Path(record["path"]).name for record in records if record["error"]}
    assert failed == bad
    lines = err.splitlines()
    assert sum(line.startswith("error: in/") for line in lines) == len(bad)
    assert f"{len(bad)} of {count} pictures failed" in lines[-1]
    if command != "predict":
        written = {path.name for path in (tmp_path / "out").iterdir()}
        assert len(written) == count - len(bad)
        assert written == {Path(record["output"]).name for record in records if record["output"]}
    if count == COUNT and len(sizes) > 100 and sys.platform == "linux":
        tenth = len(sizes) // 10  # the first tenth of the samples is start-up
        early, late = sizes[tenth : 2 * tenth], sizes[-tenth:]
        assert np.median(late) <= 1.1 * np.median(early)
        print(f"{command}: {count} pictures, {seconds:.1f} s, {cpu:.1f} CPU s, ", end="")  # noqa: T201
        print(f"{np.median(early) / 1024:.0f} -> {np.median(late) / 1024:.0f} MB")  # noqa: T201
