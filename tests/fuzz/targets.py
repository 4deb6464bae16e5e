"""What is fuzzed: functions that take any bytes and may refuse them, in one line, and nothing else.

Each target raises AssertionError, or lets through whatever unexpected error the code raises, if the
input is a found case. The same functions serve Hypothesis, atheris and the kept cases.
"""

import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from cnncli.checkpoint import read_checkpoint
from cnncli.errors import CnncliError
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.settings import Settings
from cnncli.images import read_picture, write_picture
from cnncli.kernel_files import kernel_from_bytes
from cnncli.nn.idx import read_idx
from cnncli.ops import correlate2d, get_filter
from cnncli.ops.kernel_text import parse_kernel
from cnncli.resources import shipped_weights

MAX_PIXELS = "250000"  # a fuzzer's pictures are small, and its bombs must be refused
_FOLDER = Path(tempfile.gettempdir()) / f"cnncli-fuzz-{os.getpid()}"


def _on_disk(data: bytes, name: str) -> Path:
    _FOLDER.mkdir(exist_ok=True)
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _refused(work: Callable[[], Any]) -> Any:
    """Return what some work returns, None if it refuses in the way that is promised."""
    try:
        return work()
    except CnncliError as error:
        line = str(error)
        assert line
        assert len(line) < 2000, f"{len(line)} letters"
        assert len(line.splitlines()) == 1, line
        return None


def kernel_text(data: bytes) -> None:
    """Fuzz ``--kernel``."""
    kernel = _refused(lambda: parse_kernel(data.decode("utf-8", "replace")))
    if kernel is not None and kernel.size <= 64:
        _check_kernel(kernel)


def kernel_file(data: bytes) -> None:
    """Fuzz ``--kernel-file``; the first byte chooses the type."""
    suffix = (".txt", ".csv", ".json", ".npy")[data[0] % 4 if data else 0]
    kernel = _refused(lambda: kernel_from_bytes(data[1:], suffix))
    if kernel is not None and kernel.size <= 64:
        _check_kernel(kernel)


def _check_kernel(kernel: Any) -> None:
    assert kernel.ndim == 2
    assert kernel.dtype in (np.int64, np.float64)
    assert np.isfinite(kernel).all()
    image = np.arange(30, dtype=np.uint8).reshape(5, 6)
    with np.errstate(all="ignore"):
        result = _refused(lambda: correlate2d(image, kernel, border="edge"))
    assert result is None or result.shape == (5, 6)


def checkpoint(data: bytes) -> None:
    """Fuzz the header of a checkpoint: the bytes replace the header before the shipped tensors."""
    path = _on_disk(len(data).to_bytes(8, "little") + data + _tensors(), "fuzz.safetensors")
    read = _refused(lambda: read_checkpoint(path))
    if read is not None:
        assert len(read.classes) == read.model.num_classes
        assert all(np.isfinite(array).all() for array in read.tensors.values())


def _tensors() -> bytes:
    raw = shipped_weights().read_bytes()
    return raw[8 + int.from_bytes(raw[:8], "little") :]


def idx_file(data: bytes) -> None:
    """Fuzz IDX files, plain and gzipped."""
    path = _on_disk(data, "fuzz.idx")
    read = _refused(lambda: read_idx(path))
    assert read is None or read.dtype == np.uint8


def picture(data: bytes) -> None:
    """Fuzz the whole path of ``convolve``: read, filter, write, read again."""
    path = _on_disk(data, "fuzz.picture")
    with mock.patch.dict(os.environ, CNNCLI_MAX_PIXELS=MAX_PIXELS):
        read = _refused(lambda: read_picture(path))
    if read is None:
        return
    assert read.pixels.size <= 4 * int(MAX_PIXELS)
    assert read.pixels.size > 0
    steps = (get_filter("blur"),)
    done = _refused(lambda: apply_filters(read, steps, Settings(), 1))
    if done is None:
        return
    assert done.picture.pixels.shape == read.pixels.shape
    for suffix in (".png", ".jpg", ".tif"):
        target = _FOLDER / f"out{suffix}"
        _refused(lambda target=target: write_picture(target, done.picture))  # type: ignore[misc]
    assert not [path for path in _FOLDER.iterdir() if path.suffix == ".tmp"]


def seeds(name: str) -> Iterator[bytes]:
    """Yield valid inputs of a target: what mutations start from."""
    if name == "kernel_text":
        yield from (b"-1 0 1; -1 0 1; -1 0 1", b"1/9, 1e-3\n.5 -2.  # remark", b"[1;2]")
    elif name == "kernel_file":
        rows = [[-1, 0, 1], [2.5, 1e-3, 0], [1, 2, 3]]
        yield b"\0" + b"1 2 3\n4 5 6\n"
        yield b"\1" + b"1,2,3\r\n4,5,6\r\n"
        yield b"\2" + json.dumps(rows).encode()
        for array in (np.array(rows), np.ones((2, 2), ">i2"), np.ones(3, "?")):
            buffer = io.BytesIO()
            np.save(buffer, array)
            yield b"\3" + buffer.getvalue()
    elif name == "checkpoint":
        raw = shipped_weights().read_bytes()
        yield raw[8 : 8 + int.from_bytes(raw[:8], "little")]
        header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        del header["__metadata__"]
        yield json.dumps(header).encode()
    elif name == "idx_file":
        import gzip

        yield bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9])
        yield bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
        yield gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    else:
        from tests.reliability.hostile import every_format

        yield from (data for _, data in every_format())


TARGETS: dict[str, Callable[[bytes], None]] = {
    "kernel_text": kernel_text,
    "kernel_file": kernel_file,
    "checkpoint": checkpoint,
    "idx_file": idx_file,
    "picture": picture,
}
