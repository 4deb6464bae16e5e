"""Sizes, borders and pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.errors import ShapeError, UsageError
from cnncli.ops import correlate2d
from cnncli.ops.borders import (
    BORDERS,
    Border,
    border_index,
    describe_borders,
    output_size,
    pads,
    parse_border,
    parse_pair,
)
from cnncli.ops.dtypes import as_image
from tests.ops.reference import outside

BORDERED = ["reflect", "symmetric", "edge", "wrap", "constant"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("valid", Border("valid")),
        (" Reflect", Border("reflect")),
        ("constant", Border("constant", 0)),
        ("constant:12.5", Border("constant", 12.5)),
        ("constant:-3", Border("constant", -3)),
        (Border("edge"), Border("edge")),
    ],
)
def test_parse_border(text, expected):
    assert parse_border(text) == expected
    assert parse_border(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mirror", "here it is called reflect"),
        ("replicate", "here it is called edge"),
        ("bent", "use valid, reflect, symmetric, edge, constant, wrap"),
        ("constant:", "only constant takes a number"),
        ("constant:nan", "only constant takes a number"),
        ("constant:-1e300", "'constant:-1e300' is out of reach; give a number up to 1e.12"),
        ("edge:3", "only constant takes a number"),
    ],
)
def test_unknown_border(text, message):
    with pytest.raises(UsageError, match=message):
        parse_border(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2, (2, 2)), ((2, 3), (2, 3)), ("4", (4, 4)), ("1x5", (1, 5)), ([7], (7, 7)), (2.0, (2, 2))],
)
def test_parse_pair(value, expected):
    assert parse_pair(value, "stride") == expected


@pytest.mark.parametrize(
    "value", [0, -1, "2x", "x", "", "2x3x4", (1, 2, 3), 1.5, (2, 2.5), None, "a"]
)
def test_parse_pair_refuses(value):
    with pytest.raises(ShapeError, match=r"stride is .*; give one whole number N or two as NxM"):
        parse_pair(value, "stride")


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2), (0, 3), (3, 0), (3, 3, 0)])
def test_image_shapes_refused(shape):
    with pytest.raises(ShapeError, match="give \\(height, width\\)"):
        as_image(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "U3", object])
def test_image_types_refused(dtype):
    with pytest.raises(ShapeError, match="image has type"):
        as_image(np.zeros((2, 2), dtype))


@given(
    n=st.integers(1, 30),
    k=st.integers(1, 8),
    s=st.integers(1, 5),
    d=st.integers(1, 4),
    p=st.integers(0, 9),
)
def test_output_size_counts_windows(n, k, s, d, p):
    starts = [x for x in range(0, n + p, s) if x + d * (k - 1) < n + p]
    if starts:
        assert output_size(n, k, stride=s, dilation=d, padding=p) == len(starts)
    else:
        with pytest.raises(ShapeError, match=r"floor\(\("):
            output_size(n, k, stride=s, dilation=d, padding=p)


@pytest.mark.parametrize(
    ("size", "dilation", "expected"),
    [
        (1, 1, (0, 0)),
        (2, 1, (0, 1)),
        (3, 1, (1, 1)),
        (4, 1, (1, 2)),
        (3, 2, (2, 2)),
        (2, 3, (1, 2)),
    ],
)
def test_pads(size, dilation, expected):
    assert pads(size, dilation, Border("edge")) == expected
    assert pads(size, dilation, Border("valid")) == (0, 0)


@given(
    n=st.integers(1, 6),
    before=st.integers(0, 20),
    after=st.integers(0, 20),
    mode=st.sampled_from(BORDERED),
)
def test_border_index_is_the_rule_by_hand(n, before, after, mode):
    expected = [outside(i, n, mode) for i in range(-before, n + after)]
    found = border_index(n, before, after, mode).tolist()
    assert found == [-1 if place is None else place for place in expected]


@pytest.mark.parametrize("mode", BORDERED[:-1])
def test_border_index_is_numpys_pad(mode):
    for n in range(1, 6):
        assert border_index(n, 9, 7, mode).tolist() == np.pad(np.arange(n), (9, 7), mode).tolist()


def test_constant_beyond_the_type_is_kept():
    found = correlate2d(np.array([[1, 2]], np.uint8), [[1, 0, 0]], border="constant:300")
    assert found.tolist() == [[300, 1]]


def test_help_of_borders_comes_from_the_rules():
    words = describe_borders()
    assert all(name in words for name in BORDERS)
    assert "reflect (c b|a), symmetric (b a|a), edge (a a|a)" in words
