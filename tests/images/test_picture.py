"""Pictures as a screen shows them."""

import numpy as np
import pytest

from cnncli.images import Picture, to_uint8_grey, to_uint8_rgb

GREY = np.array([[0, 100], [200, 255]], np.uint8)


def test_grey_is_repeated() -> None:
    assert to_uint8_rgb(Picture(GREY))[1, 0].tolist() == [200, 200, 200]
    assert to_uint8_grey(Picture(GREY)) is GREY


def test_sixteen_bits_keep_their_high_byte() -> None:
    deep = GREY.astype(np.uint16) * 257
    assert (to_uint8_grey(Picture(deep)) == GREY).all()


def test_a_transparent_picture_lies_on_white() -> None:
    alpha = np.array([[0, 255], [128, 0]], np.uint8)
    shown = to_uint8_rgb(Picture(GREY, alpha))[..., 0]
    # 200 at 128/255 on white: (200 * 128 + 255 * 127) / 255 = 227.4
    assert shown.tolist() == [[255, 100], [227, 255]]


def test_another_ground() -> None:
    clear = np.zeros((2, 2), np.uint8)
    assert to_uint8_rgb(Picture(GREY, clear), (1, 2, 3))[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 127.6, 255.0]], [[0, 128, 255]]),  # grey levels already
        ([[-2.0, 0.0, 2.0]], [[0, 128, 255]]),  # signed: its own range
        ([[0.0, 0.25, 1.0]], [[0, 64, 255]]),  # from 0 to 1
        ([[3.0, 3.0, 3.0]], [[3, 3, 3]]),
        ([[float("nan"), 0.0, 1.0]], [[0, 0, 255]]),
    ],
)
def test_real_numbers(values: list[list[float]], expected: list[list[int]]) -> None:
    assert to_uint8_grey(Picture(np.array(values, np.float32))).tolist() == expected


def test_cmyk() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)
    assert to_uint8_rgb(Picture(inks)).tolist() == [[[255] * 3, [0, 255, 255], [0, 0, 0]]]


def test_luma_weighs_green_most() -> None:
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert to_uint8_grey(Picture(primaries)).tolist() == [[76, 150, 29]]  # as Pillow's convert("L")
