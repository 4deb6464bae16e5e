"""The planner and its engines: exact, alike for every tiling, the same fused or step by step."""

import tracemalloc

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.errors import ShapeError, UsageError
from cnncli.ops import FILTERS, NamedKernel, correlate2d, filter_image, pool2d, to_pixels
from cnncli.ops import engines as engines_module
from cnncli.ops import pool_bands as pool_module
from cnncli.ops.engines import Taps
from cnncli.ops.factors import column_and_row, product_and_centre, sum_of_products
from cnncli.ops.finish import Exact
from cnncli.ops.fourier import Fourier
from cnncli.ops.toeplitz import Toeplitz
from tests.ops.reference import correlate_loops

RNG = np.random.default_rng(5)
BORDERS = ["valid", "reflect", "symmetric", "edge", "wrap", "constant:3"]
KERNELS = [each for each in FILTERS.values() if isinstance(each, NamedKernel)]


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


@pytest.fixture
def small_tiles(monkeypatch):
    """Make tiles tiny and threads eager, so that a small image has many of both."""

    def shrink(samples):
        for engine in (Taps, Toeplitz, Fourier):
            monkeypatch.setattr(engine, "alone", 1)
        monkeypatch.setattr(pool_module, "_ALONE", 1)
        monkeypatch.setattr(engines_module, "SMALL_TILE", samples)
        monkeypatch.setattr(engines_module, "LARGE_TILE", samples)
        monkeypatch.setattr(pool_module, "_SMALL_BAND", samples)
        monkeypatch.setattr(pool_module, "_LARGE_BAND", samples)

    return shrink


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


@pytest.mark.parametrize(
    ("kernel", "calls"),
    [
        ([[1]], 0),
        ([[-1, 0, 1]] * 3, 3),
        (np.ones((3, 3), int), 4),
        (np.ones((15, 15), int), 10),
        (FILTERS["gaussian5"].weights, 8),
        (FILTERS["sharpen"].weights, 4),
        (FILTERS["laplacian"].weights, 4),
        (FILTERS["laplacian8"].weights, 6),
        (FILTERS["unsharp"].weights, 10),
    ],
)
def test_structure_saves_calls(kernel, calls):
    _, plan = filter_image(image((9, 9)), np.asarray(kernel))
    assert plan.details.startswith(f"{calls} calls a tile")


# ---- exact against loops


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8"])
def test_named_kernels_equal_loops(kernel, dtype):
    pixels = image((8, 11), dtype)
    found = correlate2d(pixels, kernel.weights, border="symmetric")
    assert found.tolist() == correlate_loops(pixels, kernel.weights, mode="symmetric").tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_buffers_kept_for_the_next_image_take_its_border(small_tiles, channels):
    small_tiles(400)
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
@pytest.mark.parametrize("shape", [(300, 531), (211, 97, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_threads_change_no_bit(name, shape, dtype, small_tiles):
    pixels, kernel = image(shape, dtype), ENGINES[name][0]
    whole = filter_image(pixels, kernel, range="raw", threads=1)[0]
    small_tiles(5000)
    for threads in (1, 2, 3, 7):
        found = filter_image(pixels, kernel, range="raw", threads=threads)[0]
        assert np.array_equal(found, whole)


@pytest.mark.parametrize("samples", [100, 1000, 7777])
@pytest.mark.parametrize("kernel", ["sobel", "kirsch", "unsharp", "box7", "roberts_x"])
@pytest.mark.parametrize("border", ["valid", "reflect", "wrap", "constant:9"])
def test_tiles_change_no_bit(samples, kernel, border, small_tiles):
    pixels = image((67, 83, 3))
    options = {"border": border, "stride": (2, 3), "dilation": (1, 2)}
    whole = filter_image(pixels, FILTERS[kernel], **options)[0]
    small_tiles(samples)
    assert np.array_equal(filter_image(pixels, FILTERS[kernel], threads=2, **options)[0], whole)


@pytest.mark.parametrize("name", ["taps", "fourier", "fourier, whole"])
@pytest.mark.parametrize("border", ["reflect", "wrap", "constant:300"])
def test_channels_do_not_meet(name, border):
    pixels, kernel = image((70, 90, 3)), ENGINES[name][0]
    found = correlate2d(pixels, kernel, border=border)
    planes = [correlate2d(pixels[..., c], kernel, border=border) for c in range(3)]
    assert np.array_equal(found, np.stack(planes, axis=-1))


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 99])
def test_tiles_are_about_equally_tall(rows, monkeypatch):
    monkeypatch.setattr(engines_module, "SMALL_TILE", 10 * 102)
    monkeypatch.setattr(engines_module, "LARGE_TILE", 10 * 102)
    tall, wide = engines_module.Taps((np.ones((3, 3), int),), np.dtype("int16"), (1, 1)).tile(
        rows, 100, 1, 1
    )
    count = -(-rows // tall)
    assert wide == 100
    assert count * tall - rows < count


@pytest.mark.parametrize("mode", ["max", "min", "avg", "sum", "l2"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pooling_bands_change_no_bit(mode, dtype, small_tiles):
    pixels = image((61, 84, 3), dtype)
    options = {"size": (3, 4), "stride": (2, 3), "mode": mode}
    whole = pool2d(pixels, **options)
    for samples in (50, 4000):
        small_tiles(samples)
        for threads in (1, 2, 5):
            assert np.array_equal(pool2d(pixels, threads=threads, **options), whole)


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


# ---- remembered, but for the same question only


def test_plans_of_different_questions_differ():
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


def test_centre_is_split_off():
    column, row, weight = product_and_centre(FILTERS["unsharp"].weights)
    kernel = np.outer(column, row)
    kernel[2, 2] += weight
    assert np.array_equal(kernel, FILTERS["unsharp"].weights)
    assert product_and_centre(FILTERS["emboss"].weights) is None


def test_sum_of_products_adds_up():
    terms = sum_of_products(TWO_TERMS, most=4)
    assert len(terms) == 2
    np.testing.assert_allclose(sum(np.outer(*term) for term in terms), TWO_TERMS, atol=1e-8)
    assert sum_of_products(DENSE, most=4) is None


@given(
    low=st.integers(-1000, 1000),
    reach=st.integers(0, 1000),
    addend=st.integers(-500, 500),
    divisor=st.integers(1, 50),
    absolute=st.booleans(),
)
def test_numerators_bound_every_step(low, reach, addend, divisor, absolute):
    form = Exact(np.ones((1, 1), np.int64), addend, divisor, absolute)
    least, most = form.numerators(low, low + reach)
    sums = np.arange(low, low + reach + 1) + addend
    steps = [sums, sums + divisor // 2]
    if absolute:
        steps = [sums, np.abs(sums), np.abs(sums) + divisor // 2]
    assert least <= min(step.min() for step in steps)
    assert most >= max(step.max() for step in steps)
