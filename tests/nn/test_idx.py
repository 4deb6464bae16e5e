"""IDX files: plain and gzipped, and every way to be wrong."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from cnncli.errors import DataError
from cnncli.nn.idx import read_idx


def idx(array: np.ndarray) -> bytes:
    """Write the format down a second time, independently of the reader."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


PICTURES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("array", [PICTURES, np.array([7, 0, 9], np.uint8)], ids=["3d", "1d"])
def test_reads_what_was_written(array: np.ndarray, packed: bool, tmp_path: Path) -> None:
    data = idx(array)
    (tmp_path / "f").write_bytes(gzip.compress(data) if packed else data)
    np.testing.assert_array_equal(read_idx(tmp_path / "f"), array)


def test_a_literal_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]))
    assert read_idx(tmp_path / "f").tolist() == [5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file"),
        (b"PNG and more", "is not an IDX file"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0]), "is not an IDX file of bytes"),
        (bytes([0, 0, 8, 2]) + bytes(8), "with 1 or 3 dimensions"),
        (idx(PICTURES)[:-1], r"says \(2, 3, 4\) but has 23 bytes"),
        (idx(PICTURES) + b"x", "but has 25 bytes"),
        (idx(PICTURES)[:9], "get the file again"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "but has 0 bytes"),
        (gzip.compress(idx(PICTURES), mtime=0)[:-9], "cannot read"),
        (b"\x1f\x8b" + b"garbage garbage", "cannot read"),
    ],
)
def test_a_damaged_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad-file").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "bad-file")
    assert "bad-file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: No such file"):
        read_idx(tmp_path / "none")
