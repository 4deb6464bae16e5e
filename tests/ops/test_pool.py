"""Pooling against torch, loops and numbers worked by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.errors import ShapeError, UsageError
from cnncli.ops import average_pool2d, max_pool2d, pool2d

MODES = ["max", "avg", "min", "median", "l2", "sum"]


def random(shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def pool_loops(image, size, stride, mode, edge, padding=(0, 0)):
    """Loop over windows; the rule of each edge in words of its own."""
    starts = []
    for n, k, s, p in zip(image.shape[:2], size, stride, padding, strict=True):
        places = [a for a in range(-p, n, s) if edge == "partial" or a + k <= n + p]
        if edge == "partial":  # windows go on until one covers the last pixel
            covered = next((i for i, a in enumerate(places) if a + k >= n), len(places) - 1)
            places = places[: covered + 1]
        starts.append(places)
    function = {
        "max": np.max,
        "min": np.min,
        "avg": np.mean,
        "median": np.median,
        "sum": lambda v: np.sum(v.astype(np.float64)),
        "l2": lambda v: np.sqrt(np.sum(v.astype(np.float64) ** 2)),
    }[mode]
    out = np.empty((len(starts[0]), len(starts[1])))
    for i, y in enumerate(starts[0]):
        for j, x in enumerate(starts[1]):
            window = image[max(y, 0) : y + size[0], max(x, 0) : x + size[1]]
            out[i, j] = function(window)
    return out


# ---- worked by hand


def test_lesson_keeps_the_ragged_last_window():
    image = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert max_pool2d(image).tolist() == [[5, 6], [8, 9]]
    assert average_pool2d(image).tolist() == [[3.0, 4.5], [7.5, 9.0]]
    assert max_pool2d(image, edge="drop").tolist() == [[5]]


def test_all_negative_and_ragged():
    image = -np.arange(1, 6, dtype=np.int8)[np.newaxis]
    assert max_pool2d(image, (1, 2)).tolist() == [[-1, -3, -5]]
    assert average_pool2d(image, (1, 2)).tolist() == [[-1.5, -3.5, -5.0]]
    assert max_pool2d(image, (1, 2), edge="pad", padding=(0, 1)).tolist() == [[-1, -2, -4]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("max", 4), ("min", 1), ("avg", 2.5), ("median", 2.5), ("sum", 10), ("l2", 30**0.5)],
)
def test_one_window(mode, expected):
    assert pool2d([[1, 2], [3, 4]], mode=mode)[0, 0] == pytest.approx(expected)


def test_mean_at_padding_counts_true_pixels():
    assert average_pool2d([[3, 5]], (1, 2), edge="pad", padding=(0, 1)).tolist() == [[3.0, 5.0]]


def test_sum_of_bytes_is_exact():
    assert pool2d(np.full((300, 300), 255, np.uint8), 300, mode="sum").tolist() == [[22_950_000]]


# ---- against torch


@pytest.mark.parametrize("size", [1, 2, 3, (2, 3), 5])
@pytest.mark.parametrize("stride", [None, 1, 2, (3, 1)])
@pytest.mark.parametrize("edge", ["partial", "drop"])
def test_torch_max_and_mean(size, stride, edge):
    image = random((13, 11, 3), "float32")
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None]
    ceil = edge == "partial"
    expected = F.max_pool2d(tensor, size, stride, ceil_mode=ceil)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(max_pool2d(image, size, stride=stride, edge=edge), expected)
    expected = F.avg_pool2d(tensor, size, stride, ceil_mode=ceil, count_include_pad=False)
    found = average_pool2d(image, size, stride=stride, edge=edge)
    np.testing.assert_allclose(found, expected[0].permute(1, 2, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, 2, 1), (3, 2, 1), (5, 1, 2), (4, 3, 2)]
)
def test_torch_padding(size, stride, padding):
    image = -np.abs(random((12, 15), "float32"))
    tensor = torch.from_numpy(image)[None, None]
    options = {"stride": stride, "edge": "pad", "padding": padding}
    expected = F.max_pool2d(tensor, size, stride, padding)[0, 0].numpy()
    assert np.array_equal(max_pool2d(image, size, **options), expected)
    expected = F.avg_pool2d(tensor, size, stride, padding, count_include_pad=False)[0, 0]
    np.testing.assert_allclose(average_pool2d(image, size, **options), expected, rtol=1e-5)


@pytest.mark.parametrize("size", [2, 3])
def test_torch_l2(size):
    image = np.abs(random((12, 12), "float32"))
    expected = F.lp_pool2d(torch.from_numpy(image)[None, None], 2.0, size)[0, 0]
    np.testing.assert_allclose(pool2d(image, size, mode="l2"), expected, rtol=1e-5)


def test_nan_is_passed_on_as_in_torch():
    image = random((6, 6), "float32")
    image[1, 1] = np.nan
    expected = F.max_pool2d(torch.from_numpy(image)[None, None], 2)[0, 0].numpy()
    np.testing.assert_array_equal(max_pool2d(image), expected)
    for mode in MODES:
        found = pool2d(image, mode=mode)
        assert np.isnan(found[0, 0])
        assert np.isfinite(found.ravel()[1:]).all()


# ---- properties


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_loops(data):
    side = st.integers(1, 9)
    image = random(
        data.draw(st.tuples(side, side)),
        data.draw(st.sampled_from(["uint8", "int16", "uint16", "float32", "int32"])),
        data.draw(st.integers(0, 1000)),
    )
    size = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    stride = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    mode, edge = (
        data.draw(st.sampled_from(MODES)),
        data.draw(st.sampled_from(["partial", "drop", "pad"])),
    )
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in size) if edge == "pad" else (0, 0)
    options = {"stride": stride, "mode": mode, "edge": edge, "padding": padding}
    fits = all(n + 2 * p >= k for n, k, p in zip(image.shape, size, padding, strict=True))
    if edge != "partial" and not fits:
        with pytest.raises(ShapeError, match="does not fit"):
            pool2d(image, size, **options)
        return
    expected = pool_loops(image, size, stride, mode, edge, padding)
    found = pool2d(image, size, **options)
    assert found.shape == expected.shape
    if mode in ("max", "min"):
        assert found.dtype == image.dtype
        assert np.array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_channels_are_pooled_by_themselves(mode):
    image = random((7, 9, 4))
    found = pool2d(image, 3, stride=2, mode=mode)
    for channel in range(4):
        assert np.array_equal(
            found[..., channel], pool2d(image[..., channel], 3, stride=2, mode=mode)
        )


@pytest.mark.parametrize("mode", MODES)
def test_global(mode):
    image = random((5, 7, 3))
    assert pool2d(image, (5, 7), mode=mode).shape == (1, 1, 3)
    np.testing.assert_allclose(
        pool2d(image[..., 0], (5, 7), mode=mode),
        pool_loops(image[..., 0], (5, 7), (5, 7), mode, "drop"),
    )


@pytest.mark.parametrize(
    ("dtype", "mode", "size", "expected"),
    [
        ("uint8", "max", 2, "uint8"),
        ("bool", "max", 2, "bool"),
        ("int16", "min", 3, "int16"),
        ("uint8", "median", 3, "uint8"),
        ("uint8", "median", 2, "float32"),
        ("uint8", "avg", 2, "float32"),
        ("int32", "avg", 2, "float64"),
        ("float64", "avg", 2, "float64"),
        ("float32", "l2", 2, "float32"),
        ("uint8", "sum", 2, "int32"),
        ("float32", "sum", 2, "float32"),
    ],
)
def test_types(dtype, mode, size, expected):
    assert pool2d(np.ones((6, 6), dtype), size, mode=mode).dtype == expected


# ---- refusals


def test_padding_over_half_a_window():
    with pytest.raises(ShapeError, match="padding 2 exceeds half the window of 3; use at most 1"):
        max_pool2d(np.ones((9, 9)), 3, edge="pad", padding=2)


def test_window_larger_than_the_picture():
    with pytest.raises(ShapeError, match="kernel of 4"):
        max_pool2d(np.ones((3, 3)), 4, edge="drop")
    assert max_pool2d(np.ones((3, 3)), 4).shape == (1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "mean"}, "use one of max, avg"),
        ({"edge": "wrap"}, "use one of partial, drop, pad"),
        ({"padding": 1}, "use --edge pad"),
    ],
)
def test_unknown_names(options, message):
    with pytest.raises(UsageError, match=message):
        pool2d(np.ones((4, 4)), **options)


@pytest.mark.parametrize("size", [0, "0", (2, 0), "a"])
def test_bad_size(size):
    with pytest.raises(ShapeError, match="size is"):
        max_pool2d(np.ones((4, 4)), size)


def test_stride_zero_is_refused():
    with pytest.raises(ShapeError, match="stride is 0"):
        max_pool2d(np.ones((4, 4)), 2, stride=0)
