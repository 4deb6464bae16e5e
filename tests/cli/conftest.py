"""What the tests of commands share: a small picture, and the command line within this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RunHere = Callable[..., int]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return ``photo.png``, which holds the ``PIXELS`` of the test's module."""
    path = tmp_path / "photo.png"
    Image.fromarray(request.module.PIXELS).save(path)
    return path


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunHere:
    """Return a function that runs ``cnncli`` without a new process and returns its exit code."""
    from cnncli.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        return int(end.value.code or 0)

    return run
