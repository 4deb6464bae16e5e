"""Laws that hold for every picture, kernel, stride and border, checked on random ones."""

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from cnncli.ops import average_pool2d, convolve2d, correlate2d, max_pool2d

BORDERS = ["reflect", "symmetric", "edge", "constant", "wrap", "valid"]
borders = st.sampled_from(BORDERS)
steps = st.tuples(st.integers(1, 3), st.integers(1, 3))
law = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def images(low: int = 0, high: int = 255, dtype: Any = np.int32) -> Any:
    shape = st.tuples(st.integers(5, 14), st.integers(5, 14))
    return shape.flatmap(lambda s: hnp.arrays(dtype, s, elements=st.integers(low, high)))


def kernels(edge: int = 4) -> Any:
    shape = st.tuples(st.integers(1, edge), st.integers(1, edge))
    return shape.flatmap(lambda s: hnp.arrays(np.int64, s, elements=st.integers(-9, 9)))


@given(a=images(-1000, 1000), kernel=kernels(), border=borders, stride=steps, data=st.data())
@law
def test_linearity(a: Any, kernel: Any, border: str, stride: Any, data: Any) -> None:
    b = data.draw(hnp.arrays(np.int32, a.shape, elements=st.integers(-1000, 1000)))

    def filtered(image: NDArray[Any]) -> NDArray[Any]:
        return correlate2d(image, kernel, border=border, stride=stride).astype(np.int64)

    assert (filtered(3 * a - 2 * b) == 3 * filtered(a) - 2 * filtered(b)).all()


@given(image=images(), first=kernels(), border=borders, data=st.data())
@law
def test_linearity_in_the_kernel(image: Any, first: Any, border: str, data: Any) -> None:
    second = data.draw(hnp.arrays(np.int64, first.shape, elements=st.integers(-9, 9)))
    parts = [correlate2d(image, k, border=border).astype(np.int64) for k in (first, second)]
    assert (correlate2d(image, first + second, border=border) == parts[0] + parts[1]).all()


@given(image=images(), kernel=kernels(), down=st.integers(0, 13), right=st.integers(0, 13))
@law
def test_shifting_the_picture_shifts_the_result(
    image: Any, kernel: Any, down: int, right: int
) -> None:
    shifted = np.roll(image, (down, right), (0, 1))
    expected = np.roll(correlate2d(image, kernel, border="wrap"), (down, right), (0, 1))
    assert (correlate2d(shifted, kernel, border="wrap") == expected).all()


@given(image=images(), border=borders, stride=steps, dilation=steps, data=st.data())
@law
def test_a_separable_kernel_is_two_thin_ones(
    image: Any, border: str, stride: Any, dilation: Any, data: Any
) -> None:
    thin = hnp.arrays(np.int64, st.integers(1, 2), elements=st.integers(-9, 9))
    column, row = data.draw(thin), data.draw(thin)
    at_once = correlate2d(
        image, np.outer(column, row), border=border, stride=stride, dilation=dilation
    )
    down = correlate2d(
        image, column[:, None], border=border, stride=(stride[0], 1), dilation=(dilation[0], 1)
    )
    both = correlate2d(
        down, row[None], border=border, stride=(1, stride[1]), dilation=(1, dilation[1])
    )
    assert (at_once == both).all()


@given(image=images(), kernel=kernels(), border=borders, stride=steps)
@law
def test_convolution_is_correlation_with_the_rotated_kernel(
    image: Any, kernel: Any, border: str, stride: Any
) -> None:
    if border != "valid" and not all(n % 2 for n in kernel.shape):
        return  # an even kernel has no middle: the window lies one pixel further
    rotated = kernel[::-1, ::-1]
    expected = correlate2d(image, rotated, border=border, stride=stride)
    assert (convolve2d(image, kernel, border=border, stride=stride) == expected).all()


@given(image=images(), kernel=kernels(3), stride=steps)
@law
def test_a_stride_takes_every_nth_result(image: Any, kernel: Any, stride: Any) -> None:
    for border in ("edge", "valid"):
        all_of_them = correlate2d(image, kernel, border=border)
        some = correlate2d(image, kernel, border=border, stride=stride)
        assert (some == all_of_them[:: stride[0], :: stride[1]]).all()


@given(image=images(0, 255, np.uint8), size=steps, stride=steps)
@law
def test_pools_stay_between_the_extremes(image: Any, size: Any, stride: Any) -> None:
    largest = max_pool2d(image, size, stride=stride)
    mean = average_pool2d(image, size, stride=stride)
    assert largest.shape == mean.shape
    assert largest.max() <= image.max()
    assert largest.min() >= image.min()
    assert (mean <= largest.astype(float) + 0.5).all()
    assert (mean >= image.min()).all()
    assert (-max_pool2d(-image.astype(int), size, stride=stride) <= mean + 0.5).all()


@given(
    dtype=st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32]),
    kernel=kernels(),
    data=st.data(),
)
@law
def test_the_limits_of_each_type_are_exact(dtype: Any, kernel: Any, data: Any) -> None:
    info = np.iinfo(dtype)
    values = st.sampled_from([info.min, info.max, 0])
    image = data.draw(hnp.arrays(dtype, (6, 7), elements=values))
    result = correlate2d(image, kernel, border="valid")
    exact = image.astype(object)
    height, width = kernel.shape
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            window = exact[y : y + height, x : x + width]
            assert int(result[y, x]) == int((window * kernel.astype(object)).sum())
