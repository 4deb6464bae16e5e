"""``python -m cnncli`` as a fork of a process in which torch is loaded already.

Each run is a process of its own with its own streams, folder and environment. What a fresh
interpreter does otherwise (imports, ``PYTHON…`` variables, threads of BLAS) is not tested by it.
"""

import multiprocessing
import os
import runpy
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

POSSIBLE = sys.platform == "linux"  # elsewhere the system's libraries bear no fork
LOADED = [
    "torch",
    "torchvision",
    "sklearn.datasets",
    "sklearn.linear_model",
    "sklearn.model_selection",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "jinja2",
    "cnncli.commands._training",
    *(f"cnncli.commands.{name}" for name in ("convolve", "evaluate", "export", "predict", "why")),
]


@cache
def _context() -> Any:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line itself does
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def run(
    words: list[str], stdin: bytes, environment: dict[str, str], folder: Path, timeout: float
) -> tuple[int, bytes, bytes]:
    """Run the command line and return its exit code, stdout and stderr."""
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place, name) for name in ("stdin", "stdout", "stderr")]
        for stream in streams:
            stream.write_bytes(stdin if stream.name == "stdin" else b"")
        process = _context().Process(target=_main, args=(words, environment, folder, streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"cnncli {words} takes more than {timeout} seconds")
        return process.exitcode, streams[1].read_bytes(), streams[2].read_bytes()


def _main(words: list[str], environment: dict[str, str], folder: Path, streams: list[Path]) -> None:
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        opened = os.open(streams[number], os.O_RDONLY if mode == "r" else os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
        stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["cnncli", *words]
    runpy.run_module("cnncli", run_name="__main__")
