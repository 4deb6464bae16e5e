"""Whole pictures: modes, alpha, chains and ranges, against NumPy written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnncli.filtering.chain import apply_filters
from cnncli.filtering.settings import Settings, chain_range
from cnncli.images import Picture
from cnncli.ops import Kernel, get_filter
from cnncli.ops.borders import parse_border

RNG = np.random.default_rng(3)
BLUR, EDGE = get_filter("blur"), get_filter("vertical_edge")
SOBEL, GAUSS = get_filter("sobel"), get_filter("gaussian5")
PLAIN = Settings()


def windows(image: np.ndarray, size: int = 3, mode: str = "reflect") -> np.ndarray:
    """Return ``(H, W, size, size)`` windows of a padded grey image."""
    padded = np.pad(image.astype(np.float64), size // 2, mode=mode)  # type: ignore[call-overload]
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size))


@pytest.mark.parametrize(
    "pixels",
    [
        RNG.integers(0, 256, (6, 8), np.uint8),
        RNG.integers(0, 256, (6, 8, 3), np.uint8),
        RNG.integers(0, 256, (6, 8, 4), np.uint8),
        RNG.integers(0, 65536, (6, 8), np.uint16),
        RNG.integers(-(2**20), 2**20, (6, 8), np.int32),
    ],
    ids=["L", "RGB", "CMYK", "I;16", "I"],
)
def test_depth_and_channels_are_kept_and_rounded_half_up(pixels: np.ndarray) -> None:
    done = apply_filters(Picture(pixels), (BLUR,), PLAIN)
    channels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    means = [windows(channels[..., c]).sum(axis=(2, 3)) / 9 for c in range(channels.shape[2])]
    expected = np.floor(np.dstack(means) + 0.5).reshape(pixels.shape)
    assert done.picture.pixels.dtype == pixels.dtype
    assert (done.picture.pixels == expected).all()


def test_float_pictures_stay_real() -> None:
    pixels = RNG.standard_normal((6, 8)).astype(np.float32)
    done = apply_filters(Picture(pixels, mode="F"), (BLUR,), PLAIN)
    assert done.picture.pixels.dtype == np.float32
    np.testing.assert_allclose(done.picture.pixels, windows(pixels).mean((2, 3)), atol=1e-6)


def test_auto_shows_both_signs_of_an_edge() -> None:
    bar = np.zeros((3, 6), np.uint8)
    bar[:, 2:4] = 40
    done = apply_filters(Picture(bar), (EDGE,), PLAIN)
    assert done.picture.pixels[1].tolist() == [0, 120, 120, 120, 120, 0]
    assert (done.range, done.reason) == ("abs", "the kernel sums to 0")
    clipped = apply_filters(Picture(bar), (EDGE,), PLAIN._replace(range="clip"))
    assert clipped.picture.pixels[1].tolist() == [0, 120, 120, 0, 0, 0]


def test_a_chain_is_rounded_once() -> None:
    pixels = RNG.integers(0, 256, (9, 9), np.uint8)
    done = apply_filters(Picture(pixels), (BLUR, BLUR), PLAIN)
    once = windows(pixels).mean((2, 3))
    assert (done.picture.pixels == np.floor(windows(once).mean((2, 3)) + 0.5)).all()
    twice = apply_filters(apply_filters(Picture(pixels), (BLUR,), PLAIN).picture, (BLUR,), PLAIN)
    assert (done.picture.pixels != twice.picture.pixels).any()


def test_signs_survive_between_the_filters_of_a_chain() -> None:
    pixels = RNG.integers(0, 256, (9, 9), np.uint8)
    done = apply_filters(Picture(pixels), (EDGE, BLUR), PLAIN._replace(range="raw"))
    signed = (windows(pixels) * get_filter("vertical_edge").weights).sum((2, 3))  # type: ignore[union-attr]
    np.testing.assert_allclose(done.picture.pixels, windows(signed).mean((2, 3)), atol=1e-3)


@pytest.mark.parametrize(
    ("steps", "mode"),
    [
        ((BLUR,), "clip"),
        ((EDGE,), "abs"),
        ((EDGE, BLUR), "abs"),  # the blurred edge still has both signs
        ((BLUR, EDGE), "abs"),
        ((SOBEL,), "clip"),
        ((EDGE, SOBEL), "clip"),  # a magnitude leaves no signs
        ((SOBEL, BLUR), "clip"),
        ((SOBEL, EDGE), "abs"),
    ],
)
def test_auto_looks_at_the_whole_chain(steps: tuple[Kernel, ...], mode: str) -> None:
    assert chain_range("auto", steps)[0] == mode


def test_scale_and_bias_belong_to_the_last_filter() -> None:
    pixels = RNG.integers(0, 256, (6, 6), np.uint8)
    done = apply_filters(Picture(pixels), (BLUR, BLUR), PLAIN._replace(scale=18, bias=10.0))
    once = windows(pixels).mean((2, 3))
    assert (done.picture.pixels == np.floor(windows(once).sum((2, 3)) / 18 + 10.5)).all()


# --- alpha ---


def two_halves() -> Picture:
    """Return green, opaque on the left; hidden red on the right."""
    pixels = np.zeros((5, 6, 3), np.uint8)
    pixels[:, :3, 1] = 200
    pixels[:, 3:, 0] = 255
    alpha = np.zeros((5, 6), np.uint8)
    alpha[:, :3] = 255
    return Picture(pixels, alpha, "RGBA")


def test_hidden_colour_does_not_bleed() -> None:
    done = apply_filters(two_halves(), (BLUR,), PLAIN).picture
    assert done.pixels[:, :3].tolist() == [[[0, 200, 0]] * 3] * 5
    assert done.alpha is not None
    assert (done.alpha == two_halves().alpha).all()


def test_a_plain_colour_has_no_edges_whatever_its_outline() -> None:
    done = apply_filters(two_halves(), (EDGE,), PLAIN).picture
    assert not done.pixels.any()
    assert not apply_filters(two_halves(), (SOBEL,), PLAIN).picture.pixels.any()


def test_a_blur_is_the_alpha_weighted_mean() -> None:
    pixels, alpha = (RNG.integers(0, 256, (7, 8), np.uint8) for _ in range(2))
    alpha[0, 0] = 255
    done = apply_filters(Picture(pixels, alpha), (BLUR,), PLAIN._replace(range="raw")).picture
    covers = windows(alpha).sum((2, 3))
    expected = windows(pixels * alpha.astype(float)).sum((2, 3)) / covers
    np.testing.assert_allclose(done.pixels, expected, rtol=1e-5)


@settings(deadline=None)  # a busy machine is no error
@given(
    arrays(np.uint8, st.tuples(st.integers(4, 8), st.integers(4, 8))),
    st.sampled_from(["sharpen", "vertical_edge", "gaussian3", "sobel", "emboss"]),
    st.sampled_from(["reflect", "valid", "constant:9", "wrap"]),
)
def test_windows_that_are_opaque_give_the_plain_result(
    pixels: np.ndarray, name: str, border: str
) -> None:
    alpha = np.full(pixels.shape, 255, np.uint8)
    alpha[0, 0] = 0
    asked = PLAIN._replace(border=parse_border(border), range="raw")
    step = get_filter(name)
    plain = apply_filters(Picture(pixels), (step,), asked).picture.pixels
    seen = apply_filters(Picture(pixels, alpha), (step,), asked).picture.pixels
    away = (slice(3, -2), slice(3, -2))  # windows here do not reach the hole, even wrapped
    np.testing.assert_allclose(seen[away], plain[away], rtol=1e-6, atol=1e-4)


def test_wholly_opaque_is_filtered_exactly_as_without_alpha() -> None:
    pixels = RNG.integers(0, 256, (6, 6, 3), np.uint8)
    alpha = np.full((6, 6), 255, np.uint8)
    with_alpha = apply_filters(Picture(pixels, alpha), (GAUSS,), PLAIN).picture
    assert (
        with_alpha.pixels == apply_filters(Picture(pixels), (GAUSS,), PLAIN).picture.pixels
    ).all()
    assert with_alpha.alpha is not None
    assert (with_alpha.alpha == 255).all()


@pytest.mark.parametrize("border", ["reflect", "valid", "wrap"])
def test_a_stride_beyond_the_end_leaves_the_first_window_and_costs_nothing(border: str) -> None:
    pixels = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    # As wide a tile would take 9 GB.
    far = PLAIN._replace(border=parse_border(border), stride=(10**6, 10**6))
    near = PLAIN._replace(border=parse_border(border))
    for alpha in (None, RNG.integers(0, 256, (6, 8), np.uint8)):
        picture = Picture(pixels, alpha)
        done = apply_filters(picture, (BLUR,), far).picture
        expected = apply_filters(picture, (BLUR,), near).picture
        assert np.array_equal(done.pixels, expected.pixels[:1, :1])
        assert alpha is None or np.array_equal(done.alpha, expected.alpha[:1, :1])


@pytest.mark.parametrize(
    ("border", "stride", "expected"),
    [
        ("reflect", (2, 2), np.s_[::2, ::2]),
        ("valid", (1, 1), np.s_[1:-1, 1:-1]),
        ("valid", (2, 3), np.s_[1:-1:2, 1:-1:3]),
    ],
)
def test_alpha_is_sampled_at_the_anchors(
    border: str, stride: tuple[int, int], expected: tuple[slice, slice]
) -> None:
    alpha = RNG.integers(0, 256, (7, 9), np.uint8)
    picture = Picture(RNG.integers(0, 256, (7, 9), np.uint8), alpha)
    asked = PLAIN._replace(border=parse_border(border), stride=stride)
    done = apply_filters(picture, (EDGE,), asked).picture
    assert done.alpha is not None
    assert (done.alpha == alpha[expected]).all()
    assert done.pixels.shape == done.alpha.shape


def test_op_convolve_turns_the_kernel_under_alpha_too() -> None:
    picture = two_halves()
    ramp = picture._replace(pixels=np.tile(np.arange(6, dtype=np.uint8) * 9, (5, 1)))
    raw = PLAIN._replace(range="raw")
    one = apply_filters(ramp, (EDGE,), raw).picture.pixels
    other = apply_filters(ramp, (EDGE,), raw._replace(op="convolve")).picture.pixels
    assert one.any()
    np.testing.assert_allclose(one, -other)
