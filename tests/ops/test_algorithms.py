"""The algorithms: exact, alike for every banding and number of threads, fused or step by step."""

import tracemalloc

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.errors import ShapeError, UsageError
from cnncli.ops import FILTERS, correlate2d, filter_image, pool2d, to_pixels
from cnncli.ops.factors import column_and_row, sum_of_products
from tests.ops.reference import correlate_loops

RNG = np.random.default_rng(5)
BORDERS = ["valid", "reflect", "symmetric", "edge", "wrap", "constant:3"]
KERNELS = [each for each in FILTERS.values() if not each.partners]


def gaussian(size, sigma):
    x = np.arange(size) - size // 2
    row = np.exp(-x * x / (2 * sigma * sigma))
    return row / row.sum()


SMOOTH = np.outer(gaussian(15, 2.6), gaussian(15, 2.6))
TWO_TERMS = SMOOTH - np.outer(gaussian(15, 1.3), gaussian(15, 1.3))
DENSE = np.random.default_rng(7).random((19, 17))
WHOLE = np.random.default_rng(8).integers(-99, 99, (21, 23))
ENGINES = {
    "taps": (np.array([[1, 2, -1], [0, 3, 1], [4, 0, -2]]), "exact integers"),
    "toeplitz": (SMOOTH, "separable"),
    "toeplitz, two terms": (TWO_TERMS, "a sum of 2 separable ones"),
    "fourier": (DENSE, "not separable"),
    "fourier, whole": (WHOLE, "whole numbers"),
}


def image(shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(100, 50, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


# ---- which engine, and that it says so


@pytest.mark.parametrize("name", ENGINES)
def test_plan(name):
    kernel, reason = ENGINES[name]
    _, plan = filter_image(image((200, 300)), kernel)
    assert plan.engine == name.partition(",")[0]
    assert reason in plan.reason
    assert str(plan).startswith(f"{plan.engine}: {'x'.join(map(str, kernel.shape))} kernel")


def test_a_float_kernel_of_ninths_is_exact():
    pixels = image((20, 30))
    found, plan = filter_image(pixels, np.ones((3, 3)) / 9)
    assert "exact integers" in plan.reason
    sums = correlate2d(pixels, np.ones((3, 3), int), border="reflect")
    assert np.array_equal(found, (2 * sums + 9) // 18)


# ---- exact against loops


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8"])
def test_named_kernels_equal_loops(kernel, dtype):
    pixels = image((8, 11), dtype)
    found = correlate2d(pixels, kernel.weights, border="symmetric")
    assert found.tolist() == correlate_loops(pixels, kernel.weights, mode="symmetric").tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_memory_kept_for_the_next_image_takes_its_border(channels):
    kernel = np.array([[1, 2, -1], [0, 3, 1], [4, 0, -2]])
    for seed, border in enumerate([*BORDERS, "constant:7", "reflect", "constant:3"]):
        pixels = image((30, 17, channels), seed=seed)
        found = correlate2d(pixels, kernel, border=border)
        for c in range(channels):
            mode, _, constant = border.partition(":")
            alone = correlate_loops(pixels[..., c], kernel, mode=mode, value=int(constant or 0))
            assert found[..., c].tolist() == alone.tolist()


@pytest.mark.parametrize("weights", [[1] * k for k in range(1, 18)], ids=len)
@pytest.mark.parametrize("axis", [0, 1])
def test_boxes_of_every_length(weights, axis):
    kernel = np.expand_dims(weights, 1 - axis)
    pixels = image((20, 21))
    expected = scipy.signal.correlate2d(pixels.astype(int), kernel, "valid")
    assert np.array_equal(correlate2d(pixels, kernel), expected)


@pytest.mark.parametrize("shape", [(60, 70), (25, 300), (33, 40, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_transforms_of_whole_numbers_are_exact(shape, dtype):
    pixels = image(shape, dtype)
    planes = pixels.reshape(*shape[:2], -1).astype(int)
    found = correlate2d(pixels, WHOLE).reshape(*planes.shape[:0], -1)
    expected = [
        scipy.signal.correlate2d(planes[..., c], WHOLE, "valid") for c in range(planes.shape[2])
    ]
    assert found.ravel().tolist() == np.stack(expected, axis=-1).ravel().tolist()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.integers(1, 4),
    border=st.sampled_from(BORDERS[1:]),
    name=st.sampled_from(["toeplitz", "toeplitz, two terms", "fourier"]),
    dtype=st.sampled_from(["uint8", "float32", "float64"]),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
)
def test_real_kernels_equal_sums_in_double(
    height, width, channels, border, name, dtype, stride, dilation
):
    pixels, kernel = image((height, width, channels), dtype), ENGINES[name][0]
    found = correlate2d(pixels, kernel, border=border, stride=stride, dilation=dilation)
    reach = [dilation * (k - 1) for k in kernel.shape]
    mode = {"mode": "constant", "constant_values": 3} if ":" in border else {"mode": border}
    around = [(r // 2, r - r // 2) for r in reach]
    padded = np.pad(pixels.astype(float), [*around, (0, 0)], **mode)
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (reach[0] + 1, reach[1] + 1), axis=(0, 1)
    )[::stride, ::stride, :, ::dilation, ::dilation]
    expected = np.einsum("abcij,ij->abc", windows, kernel)
    size = np.abs(kernel).sum() * np.abs(padded).max()
    assert found.dtype == ("float64" if dtype == "float64" else "float32")
    assert np.abs(found - expected).max() <= size * (1e-6 if found.dtype == "float32" else 1e-14)


# ---- the same for every tiling and number of threads


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_threads_change_no_bit(name, dtype):
    pixels, kernel = image((2711, 2597), dtype), ENGINES[name][0]
    whole = filter_image(pixels, kernel, range="raw", threads=1)[0]
    for threads in (2, 7):
        found = filter_image(pixels, kernel, range="raw", threads=threads)[0]
        assert np.array_equal(found, whole)


@pytest.mark.parametrize("kernel", ["sobel", "unsharp", "box7", "roberts_x"])
@pytest.mark.parametrize("border", ["valid", "reflect", "wrap", "constant:9"])
def test_bands_change_no_bit(kernel, border):
    """Parts of a large picture, which has many bands, equal small pictures that have one."""
    pixels = image((2003, 1501, 3))
    large, _ = filter_image(pixels, FILTERS[kernel], border=border, threads=3)
    for y, x in ((0, 0), (640, 200), (1900, 1400)):
        part = pixels[y : y + 90, x : x + 80]
        small, _ = filter_image(part, FILTERS[kernel], border="valid")
        at = 0 if border == "valid" else (FILTERS[kernel].shape[0] - 1) // 2
        found = large[y + at :, x + at :][: small.shape[0], : small.shape[1]]
        assert np.array_equal(found, small)


@pytest.mark.parametrize("border", ["reflect", "wrap", "symmetric"])
def test_very_wide_and_very_tall_pictures(border):
    """A row of a few pixels more than a band holds is cut, and its ends come from far away."""
    kernel = np.array([[1, 2, -1], [0, 3, 1], [4, 0, -2]])
    for shape in ((3, 300_000), (300_000, 3), (1, 1_500_000)):
        pixels = image(shape)
        padded = np.pad(pixels, 1, mode=border)
        expected = scipy.signal.correlate2d(padded.astype(np.int32), kernel, "valid")
        assert np.array_equal(correlate2d(pixels, kernel, border=border), expected)


@pytest.mark.parametrize("name", ["taps", "fourier", "fourier, whole"])
@pytest.mark.parametrize("border", ["reflect", "wrap", "constant:300"])
def test_channels_do_not_meet(name, border):
    pixels, kernel = image((70, 90, 3)), ENGINES[name][0]
    found = correlate2d(pixels, kernel, border=border)
    planes = [correlate2d(pixels[..., c], kernel, border=border) for c in range(3)]
    assert np.array_equal(found, np.stack(planes, axis=-1))


@pytest.mark.parametrize("mode", ["max", "min", "avg", "sum", "l2"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pooling_bands_change_no_bit(mode, dtype):
    pixels = image((3001, 2404, 3), dtype)
    options = {"size": (3, 4), "stride": (2, 3), "mode": mode}
    whole = pool2d(pixels, threads=1, **options)
    assert np.array_equal(pool2d(pixels, threads=3, **options), whole)
    part = pool2d(pixels[800:900, 300:420], **options)
    assert np.array_equal(whole[400:440, 100:130], part[:40, :30])


# ---- fused as step by step


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_fused_equals_step_by_step(data):
    side = st.integers(1, 12)
    shape = data.draw(st.tuples(side, side, st.integers(1, 4)))
    pixels = image(shape, data.draw(st.sampled_from(["uint8", "uint16", "int16", "float32"])))
    kernel = np.random.default_rng(data.draw(st.integers(0, 99))).integers(
        -9, 9, data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    )
    windows = {
        "border": data.draw(st.sampled_from(BORDERS[1:])),
        "stride": data.draw(st.integers(1, 3)),
        "dilation": data.draw(st.integers(1, 2)),
    }
    scale = data.draw(st.sampled_from([1, 3, -2, 8, 0.5, 2.5, 0.3, 1e-3, 7919]))
    bias = data.draw(st.sampled_from([0, 5, -0.5, 128.25]))
    mode = data.draw(st.sampled_from(["clip", "abs", "offset", "minmax", "raw"]))
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "int16", "float32"]))
    done = {"range": mode, "scale": scale, "bias": bias}
    fused, _ = filter_image(pixels, kernel, dtype=dtype, **windows, **done)
    stepwise = to_pixels(correlate2d(pixels, kernel, **windows), dtype, **done)
    assert fused.dtype == stepwise.dtype
    assert np.array_equal(fused, stepwise)


@pytest.mark.parametrize("name", ["toeplitz", "toeplitz, two terms", "fourier", "fourier, whole"])
@pytest.mark.parametrize("mode", ["clip", "abs", "minmax", "offset"])
def test_fused_large_kernels(name, mode):
    pixels, kernel = image((90, 120, 3)), ENGINES[name][0]
    fused, _ = filter_image(pixels, kernel, range=mode, scale=3, bias=0.5)
    response = correlate2d(pixels, kernel, border="reflect")
    assert np.array_equal(fused, to_pixels(response, np.uint8, range=mode, scale=3, bias=0.5))


def test_convolve_rotates():
    pixels, kernel = image((9, 9)), np.array([[1, 2], [3, 4], [5, 7]])
    found, _ = filter_image(pixels, kernel, op="convolve", range="raw")
    expected, _ = filter_image(pixels, kernel[::-1, ::-1], range="raw")
    assert np.array_equal(found, expected)
    with pytest.raises(UsageError, match="use correlate or convolve"):
        filter_image(pixels, kernel, op="cross")


def test_bool_pictures_count_as_0_and_1():
    found, _ = filter_image(np.eye(4, dtype=bool), np.ones((3, 3), int), border="edge")
    assert filter_image(np.eye(4, dtype=bool), [[1]])[0].tolist() == np.eye(4).tolist()
    assert found.dtype == np.uint8
    assert found[1].tolist() == [3, 3, 2, 1]


def test_pooled_bytes_are_rounded_half_up_once():
    pixels = image((13, 16))
    for size in (2, 3, (1, 2), 5):
        found = pool2d(pixels, size, mode="avg", dtype=np.uint8)
        expected = np.floor(pool2d(pixels.astype(float), size, mode="avg") + 0.5)
        assert np.array_equal(found, expected)
    assert pool2d(pixels, 2, mode="sum", dtype=np.uint8).max() == 255
    assert pool2d(pixels, 2, mode="median", dtype=np.uint8).dtype == np.uint8


# ---- one question after another


def test_different_questions_have_different_answers():
    pixels = image((20, 30))
    kernel = np.arange(9).reshape(3, 3)
    as_floats = kernel.view(np.float64)  # the same bytes
    asked = [
        (pixels, kernel, {}),
        (pixels, kernel.reshape(1, 9), {}),
        (pixels, as_floats, {}),
        (pixels.astype(np.uint16), kernel, {}),
        (pixels.view(np.int8), kernel, {}),
        (pixels[:10], kernel, {}),
        (pixels, kernel, {"border": "constant:9000"}),
        (pixels, kernel, {"scale": 36}),
        (pixels, kernel, {"scale": 36, "bias": 3}),
        (pixels, kernel, {"scale": 36, "range": "minmax"}),
        (pixels, kernel, {"range": "raw"}),
    ]
    first = [filter_image(*arrays, **options) for *arrays, options in asked]
    again = [filter_image(*arrays, **options) for *arrays, options in reversed(asked)]
    for (pixels, kernel, options), (found, plan), (later, same) in zip(
        asked, first, reversed(again), strict=True
    ):
        assert np.array_equal(found, later)
        assert plan == same
        done = {"range": "clip"} | options
        border = done.pop("border", "reflect")
        response = correlate2d(pixels, kernel, border=border)
        assert np.array_equal(found, to_pixels(response, pixels.dtype, **done))


# ---- numbers that are none


@pytest.mark.parametrize("kernel", [SMOOTH, DENSE, FILTERS["gaussian7"].weights])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_stays_in_its_windows(kernel, value):
    pixels = image((60, 60), "float32")
    pixels[30, 30] = value
    found = correlate2d(pixels, kernel, border="reflect")
    kh, kw = kernel.shape
    inside = np.zeros((60, 60), bool)
    inside[30 - kh // 2 : 31 + kh // 2, 30 - kw // 2 : 31 + kw // 2] = True
    assert np.array_equal(~np.isfinite(found), inside)
    as_bytes, _ = filter_image(pixels, kernel, dtype=np.uint8, range="clip")
    assert (as_bytes[inside] == (0 if np.isnan(value) else 255)).all()


# ---- given memory, and little of it


def test_output_goes_where_asked():
    pixels = image((9, 12, 3))
    out = np.empty_like(pixels)
    found, _ = filter_image(pixels, FILTERS["blur"], out=out)
    assert found is out
    for wrong in (np.empty((9, 12), np.uint8), np.empty((9, 12, 3)), pixels, out[:, ::-1]):
        with pytest.raises(ShapeError, match="out is"):
            filter_image(pixels, FILTERS["blur"], out=wrong)


@pytest.mark.parametrize("name", ["vertical_edge", "gaussian7", "sobel", "kirsch"])
def test_memory_stays_small(name):
    pixels = image((4000, 6000))
    filter_image(pixels[:100], FILTERS[name])
    tracemalloc.start()
    filter_image(pixels, FILTERS[name], threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * pixels.nbytes  # the image itself was there before


# ---- the pieces


def test_factors_multiply_back():
    for _ in range(50):
        column, row = RNG.integers(-5, 6, 4), RNG.integers(-5, 6, 3)
        kernel = np.outer(column, row)
        if kernel.any():
            assert np.array_equal(np.outer(*column_and_row(kernel)), kernel)
    assert column_and_row(np.array([[1, 2], [3, 4]])) is None
    assert column_and_row(np.zeros((2, 2), int)) is None


def test_sum_of_products_adds_up():
    terms = sum_of_products(TWO_TERMS, most=4)
    assert len(terms) == 2
    np.testing.assert_allclose(sum(np.outer(*term) for term in terms), TWO_TERMS, atol=1e-8)
    assert sum_of_products(DENSE, most=4) is None
