"""Pooling of whole pictures, alpha included."""

import numpy as np
import pytest

from cnncli.errors import UsageError
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.images import Picture

GREY = np.array([[1, 2, 3, 40], [5, 6, 7, 80]], np.uint8)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("max", [[6, 80]]),
        ("min", [[1, 3]]),
        ("avg", [[4, 33]]),  # 14 / 4 = 3.5 and 130 / 4 = 32.5, half up
        ("median", [[4, 24]]),  # (2 + 5) / 2 and (7 + 40) / 2 = 23.5
        ("sum", [[14, 130]]),
        ("l2", [[8, 90]]),  # sqrt(66) = 8.12, sqrt(8058) = 89.77
    ],
)
def test_modes_by_hand(mode: str, expected: list[list[int]]) -> None:
    done = pool_picture(Picture(GREY), PoolSettings(mode=mode))
    assert done.pixels.dtype == np.uint8
    assert done.pixels.tolist() == expected


def test_a_sum_beyond_white_is_clipped_stretched_or_raw() -> None:
    white = Picture(np.array([[200, 200, 0, 0], [200, 200, 0, 1]], np.uint8))
    assert pool_picture(white, PoolSettings(mode="sum")).pixels.tolist() == [[255, 1]]
    assert pool_picture(white, PoolSettings(mode="sum", range="minmax")).pixels.tolist() == [
        [255, 0]
    ]
    raw = pool_picture(white, PoolSettings(mode="sum", range="raw")).pixels
    assert raw.dtype == np.float32
    assert raw.tolist() == [[800, 1]]


def test_the_whole_picture() -> None:
    done = pool_picture(Picture(GREY), PoolSettings(mode="avg", whole=True))
    assert done.pixels.tolist() == [[18]]


def test_sixteen_bits_stay() -> None:
    done = pool_picture(Picture(GREY.astype(np.uint16) * 300), PoolSettings(mode="avg"))
    assert done.pixels.dtype == np.uint16
    assert done.pixels.tolist() == [[1050, 9750]]


ALPHA = np.array([[255, 255, 255, 0], [255, 255, 255, 0]], np.uint8)


@pytest.mark.parametrize(
    ("mode", "expected", "opacity"),
    [
        ("max", [[6, 7]], [[255, 255]]),  # 80 is hidden
        ("min", [[1, 3]], [[255, 0]]),
        ("avg", [[4, 5]], [[255, 128]]),
        ("median", [[4, 5]], [[255, 128]]),
        ("sum", [[14, 10]], [[255, 128]]),
        ("l2", [[8, 8]], [[255, 128]]),  # sqrt(9 + 49) = 7.6
    ],
)
def test_hidden_pixels_take_no_part(
    mode: str, expected: list[list[int]], opacity: list[list[int]]
) -> None:
    done = pool_picture(Picture(GREY, ALPHA), PoolSettings(mode=mode))
    assert done.pixels.tolist() == expected
    assert done.alpha is not None
    assert done.alpha.tolist() == opacity


@pytest.mark.parametrize("mode", ["max", "min", "avg", "median", "l2"])
def test_a_clear_window_is_black_and_clear(mode: str) -> None:
    clear = Picture(np.full((2, 2, 3), 77, np.uint8), np.zeros((2, 2), np.uint8))
    done = pool_picture(clear, PoolSettings(mode=mode))
    assert done.pixels.tolist() == [[[0, 0, 0]]]
    assert done.alpha is not None
    assert done.alpha.tolist() == [[0]]


def test_colour_means_weigh_by_alpha() -> None:
    pixels = np.array([[[200, 0, 0], [0, 100, 0]]], np.uint8)
    alpha = np.array([[51, 204]], np.uint8)  # one part to four
    done = pool_picture(Picture(pixels, alpha), PoolSettings(mode="avg"))
    assert done.pixels.tolist() == [[[40, 80, 0]]]
    assert done.alpha is not None
    assert done.alpha.tolist() == [[128]]


@pytest.mark.parametrize("edge", ["partial", "drop"])
def test_medians_of_visible_pixels_against_a_loop(edge: str) -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (11, 13), np.uint8)
    alpha = rng.choice(np.array([0, 255], np.uint8), (11, 13))
    settings = PoolSettings(size=(3, 4), stride=(2, 2), mode="median", edge=edge, range="raw")
    done = pool_picture(Picture(pixels, alpha), settings)
    for (row, column), value in np.ndenumerate(done.pixels):
        window = np.s_[row * 2 : row * 2 + 3, column * 2 : column * 2 + 4]
        seen = pixels[window][alpha[window] > 0]
        assert value == (np.median(seen) if seen.size else 0)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        (PoolSettings(padding=(1, 1)), UsageError, "padding 1 needs --edge pad"),
        (PoolSettings(padding=(2, 2), edge="pad"), UsageError, "exceeds half the window 2"),
    ],
)
def test_what_no_picture_can_make_right(
    settings: PoolSettings, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        settings.check()
