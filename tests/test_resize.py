"""Small maps are scaled as Pillow scales pictures of real numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnncli.preprocess.resize import resample, triangles


@given(data=st.data())
def test_maps_are_scaled_as_pillow_scales_them(data: st.DataObject) -> None:
    height, width, rows, columns = (data.draw(st.integers(1, 40)) for _ in range(4))
    top, left = (data.draw(st.floats(0, edge - 0.5)) for edge in (height, width))
    bottom = data.draw(st.floats(top + 0.25, height))
    right = data.draw(st.floats(left + 0.25, width))
    maps = np.random.default_rng(height).normal(size=(2, height, width)).astype(np.float32)
    scaled = resample(maps, (rows, columns), (top, left, bottom, right))
    assert scaled.dtype == np.float32
    for one, found in zip(maps, scaled, strict=True):
        image = Image.fromarray(one)
        box = (left, top, right, bottom)
        expected = image.resize((columns, rows), Image.Resampling.BILINEAR, box)
        assert found == pytest.approx(np.asarray(expected), abs=1e-4)


def test_weights_worked_by_hand() -> None:
    # New pixels are two old ones wide: their triangles reach two pixels to either side of 1 and 3.
    expected = np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7
    assert triangles(4, 2, 0, 4) == pytest.approx(expected)
