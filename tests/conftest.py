"""Fixtures that all tests share: the command line run for real, and the real data, if any."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

from tests import forked

ROOT = Path(__file__).resolve().parents[1]
if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core: threads would wait for others
    os.environ.setdefault("OMP_NUM_THREADS", "1")
CliRunner = Callable[..., subprocess.CompletedProcess[str]]


def _data_set(variable: str, folder: str, needs: str) -> Path:
    path = Path(os.environ.get(variable, ROOT.parent / "shared" / folder))
    if not (path / needs).exists():
        pytest.skip(f"no {needs} in {path}; name the folder with {variable}")
    return path


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Return the folder with the four MNIST files (gzipped IDX), or skip."""
    return _data_set("CNNCLI_TEST_MNIST", "mnist", "train-images-idx3-ubyte.gz")


@pytest.fixture(scope="session")
def photo_folder() -> Path:
    """Return a folder of small photographs, ``train/<class>`` and ``test/<class>``, or skip."""
    return _data_set("CNNCLI_TEST_PHOTOS", "cifar10-sample", "train")


@pytest.fixture(autouse=True)
def _limits_end_with_the_test() -> Iterator[None]:
    # Commands that run in this process set the pixel limit for all of it.
    with (
        mock.patch.dict(os.environ),
        mock.patch.object(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS),
    ):
        yield


@pytest.fixture
def cli(tmp_path: Path) -> CliRunner:
    """Return a function that runs ``cnncli`` in a process of its own, in an empty folder.

    The process is a fork of one that has loaded torch and the like, which takes a tenth of the
    time. With `fresh`, with a variable that is read at the start, and on a system that cannot fork
    it is a new interpreter.
    """

    def run(
        *arguments: str | Path,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
        cwd: Path = tmp_path,
        text: bool = True,
        fresh: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        environment = {
            **os.environ,
            "CNNCLI_DATA": str(tmp_path / "no-data"),
            "COLUMNS": "100",
            **(env or {}),
        }
        early = any(name.startswith(("PYTHON", "OMP_")) for name in env or {})
        if fresh or early or not forked.POSSIBLE:
            return subprocess.run(  # noqa: PLW1510 (the exit code is what tests look at)
                [sys.executable, "-m", "cnncli", *words],
                input=stdin.decode() if text and stdin is not None else stdin,
                capture_output=True,
                text=text,
                cwd=cwd,
                timeout=240,
                env=environment,
            )
        code, out, error = forked.run(words, stdin or b"", environment, cwd, timeout=240)
        if text:
            return subprocess.CompletedProcess(words, code, out.decode(), error.decode())
        return subprocess.CompletedProcess(words, code, out, error)  # type: ignore[arg-type]

    return run
