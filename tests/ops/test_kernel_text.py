"""Kernels from text and files, and what is wrong with those that are none."""

import io
import json

import numpy as np
import pytest

from cnncli.errors import KernelError
from cnncli.filtering.signal import parse_signal
from cnncli.kernel_files import kernel_from_bytes
from cnncli.ops.kernel_text import parse_kernel


def npy(array):
    stream = io.BytesIO()
    np.save(stream, np.asarray(array))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1 0 1; -1 0 1; -1 0 1", [[-1, 0, 1]] * 3),
        ("-1,0,1;-1,0,1", [[-1, 0, 1]] * 2),
        ("1, 2,\t3 ;", [[1, 2, 3]]),
        ("1 2\n3 4\n", [[1, 2], [3, 4]]),
        ("# note\n1 2 # more\n\n3 4", [[1, 2], [3, 4]]),
        ("5", [[5]]),
        ("1/2 .25", [[0.5, 0.25]]),
        ("1/9", [[1 / 9]]),
        ("-1/8 1e-3 2.", [[-0.125, 0.001, 2.0]]),
        ("0.5/2", [[0.25]]),
        ("4/2 1", [[2, 1]]),
    ],
)
def test_parse(text, expected):
    found = parse_kernel(text)
    assert np.array_equal(found, expected)
    assert found.dtype == (np.int64 if isinstance(expected[0][0], int) else np.float64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no numbers"),
        (" ; ;", "has no numbers"),
        ("1 2; 3", r"different lengths \[2, 1\]"),
        ("1 x", "'x' in the kernel is not a number"),
        ("1 nan", "'nan'"),
        ("1 inf", "'inf'"),
        ("1/0", "divides by zero"),
        ("1//2", "'1//2'"),
        ("1 - 2", "'-'"),
        ("0x10", "'0x10'"),
        ("1_000", "'1_000'"),
        ("1e999", "too large"),
    ],
)
def test_refused(text, message):
    with pytest.raises(KernelError, match=message) as caught:
        parse_kernel(text)
    assert "\n" not in str(caught.value)


def test_huge_exponents_are_refused_quickly():
    with pytest.raises(KernelError, match="not a number"):
        parse_kernel("1e999999999")


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"0 1/2\n1 0\n", ".txt"),
        (b"\xef\xbb\xbf0,0.5\r\n1,0\r\n", ".csv"),
        (json.dumps([[0, "1/2"], [1, 0]]).encode(), ".json"),
        (npy([[0, 0.5], [1, 0]]), ".npy"),
        (npy(np.array([[0, 0.5], [1, 0]], np.float32)), ".NPY"),
    ],
)
def test_file_contents(data, suffix):
    assert kernel_from_bytes(data, suffix).tolist() == [[0, 0.5], [1, 0]]


@pytest.mark.parametrize(
    ("data", "suffix"), [(b"1 2 3", ".txt"), (b"[1, 2, 3]", ".json"), (npy([1, 2, 3]), ".npy")]
)
def test_one_row_files(data, suffix):
    assert kernel_from_bytes(data, suffix).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("data", "suffix", "message"),
    [
        (b"", ".txt", "no numbers"),
        (b"\xff\xfe\x00", ".txt", "not text"),
        (b"{", ".json", "not JSON"),
        (b"{}", ".json", "holds"),
        (b"[]", ".json", "holds"),
        (b"[[1], 2]", ".json", "holds"),
        (b"[[1, null]]", ".json", "'None'"),
        (b"[[1], [1, 2]]", ".json", "different lengths"),
        (b"junk", ".npy", "not a .npy array"),
        (npy([[1]])[:20], ".npy", "not a .npy array"),
        (npy(np.array([[object()]], object)), ".npy", "not a .npy array"),
        (npy(np.ones((2, 2, 2))), ".npy", "shape"),
        (npy([[np.nan]]), ".npy", "NaN"),
        (b"1", ".xml", "use one of .txt, .csv, .json, .npy"),
    ],
)
def test_bad_file_contents(data, suffix, message):
    with pytest.raises(KernelError, match=message):
        kernel_from_bytes(data, suffix)


def test_signal():
    assert parse_signal("1,0,2,3,1,0,1").tolist() == [1, 0, 2, 3, 1, 0, 1]
    with pytest.raises(KernelError, match="signal has 2 rows"):
        parse_signal("1;2")
    with pytest.raises(KernelError, match="'nan' in the signal is not a number; write one row"):
        parse_signal("1,nan")
