"""Gains of kernels for waves, against a discrete Fourier transform and by hand."""

import numpy as np
import pytest

from cnncli.filtering.frequency import gain, gain_picture, gain_table
from cnncli.filtering.likeness import most_like
from cnncli.ops import FILTERS, Kernel, get_filter

KERNELS = [each for each in FILTERS.values() if not each.partners]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_gain_is_the_magnitude_of_the_transform(kernel: Kernel) -> None:
    padded = np.zeros((16, 16))
    padded[: kernel.weights.shape[0], : kernel.weights.shape[1]] = kernel.weights
    expected = np.abs(np.fft.fft2(padded)) / kernel.scale
    frequency = np.arange(16) / 16
    found = gain(kernel.weights, kernel.scale, frequency, frequency[:, np.newaxis])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_wave_is_really_filtered_by_its_gain() -> None:
    kernel = get_filter("gaussian5")
    wave = np.cos(2 * np.pi * np.arange(64) / 8)
    row = kernel.weights.sum(axis=0)
    filtered = np.convolve(wave, row / kernel.scale, mode="valid")
    table = gain_table(kernel.weights, kernel.scale)
    assert np.abs(filtered).max() == pytest.approx(table["across"][3], abs=1e-3)


def test_the_picture_has_plain_areas_in_the_middle() -> None:
    blur, edge = FILTERS["blur"], FILTERS["vertical_edge"]
    soft = gain_picture(blur)
    sharp = gain_picture(edge)
    assert (soft[32, 32], sharp[32, 32]) == (255, 0)
    assert sharp[32, 16] == 255  # a wave of four pixels across


@pytest.mark.parametrize(
    ("name", "turned", "sign", "expected"),
    [
        ("sobel_x", 0, 1, "sobel_x"),
        ("sobel_x", 0, -3.5, "-sobel_x"),
        ("sobel_x", 1, 1, "-sobel_y"),  # a quarter turn counter-clockwise points upwards
        ("outline", 0, 2, "outline"),
        ("emboss", 1, 1, "emboss turned 90°"),
        ("kirsch_n", 0, 1, "kirsch_n"),
    ],
)
def test_a_named_kernel_is_recognised(name: str, turned: int, sign: float, expected: str) -> None:
    named = FILTERS[name]
    like = most_like(np.rot90(named.weights, turned) * sign)
    assert str(like) == expected
    assert like.similarity == pytest.approx(1)


def test_nothing_is_like_a_kernel_of_another_size_or_of_zeros() -> None:
    assert most_like(np.ones((4, 6))).like is None
    assert most_like(np.zeros((3, 3))).like is None
