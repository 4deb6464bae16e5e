"""What the figures were measured on, and how: machine facts and paired timing."""

import gc
import importlib.metadata
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "opencv-python-headless", "scipy", "scikit-image", "pillow", "torch")
# Inherited choices of a BLAS kernel slow matrix products by half and more: cleared, and said.
BLAS_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_VERBOSE", "MKL_DEBUG_CPU_TYPE")


def prepare(threads: int) -> list[str]:
    """Set the thread variables before NumPy is imported; return BLAS variables that were set."""
    found = [name for name in BLAS_VARIABLES if os.environ.pop(name, None) is not None]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the engine threads over tiles by itself
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return found


def facts() -> dict[str, Any]:
    """Return processor, memory, versions and load of this machine."""
    cpu = platform.processor() or platform.machine()
    caches, memory = "", ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((s.partition(":")[2].strip() for s in lines if s.startswith("model name")), cpu)
        cores = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))
        caches = ", ".join(path.read_text(encoding="ascii").strip() for path in cores)
        memory = Path("/proc/meminfo").read_text(encoding="ascii").split("\n")[0].split()[1]
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "caches": caches,
        "memory_gb": round(int(memory) / 1e6, 1) if memory else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or None


QUICK = 0.05  # seconds: slower ones replace what is in the caches several times by themselves


def race(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int = 7,
    slow: float = 0.2,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Time functions in turn, round by round, so that a busy moment hits all alike.

    Each quick one is called right before its timing starts: what it finds in the caches is its own,
    not what the one before it left there, or took.

    Parameters
    ----------
    contenders
        Names and functions.
    rounds
        How often each is timed, after one call that is not.
    slow
        A function whose first call takes longer, in seconds, is timed once more only.
    clock
        Seconds; ``time.thread_time`` for work on one thread, which no neighbour disturbs as much.

    Returns
    -------
    dict
        Milliseconds: median, minimum and maximum, the number of timings, and ``ratio``: the
        median over rounds of the first contender's time over this one's.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    first = {name: _seconds(function, clock) for name, function in contenders.items()}
    quick = {name for name, seconds in first.items() if seconds < QUICK}
    first |= {name: _seconds(contenders[name], clock) for name in quick}
    loops = {name: max(1, int(0.004 / max(t, 1e-7))) for name, t in first.items()}
    gc.disable()
    for i in range(rounds):
        for name, function in contenders.items():
            if name in quick:
                function()
            if first[name] < slow or i == 0:
                times[name].append(_seconds(function, clock, loops[name]) * 1e3)
    gc.enable()
    ours = times[next(iter(times))]
    return {name: _summary(found, ours) for name, found in times.items()}


def _seconds(function: Callable[[], object], clock: Callable[[], float], loops: int = 1) -> float:
    start = clock()
    for _ in range(loops):
        function()
    return (clock() - start) / loops


def _summary(times: list[float], ours: list[float]) -> dict[str, float]:
    pairs = [a / b for a, b in zip(ours, times, strict=False)]
    return {
        "median_ms": round(statistics.median(times), 4),
        "min_ms": round(min(times), 4),
        "max_ms": round(max(times), 4),
        "n": len(times),
        "ratio": round(statistics.median(pairs), 3),
    }
