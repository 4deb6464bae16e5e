"""An explanation is recomputed from what it shows, and agrees with the filtered picture."""

import math
from typing import Any

import numpy as np
import pytest

from cnncli.errors import UsageError
from cnncli.filtering.chain import apply_filters
from cnncli.filtering.explain import ChannelSum, Explanation, explain_pixel
from cnncli.filtering.settings import Settings
from cnncli.images import Picture
from cnncli.ops import Border, Kernel, get_filter
from cnncli.ops.borders import BORDERS, parse_border

RNG = np.random.default_rng(11)
GREY = Picture(RNG.integers(0, 256, (9, 11), np.uint8))
COLOUR = Picture(RNG.integers(0, 256, (9, 11, 3), np.uint8), mode="RGB")
CLEAR = COLOUR._replace(alpha=RNG.integers(0, 3, (9, 11), np.uint8) * 127, mode="RGBA")
KERNEL = Kernel.of(np.array([[1, -2, 3], [0, 5, -1]]))


def recomputed(explanation: Explanation, channel: ChannelSum) -> float:
    """Return the value before the range, from windows, kernels and scales alone."""
    sums = []
    for each in channel.sums:
        products = np.array(each.window) * np.array(each.kernel)
        np.testing.assert_allclose(each.products, products)
        assert each.sum == pytest.approx(products.sum())
        sums.append(products.sum() / each.scale)
    if explanation.combine == "magnitude":
        response = math.sqrt(sum(s * s for s in sums))
    else:
        response = max(sums)
    return response / explanation.scale + explanation.bias


def to_pixel(explanation: Explanation, value: float) -> float:
    """Map and round as the range says, in plain Python."""
    if explanation.range == "raw":
        return value
    if explanation.range == "abs":
        value = abs(value)
    if explanation.range == "offset":
        value += 128
    if explanation.range == "minmax":
        assert explanation.low is not None
        assert explanation.high is not None
        value = (value - explanation.low) / (explanation.high - explanation.low) * 255
    return min(max(math.floor(value + 0.5), 0), 255)


CASES: list[dict[str, Any]] = [
    *[{"border": parse_border(b)} for b in (*BORDERS, "constant:77")],
    *[{"range": r} for r in ("auto", "clip", "abs", "offset", "minmax", "raw")],
    *[{"stride": (2, 2)}, {"stride": (2, 3)}, {"dilation": (2, 2)}],
    {"dilation": (1, 2), "stride": (3, 3)},
    *[{"op": "convolve"}, {"scale": 7, "bias": 3.0}, {"scale": "sum"}],
    {"border": Border("valid"), "dilation": (2, 2), "op": "convolve", "stride": (2, 2)},
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("picture", [GREY, COLOUR, CLEAR], ids=["grey", "colour", "alpha"])
def test_every_pixel_follows_from_its_explanation(case: dict[str, Any], picture: Picture) -> None:
    settings = Settings(**case)
    done = apply_filters(picture, (KERNEL,), settings).picture.pixels
    height, width = done.shape[:2]
    for x, y in ((0, 0), (width - 1, height - 1), (width // 2, height // 2), (width - 1, 0)):
        explanation = explain_pixel(picture, (KERNEL,), settings, x, y)
        pixels = np.atleast_1d(done[y, x])
        for channel, pixel in zip(explanation.channels, pixels, strict=True):
            value = recomputed(explanation, channel)
            assert value == pytest.approx(channel.value)
            assert channel.pixel == pixel
            # Alpha-weighted means are float32 in the engine: one step of rounding is allowed.
            slack = 1 if explanation.weighted else 1e-3
            assert to_pixel(explanation, value) == pytest.approx(pixel, abs=slack)


@pytest.mark.parametrize("name", ["sobel", "kirsch", "roberts"])
def test_filters_of_several_kernels(name: str) -> None:
    step = get_filter(name)
    explanation = explain_pixel(COLOUR, (step,), Settings(), 4, 0)
    done = apply_filters(COLOUR, (step,), Settings()).picture.pixels
    assert len(explanation.channels[0].sums) == len(step.parts)
    for channel, pixel in zip(explanation.channels, done[0, 4], strict=True):
        assert to_pixel(explanation, recomputed(explanation, channel)) == pixel == channel.pixel


def test_the_window_of_a_chain_is_the_unrounded_result_before() -> None:
    steps = (get_filter("blur"), get_filter("vertical_edge"))
    explanation = explain_pixel(GREY, steps, Settings(), 5, 5)
    assert explanation.before == ["blur"]
    blurred = apply_filters(GREY, steps[:1], Settings(range="raw")).picture.pixels
    np.testing.assert_allclose(explanation.channels[0].sums[0].window, blurred[4:7, 4:7])


def test_outside_is_marked() -> None:
    explanation = explain_pixel(GREY, (get_filter("blur"),), Settings(), 0, 0)
    assert explanation.outside == [[True] * 3, [True, False, False], [True, False, False]]
    inside = explain_pixel(GREY, (get_filter("blur"),), Settings(), 3, 3)
    assert not np.any(inside.outside)


def test_a_constant_border_shows_its_value() -> None:
    settings = Settings(border=parse_border("constant:9"))
    explanation = explain_pixel(GREY, (get_filter("blur"),), settings, 0, 0)
    assert explanation.channels[0].sums[0].window[0] == [9, 9, 9]


def test_a_place_outside_the_result() -> None:
    with pytest.raises(UsageError, match="11,0 lies outside the result of 11x9; give up to 10,8"):
        explain_pixel(GREY, (KERNEL,), Settings(), 11, 0)


def test_whole_numbers_stay_whole() -> None:
    channel = explain_pixel(GREY, (KERNEL,), Settings(), 3, 3).channels[0]
    assert all(isinstance(v, int) for row in channel.sums[0].products for v in row)
    assert isinstance(channel.sums[0].sum, int)
