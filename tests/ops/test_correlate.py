"""Correlation and convolution against loops, SciPy, torch and numbers worked by hand."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.errors import KernelError, ShapeError
from cnncli.ops import convolve1d, convolve2d, correlate1d, correlate2d
from tests.ops.reference import correlate_loops

SCIPY_NAMES = {
    "reflect": "mirror",
    "symmetric": "reflect",
    "edge": "nearest",
    "wrap": "grid-wrap",
    "constant": "constant",
}
ASYMMETRIC = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])


def random(shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    if kind.kind == "b":
        return rng.random(shape) < 0.5
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, shape, kind, endpoint=True)


# ---- worked by hand


def test_lesson_signal():
    assert correlate1d([1, 0, 2, 3, 1, 0, 1], [1, 0, -1]).tolist() == [-1, -3, 1, 3, 0]


def test_convolution_of_a_signal_rotates():
    assert convolve1d([1, 0, 2, 3, 1, 0, 1], [1, 0, -1]).tolist() == [1, 3, -1, -3, 0]


def test_lesson_vertical_edge():
    image = np.array([[10, 10, 200, 200]] * 4)
    assert correlate2d(image, [[-1, 0, 1]] * 3).tolist() == [[570, 570], [570, 570]]


def test_even_kernel_is_anchored_upper_left_of_the_middle():
    image = [[1, 2], [3, 4]]
    assert correlate2d(image, [[1, 1], [1, 1]], border="constant").tolist() == [[10, 6], [7, 4]]


def test_impulse_shows_the_kernel():
    impulse = np.zeros((5, 5), int)
    impulse[2, 2] = 1
    assert np.array_equal(convolve2d(impulse, ASYMMETRIC), ASYMMETRIC)
    assert np.array_equal(correlate2d(impulse, ASYMMETRIC), ASYMMETRIC[::-1, ::-1])


def lesson_loops(image, kernel):
    """The lesson's own double loop."""
    kh, kw = kernel.shape
    out = np.zeros((image.shape[0] - kh + 1, image.shape[1] - kw + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = np.sum(image[i : i + kh, j : j + kw] * kernel)
    return out


@pytest.mark.parametrize("name", ["vertical_edge", "horizontal_edge", "blur"])
def test_lesson_loops(name):
    from cnncli.ops import get_filter

    image, named = random((17, 13)).astype(int), get_filter(name)
    kernel = named.weights if named.scale == 1 else named.weights / named.scale
    found, expected = correlate2d(image, kernel), lesson_loops(image, kernel)
    if name == "blur":
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    else:
        assert np.array_equal(found, expected)
        assert found.dtype.kind == "i"


# ---- against SciPy and torch


@pytest.mark.parametrize("border", SCIPY_NAMES)
@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "bool"]
)
def test_scipy_same(border, dtype):
    image = random((11, 14), dtype)
    mode = "constant:2" if border == "constant" else border
    expected = scipy.ndimage.correlate(
        image.astype(np.float64), ASYMMETRIC.astype(float), mode=SCIPY_NAMES[border], cval=2
    )
    found = correlate2d(image, ASYMMETRIC, border=mode)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 7), (7, 1), (2, 2), (4, 3), (5, 5)])
def test_scipy_valid(kernel):
    image, weights = random((12, 15), "int16"), random(kernel, "int8", 1)
    expected = scipy.signal.correlate2d(image.astype(int), weights.astype(int), "valid")
    assert np.array_equal(correlate2d(image, weights), expected)
    expected = scipy.signal.convolve2d(image.astype(int), weights.astype(int), "valid")
    assert np.array_equal(convolve2d(image, weights), expected)


@pytest.mark.parametrize("stride", [1, 2, (3, 1), (2, 5)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 3)])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4)])
def test_torch_stride_and_dilation(stride, dilation, kernel):
    image, weights = random((23, 26), "float32"), random(kernel, "float32", 1)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image)[None, None],
        torch.from_numpy(weights)[None, None],
        stride=stride,
        dilation=dilation,
    )
    found = correlate2d(image, weights, stride=stride, dilation=dilation)
    np.testing.assert_allclose(found, expected[0, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (4, 5), (6, 1)])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_torch_same_padding_anchors_alike(kernel, dilation):
    image, weights = random((19, 21), "float32"), random(kernel, "float32", 1)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(image)[None, None],
        torch.from_numpy(weights)[None, None],
        padding="same",
        dilation=dilation,
    )
    found = correlate2d(image, weights, border="constant", dilation=dilation)
    np.testing.assert_allclose(found, expected[0, 0], rtol=1e-5, atol=1e-5)


# ---- properties


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_integers_equal_arbitrary_precision_loops(data):
    side = st.integers(1, 9)
    shape, ksize = data.draw(st.tuples(side, side)), data.draw(st.tuples(side, side))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    stride, dilation = data.draw(pair), data.draw(pair)
    mode = data.draw(st.sampled_from([*SCIPY_NAMES]))
    value = data.draw(st.integers(-300, 300)) if mode == "constant" else 0
    dtype = data.draw(st.sampled_from(["uint8", "int8", "uint16", "int16", "bool", "int32"]))
    seed = data.draw(st.integers(0, 2**31))
    image = random(shape, dtype, seed)
    kernel = random(ksize, data.draw(st.sampled_from(["int8", "int16", "bool"])), seed + 1)
    border = f"constant:{value}" if mode == "constant" else mode
    found = correlate2d(image, kernel, border=border, stride=stride, dilation=dilation)
    expected = correlate_loops(
        image, kernel, mode=mode, value=value, stride=stride, dilation=dilation
    )
    assert found.dtype.kind == "i"
    assert found.tolist() == expected.tolist()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    channels=st.integers(1, 5),
    mode=st.sampled_from(["valid", *SCIPY_NAMES]),
    seed=st.integers(0, 99),
)
def test_channels_are_filtered_by_themselves(height, width, channels, mode, seed):
    image = random((height, width, channels), seed=seed)
    kernel = random((min(height, 3), min(width, 2)), "int8", seed)
    found = correlate2d(image, kernel, border=mode)
    for channel in range(channels):
        assert np.array_equal(
            found[..., channel], correlate2d(image[..., channel], kernel, border=mode)
        )


@pytest.mark.parametrize("view", ["fortran", "reversed", "strided", "transposed"])
def test_memory_order_does_not_matter(view):
    image = random((20, 24))
    seen = {
        "fortran": np.asfortranarray(image),
        "reversed": image[::-1, ::-1],
        "strided": image[::2, 1::3],
        "transposed": image.T,
    }[view]
    expected = correlate2d(np.ascontiguousarray(seen), ASYMMETRIC, border="edge")
    assert np.array_equal(correlate2d(seen, ASYMMETRIC, border="edge"), expected)


def test_input_is_left_alone():
    image, kernel = random((9, 9)), ASYMMETRIC.astype(float)
    before = image.copy(), kernel.copy()
    correlate2d(image, kernel, border="reflect")
    assert np.array_equal(image, before[0])
    assert np.array_equal(kernel, before[1])


# ---- refusals


def test_too_large_kernel_names_the_formula():
    with pytest.raises(ShapeError, match=r"kernel of 3 .* height of 2 .* floor\(\(2 \+ 0 - 1\*"):
        correlate2d(np.ones((2, 5)), np.ones((3, 3)))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ([], "shape"),
        ([[]], "shape"),
        ([1, 2], "shape"),
        ([[1, float("nan")]], "NaN"),
        ([[1, float("inf")]], "NaN or an infinity"),
        ([[1j]], "type complex128"),
        ([["a"]], "type"),
    ],
)
def test_bad_kernels(kernel, message):
    with pytest.raises(KernelError, match=message):
        correlate2d(np.ones((3, 3)), kernel)


def test_signal_must_be_one_row():
    with pytest.raises(ShapeError, match="signal has shape"):
        correlate1d([[1, 2]], [1])


def test_integers_beyond_64_bits_are_refused():
    with pytest.raises(KernelError, match="beyond 64-bit integers"):
        correlate2d(np.array([[2**62]]), [[4]])
