"""Responses to pixels: every mode, half-up rounding, exact arithmetic."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.errors import KernelError, UsageError
from cnncli.ops import Kernel, get_filter, to_pixels
from cnncli.ops.pixels import resolve_range

VALUES = np.array([-300, -129, -1, 0, 1, 127, 300])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("clip", [0, 0, 0, 0, 1, 127, 255]),
        ("abs", [255, 129, 1, 0, 1, 127, 255]),
        ("offset", [0, 0, 127, 128, 129, 255, 255]),
        ("minmax", [0, 73, 127, 128, 128, 181, 255]),
    ],
)
@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_modes_by_hand(mode, expected, dtype):
    found = to_pixels(VALUES.astype(dtype), np.uint8, range=mode)
    assert found.dtype == np.uint8
    assert found.tolist() == expected


def test_raw_keeps_signs_and_fractions():
    found = to_pixels(VALUES, np.uint8, range="raw", scale=2, bias=0.25)
    assert found.dtype == np.float32
    assert found.tolist() == [-149.75, -64.25, -0.25, 0.25, 0.75, 63.75, 150.25]


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_rounding_is_half_up(dtype):
    values = np.array([1, 2, 3, 5, 7]).astype(dtype)
    assert to_pixels(values, np.uint8, scale=2).tolist() == [1, 1, 2, 3, 4]
    assert to_pixels(-values, np.int8, scale=2).tolist() == [0, -1, -1, -2, -3]


@pytest.mark.parametrize(
    ("dtype", "white", "middle"), [("uint8", 255, 128), ("uint16", 65535, 32768)]
)
def test_depths(dtype, white, middle):
    values = np.array([-(10**6), 0, 10**6])
    assert to_pixels(values, dtype).tolist() == [0, 0, white]
    assert to_pixels(values, dtype, range="offset").tolist() == [0, middle, white]
    assert to_pixels(values, dtype, range="minmax").tolist() == [0, middle, white]


def test_flat_pictures_do_not_divide_by_zero():
    assert to_pixels(np.full((2, 2), 7), np.uint8, range="minmax").tolist() == [[0, 0]] * 2
    assert to_pixels(np.full((2, 2), 7.5), np.uint8, range="minmax").tolist() == [[0, 0]] * 2
    assert to_pixels(np.full(2, 7.5), np.float32, range="minmax").tolist() == [0, 0]


def test_nan_becomes_black_and_infinities_clip():
    values = np.array([np.nan, np.inf, -np.inf, 3.0], np.float32)
    assert to_pixels(values, np.uint8).tolist() == [0, 255, 0, 3]


def test_negative_scale_turns_minmax_round():
    assert to_pixels(np.array([0, 10]), np.uint8, range="minmax", scale=-1).tolist() == [255, 0]
    floats = np.array([0.0, 10.0], np.float32)
    assert to_pixels(floats, np.uint8, range="minmax", scale=-1).tolist() == [255, 0]


def test_float_pictures_stay_real():
    values = np.array([-0.5, 0.25, 2.0], np.float32)
    assert to_pixels(values, np.float32).tolist() == [-0.5, 0.25, 2.0]
    assert to_pixels(values, np.float32, range="abs").tolist() == [0.5, 0.25, 2.0]
    assert to_pixels(values, np.float32, range="offset").tolist() == [0.0, 0.75, 2.5]
    assert to_pixels(values, np.float64, range="minmax").dtype == np.float64


@given(
    values=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=9),
    # Beyond 64 bits, as with a scale of 2**62 and a bias of a half, floats take over.
    scale=st.fractions(-(10**9), 10**9, max_denominator=60).filter(lambda s: s != 0),
    bias=st.fractions(min_value=-300, max_value=300, max_denominator=60),
    mode=st.sampled_from(["clip", "abs", "offset"]),
)
def test_exact_rounding(values, scale, bias, mode):
    found = to_pixels(np.array(values), np.uint8, range=mode, scale=scale, bias=bias)
    real = [Fraction(v) / scale + bias + (128 if mode == "offset" else 0) for v in values]
    real = [abs(v) for v in real] if mode == "abs" else real
    half = Fraction(1, 2)
    assert found.tolist() == [min(max(floor(v + half), 0), 255) for v in real]


@given(values=st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=9))
def test_exact_stretch(values):
    found = to_pixels(np.array(values), np.uint8, range="minmax")
    low, reach = min(values), max(max(values) - min(values), 1)
    half = Fraction(1, 2)
    assert found.tolist() == [floor(Fraction((v - low) * 255, reach) + half) for v in values]


def test_beyond_64_bits_falls_back_to_floats():
    values = np.array([-(2**62), 2**62])
    assert to_pixels(values, np.uint8, scale=Fraction(2**62, 100)).tolist() == [0, 100]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ([[-1, 0, 1]], "abs"),
        ([[0.1, 0.2, -0.3]], "abs"),
        ([[1, 1]], "clip"),
        ([[-1, 0]], "clip"),
        (get_filter("sobel_x"), "abs"),
        (get_filter("sobel"), "clip"),
        (get_filter("blur"), "clip"),
    ],
)
def test_auto(kernel, expected):
    mode, reason = resolve_range("auto", kernel)
    assert mode == expected
    assert reason


def test_named_range_is_kept():
    assert resolve_range("minmax", [[1]]) == ("minmax", "as asked")
    with pytest.raises(UsageError, match="use one of auto, clip, abs"):
        resolve_range("wild", [[1]])
    with pytest.raises(UsageError, match="resolve_range"):
        to_pixels(np.ones(1), np.uint8, range="auto")


@pytest.mark.parametrize(
    ("scale", "kernel", "expected"),
    [
        (None, [[2, 3]], 1),
        (None, get_filter("blur"), 9),
        (4, get_filter("blur"), 4),
        ("sum", [[2, 3]], 5),
        ("sum", [[0.25, 0.25]], Fraction(1, 2)),
        (0.1, [[1]], Fraction(1, 10)),
        (2.5, [[1]], Fraction(5, 2)),
        (None, get_filter("sobel"), 1),
        (-3, [[1]], -3),
    ],
)
def test_scale(scale, kernel, expected):
    assert Kernel.of(kernel).divisor(scale) == expected


@pytest.mark.parametrize(
    ("scale", "kernel", "message"),
    [
        (0, [[1]], "scale is 0"),
        (float("inf"), [[1]], "scale is inf"),
        ("sum", [[-1, 1]], "sums to 0"),
        ("sum", get_filter("sobel"), "no sum"),
    ],
)
def test_bad_scale(scale, kernel, message):
    with pytest.raises(KernelError, match=message):
        Kernel.of(kernel).divisor(scale)
