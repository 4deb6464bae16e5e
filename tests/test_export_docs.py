"""The programs in docs/export.md, run where what they need is installed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cnncli.checkpoint import read_checkpoint
from cnncli.images import read_picture
from cnncli.preprocess import prepare
from cnncli.resources import sample_image, shipped_weights
from tests.conftest import ROOT, CliRunner

PAGE = (ROOT / "docs" / "export.md").read_text("utf-8")
PYTHON, TORCH = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[JAVASCRIPT] = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """``digit.png`` and ``digit.raw``: the sample 7 as the network takes it."""
    prepared = prepare(
        read_picture(sample_image("digit-7-pen.jpg")),
        read_checkpoint(shipped_weights()).preprocessing,
    )
    Image.fromarray(prepared.pixels[:, :, 0]).save(tmp_path / "digit.png")
    (tmp_path / "digit.raw").write_bytes(prepared.pixels.tobytes())
    return tmp_path


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_and_javascript(cli: CliRunner, digit: Path) -> None:
    pytest.importorskip("onnxruntime", reason="no onnxruntime; pip install 'cnncli[export]'")
    assert cli("export", "-o", "digits.onnx", "-w", shipped_weights()).returncode == 0
    (digit / "read.py").write_text(PYTHON)
    told = run(digit, sys.executable, "read.py")
    assert told.startswith("7 0.99")
    node, modules = shutil.which("node"), os.environ.get("CNNCLI_TEST_NODE_MODULES")
    if node is None or modules is None or not Path(modules, "onnxruntime-web").exists():
        pytest.skip("JavaScript: no node, or CNNCLI_TEST_NODE_MODULES names no onnxruntime-web")
    (digit / "node_modules").symlink_to(modules)
    (digit / "read.mjs").write_text(JAVASCRIPT)
    assert run(digit, node, "read.mjs") == told


def test_torch_alone(cli: CliRunner, tmp_path: Path) -> None:
    assert cli("export", "-o", "digits.pt2", "-w", shipped_weights()).returncode == 0
    (tmp_path / "read.py").write_text(TORCH)
    assert run(tmp_path, sys.executable, "read.py").strip() in list("0123456789")
