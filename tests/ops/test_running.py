"""Running sums: equal to sums tap by tap for every border, type, stride and tiling."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.ops import correlate2d, filter_image
from cnncli.ops import engines as engines_module
from cnncli.ops import plan as plan_module
from cnncli.ops import run as run_module
from cnncli.ops.running import Running
from tests.ops.reference import correlate_loops

BORDERS = ["valid", "reflect", "symmetric", "edge", "wrap", "constant:3"]


@contextmanager
def always():
    """Let every kernel with a column of ones take running sums, in tiles of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "_ROW", 0)
        patch.setattr(plan_module, "_RUNNING", -1000)
        patch.setattr(engines_module, "SMALL_TILE", 150)
        run_module._remembered.cache_clear()
        yield
    run_module._remembered.cache_clear()


def pixels_of(shape, dtype, seed):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max, shape, dtype, endpoint=True)


def test_by_hand():
    column = np.array([[1, 2], [10, 20], [100, 200], [1000, 2000]])
    with always():
        response = correlate2d(column, [[1], [1], [1]], border="constant:5")
    assert response.tolist() == [[16, 27], [111, 222], [1110, 2220], [1105, 2205]]


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 20)),
    rows=st.integers(2, 9),
    row=st.lists(st.integers(-3, 3), min_size=1, max_size=5).filter(any),
    border=st.sampled_from(BORDERS),
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int32", "bool"]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    across=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_equals_loops(shape, rows, row, border, dtype, stride, across, seed):
    if border == "valid":
        shape = shape[0] + rows - 1, shape[1] + across * (len(row) - 1)
    whole = "uint8" if dtype == "bool" else dtype
    pixels = pixels_of(shape, whole, seed)
    if dtype == "bool":
        pixels = pixels > 127
    kernel = np.ones((rows, 1), np.int64) * np.array(row)
    with always():
        _, plan = filter_image(pixels, kernel, border=border, dilation=(1, across))
        found = correlate2d(pixels, kernel, border=border, stride=stride, dilation=(1, across))
    mode, _, value = border.partition(":")
    here = pixels.astype(int)
    there = correlate_loops(
        here, kernel, mode=mode, value=int(value or 0), stride=stride, dilation=(1, across)
    )
    assert found.tolist() == there.tolist()
    assert plan.engine == "running"


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_and_pictures_in_turn(channels):
    kernel = np.ones((5, 3), np.int64)
    for seed, border in enumerate([*BORDERS, "constant:9", "reflect"]):
        shape = (23, 11) if channels == 1 else (23, 11, channels)
        pixels = pixels_of(shape, "uint8", seed)
        with always():
            found, plan = filter_image(pixels, kernel, border=border, scale=15)
        sums = correlate2d(pixels.astype(np.float64), kernel, border=border)
        assert plan.engine == "running"
        assert (found == np.floor(sums / 15 + 0.5)).all()


def test_where_it_is_taken():
    box = np.ones((31, 31), np.int64)
    wide = np.zeros((40, 6000), np.uint8)
    _, plan = filter_image(wide, box, scale=961, threads=1)
    assert str(plan).startswith("running: 31x31 kernel, rows all alike")
    for pixels, kernel in (
        (np.zeros((6000, 40), np.uint8), box),  # short rows
        (wide, np.ones((3, 3), np.int64)),  # few rows to add
        (wide.astype(np.float32), box),  # errors would add up
    ):
        _, plan = filter_image(pixels, kernel, threads=1)
        assert plan.engine != "running"


@pytest.mark.parametrize(
    ("kernel", "dilation"),
    [
        (np.ones((5, 5)), (1, 1)),
        (np.ones((5, 5), np.int64), (2, 1)),
        (np.array([[1, 1], [2, 2], [1, 1]]), (1, 1)),
        (np.array([[1, 1, 1], [1, 9, 1], [1, 1, 1]]), (1, 1)),
    ],
)
def test_other_kernels(kernel, dilation):
    assert Running.of(kernel, np.dtype(np.int32), dilation) is None
