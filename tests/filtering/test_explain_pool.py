"""A pooled pixel is recomputed from what its explanation shows."""

import math
from typing import Any

import numpy as np
import pytest

from cnncli.errors import UsageError
from cnncli.filtering.explain import explain_pooled
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.images import Picture

RNG = np.random.default_rng(13)
GREY = Picture(RNG.integers(0, 256, (9, 11), np.uint8))
COLOUR = Picture(RNG.integers(0, 256, (9, 11, 3), np.uint8), mode="RGB")
CLEAR = COLOUR._replace(alpha=RNG.integers(0, 3, (9, 11), np.uint8) * 127, mode="RGBA")


def value_of(mode: str, window: list[list[float]], opacity: list[list[float]] | None) -> float:
    values = [value for row in window for value in row]
    weights = [w for row in opacity for w in row] if opacity else [1.0] * len(values)
    seen = sorted(v for v, w in zip(values, weights, strict=True) if w > 0)
    if not seen:
        return 0
    if mode in ("max", "min"):
        return seen[-1] if mode == "max" else seen[0]
    if mode == "median":
        return (seen[(len(seen) - 1) // 2] + seen[len(seen) // 2]) / 2
    power = 2 if mode == "l2" else 1
    total = math.fsum(v**power * w for v, w in zip(values, weights, strict=True))
    if mode == "avg":
        return total / math.fsum(weights)
    return math.sqrt(total) if mode == "l2" else total


CASES: list[dict[str, Any]] = [
    *[{"mode": mode} for mode in ("max", "avg", "min", "median", "l2", "sum")],
    *[
        {"mode": "avg", "size": (3, 2), "stride": (2, 2)},
        {"mode": "avg", "edge": "drop", "size": (4, 4)},
    ],
    *[
        {"mode": "avg", "edge": "pad", "size": (3, 3), "padding": (1, 1)},
        {"mode": "avg", "whole": True},
    ],
    *[{"mode": "avg", "range": "raw"}, {"mode": "sum", "range": "minmax"}],
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("picture", [GREY, COLOUR, CLEAR], ids=["grey", "colour", "alpha"])
def test_every_pixel_follows_from_its_explanation(case: dict[str, Any], picture: Picture) -> None:
    settings = PoolSettings(**case)
    done = pool_picture(picture, settings).pixels
    for y, x in np.ndindex(done.shape[:2]):
        explanation = explain_pooled(picture, settings, x, y)
        pixels = np.atleast_1d(done[y, x]).tolist()
        for channel, pixel in zip(explanation.channels, pixels, strict=True):
            value = value_of(settings.mode, channel.window, explanation.opacity)
            assert channel.value == pytest.approx(value)
            assert channel.pixel == pixel
            if settings.range == "minmax":
                assert explanation.low is not None
                assert explanation.high is not None
                value = (value - explanation.low) / (explanation.high - explanation.low) * 255
            if settings.range != "raw":
                value = min(max(math.floor(value + 0.5), 0), 255)
            # Alpha weights are float32: one step of rounding is allowed.
            assert value == pytest.approx(pixel, abs=1e-3 if explanation.opacity is None else 1)


def test_where_the_window_lies() -> None:
    explanation = explain_pooled(GREY, PoolSettings(size=(3, 3), stride=(2, 2)), 4, 3)
    assert (explanation.left, explanation.top, explanation.count) == (8, 6, 9)
    assert explanation.channels[0].window == GREY.pixels[6:9, 8:11].tolist()


def test_a_place_outside_the_result() -> None:
    with pytest.raises(UsageError, match="6,0 lies outside the result of 6x5; give up to 5,4"):
        explain_pooled(GREY, PoolSettings(), 6, 0)
