"""The named kernels: their numbers, their properties and the error that lists them."""

import numpy as np
import pytest
import scipy.ndimage

from cnncli.errors import KernelError
from cnncli.ops import FILTERS, Kernel, correlate2d, filter_image, get_filter
from cnncli.ops.kernels import add_kernel

PROMISED = """identity vertical_edge horizontal_edge blur box3 box5 box7 gaussian3 gaussian5
gaussian7 sharpen unsharp emboss outline laplacian laplacian8 log sobel_x sobel_y prewitt_x
prewitt_y scharr_x scharr_y roberts_x roberts_y kirsch motion_blur sobel prewitt scharr""".split()  # noqa: SIM905 (a list of strings would be four times as long)
KERNELS = [each for each in FILTERS.values() if not each.partners]


def test_lesson_numbers():
    assert np.array_equal(get_filter("vertical_edge").weights, [[-1, 0, 1]] * 3)
    assert np.array_equal(
        get_filter("horizontal_edge").weights, [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
    )
    assert np.array_equal(get_filter("blur").weights, np.ones((3, 3)))
    assert get_filter("blur").scale == 9


@pytest.mark.parametrize("name", PROMISED)
def test_promised_names(name):
    assert get_filter(name).name == name


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)
def test_sums_are_one_or_zero(kernel):
    assert kernel.weights.sum() in (0, kernel.scale)
    assert kernel.weights.dtype == np.int64
    assert kernel.source
    assert kernel.purpose


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda each: each.name)
def test_constants_cannot_be_changed(kernel):
    with pytest.raises(ValueError, match="read-only"):
        kernel.weights[0, 0] = 99


def test_kirsch_turns_through_eight_directions():
    kirsch = get_filter("kirsch")
    assert kirsch.combine == "max"
    assert len({each.weights.tobytes() for each in kirsch.parts}) == 8
    assert get_filter("kirsch_n").weights.tolist() == [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]]
    assert get_filter("kirsch_e").weights.tolist() == [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
@pytest.mark.parametrize("axis", [0, 1])
def test_gradients_are_scipys(name, axis):
    image = np.random.default_rng(0).normal(size=(12, 14))
    kernel = get_filter(name + ("_y", "_x")[axis])
    expected = getattr(scipy.ndimage, name)(image, axis=axis, mode="mirror")
    found = correlate2d(image, kernel.weights, border="reflect")
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "smoothing"), [("sobel", [1, 2, 1]), ("prewitt", [1, 1, 1]), ("scharr", [3, 10, 3])]
)
def test_magnitudes(name, smoothing):
    image = np.random.default_rng(0).random((12, 14)).astype(np.float32)
    found, _ = filter_image(image, get_filter(name), border="symmetric", range="raw")
    weights = np.outer(smoothing, [-1, 0, 1]) / sum(smoothing)
    slopes = [scipy.ndimage.correlate(image.astype(float), k) for k in (weights, weights.T)]
    np.testing.assert_allclose(found, np.hypot(*slopes), atol=1e-6)


def test_kirsch_is_the_largest_of_eight():
    image = np.random.default_rng(0).integers(0, 256, (9, 8), np.uint8)
    found, _ = filter_image(image, get_filter("kirsch"), range="raw")
    each = [correlate2d(image, k.weights, border="reflect") for k in get_filter("kirsch").parts]
    np.testing.assert_allclose(found, np.max(each, axis=0) / 15, rtol=1e-6)


@pytest.mark.parametrize("spelling", ["Sobel-X", " sobel_x ", "SOBEL_X"])
def test_spelling_is_forgiven(spelling):
    assert get_filter(spelling).name == "sobel_x"


def test_unknown_name_lists_and_guesses():
    with pytest.raises(KernelError, match=r"'sobl_x' is unknown; did you mean sobel_x.*box3"):
        get_filter("sobl_x")
    with pytest.raises(KernelError, match="'zzz' is unknown; known filters: identity, "):
        get_filter("zzz")


def test_a_constant_with_fractions_is_refused():
    with pytest.raises(KernelError, match="half has fractions; write whole numbers"):
        add_kernel("half", [[0.5]], 1, "", "")
    assert "half" not in FILTERS


def test_unknown_combination_is_refused():
    one = Kernel.of([[1]])
    with pytest.raises(KernelError, match="combine 'mean' is unknown; use magnitude or max"):
        Kernel(one.weights, partners=(one,), combine="mean")
    with pytest.raises(KernelError, match="combine 'max' is unknown"):
        Kernel(one.weights, combine="max")
    with pytest.raises(KernelError, match="several sizes"):
        Kernel(one.weights, partners=(Kernel.of([[1, 2]]),), combine="max")


def test_a_kernel_is_a_value():
    weights = np.array([[1, 2]])
    kernel = Kernel.of(weights)
    weights[0, 0] = 9
    assert kernel.weights.tolist() == [[1, 2]]
    with pytest.raises(AttributeError):
        kernel.scale = 3
