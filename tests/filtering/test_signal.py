"""Rows of numbers."""

import numpy as np
import pytest

from cnncli.errors import ShapeError, UsageError
from cnncli.filtering.settings import Settings
from cnncli.filtering.signal import filter_signal
from cnncli.ops import Kernel, get_filter
from cnncli.ops.borders import parse_border
from cnncli.ops.kernel_text import parse_kernel

SIGNAL = np.array([1, 0, 2, 3, 1, 0, 1])
SLOPE = Kernel.of(parse_kernel("1,0,-1"))
VALID = Settings(border=parse_border("valid"))


def test_the_lesson() -> None:
    assert filter_signal(SIGNAL, (SLOPE,), VALID).tolist() == [-1, -3, 1, 3, 0]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(border=parse_border("valid"), op="convolve"), [1, 3, -1, -3, 0]),
        (Settings(border=parse_border("valid"), stride=(2, 2)), [-1, 1, 0]),
        (Settings(border=parse_border("valid"), dilation=(2, 2)), [0, 0, 1]),
        (Settings(border=parse_border("valid"), scale=2), [-0.5, -1.5, 0.5, 1.5, 0.0]),
        (Settings(border=parse_border("valid"), bias=10.0), [9, 7, 11, 13, 10]),
        (Settings(border=parse_border("constant:0")), [0, -1, -3, 1, 3, 0, 0]),
    ],
)
def test_options_by_hand(settings: Settings, expected: list[float]) -> None:
    assert filter_signal(SIGNAL, (SLOPE,), settings).tolist() == expected


def test_two_filters_in_a_row() -> None:
    assert filter_signal(SIGNAL, (SLOPE, SLOPE), VALID).tolist() == [-2, -6, 1]


def test_refusals() -> None:
    with pytest.raises(ShapeError, match="blur has a kernel of 3x3 and a signal needs one row"):
        filter_signal(SIGNAL, (get_filter("blur"),), VALID)
    with pytest.raises(UsageError, match="--range abs is for pictures"):
        filter_signal(SIGNAL, (SLOPE,), Settings(range="abs"))
