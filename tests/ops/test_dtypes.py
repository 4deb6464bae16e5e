"""The type policy, and the proof of its bounds tried out."""

import numpy as np
import pytest

from cnncli.errors import KernelError
from cnncli.ops import Kernel, correlate2d
from cnncli.ops.dtypes import as_kernel


@pytest.mark.parametrize(
    ("image", "kernel", "expected"),
    [
        ("uint8", "int64", "int32"),
        ("uint8", "uint8", "int32"),
        ("bool", "int8", "int32"),
        ("int16", "int32", "int32"),
        ("uint16", "int64", "int32"),
        ("int32", "int64", "int64"),
        ("uint64", "int64", "int64"),
        ("uint8", "float64", "float32"),
        ("uint8", "float32", "float32"),
        ("uint16", "float64", "float32"),
        ("int32", "float32", "float64"),
        ("float16", "int64", "float32"),
        ("float32", "float64", "float32"),
        ("float32", "int64", "float32"),
        ("float64", "float32", "float64"),
        ("float64", "int64", "float64"),
    ],
)
def test_result_types(image, kernel, expected):
    found = correlate2d(np.ones((4, 4), image), np.ones((3, 3), kernel))
    assert found.dtype == expected
    assert (found == 9).all()


def test_fraction_outside_makes_floats():
    found = correlate2d(np.ones((2, 2), np.uint8), np.ones((3, 3), int), border="constant:0.5")
    assert found.dtype == np.float32
    assert (found == 6.5).all()


def test_large_weights_widen_to_64_bits():
    assert correlate2d(np.ones((1, 1), np.uint8), [[2**23]]).dtype == np.int32
    assert correlate2d(np.ones((1, 1), np.uint8), [[2**24]]).dtype == np.int64


def test_bounds_are_reached():
    kernel = np.array([[3, -5, 0, 2]])
    low, high = Kernel.of(kernel).bounds(-7, 11)
    least = np.where(kernel > 0, -7, 11)
    largest = np.where(kernel > 0, 11, -7)
    assert (low, high) == ((kernel * least).sum(), (kernel * largest).sum())


def test_extreme_pixels_do_not_overflow():
    image = np.full((3, 3), -(2**15), np.int16)
    kernel = np.full((3, 3), -(2**12), np.int64)
    assert correlate2d(image, kernel).tolist() == [[9 * 2**27]]


def test_kernel_of_unsigned_64_bits():
    assert as_kernel(np.array([[5]], np.uint64)).dtype == np.int64
    with pytest.raises(KernelError, match=r"2\*\*63"):
        as_kernel(np.array([[2**63]], np.uint64))
