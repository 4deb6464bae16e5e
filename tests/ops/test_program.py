"""Sums and extremes of neighbours against windows taken one by one, and how few calls they take."""

import numpy as np
import pytest

from cnncli.ops.program import Program, neighbours

RNG = np.random.default_rng(3)
COUNTS = [*range(1, 18), 23, 27, 31, 45, 101]


@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("operation", [np.add, np.maximum, np.minimum])
def test_neighbours_are_reduced(dtype: type, operation: np.ufunc, spare: bool) -> None:
    n, step = 50, 3
    for k in COUNTS:
        source = RNG.integers(0, 200, n + (k - 1) * step).astype(dtype)
        before = source.copy()
        windows = np.stack([before[i * step : i * step + n] for i in range(k)])
        expected = operation.reduce(windows, axis=0, dtype=dtype)  # wraps where the sums do
        program = Program()
        found = neighbours(program, source, n, step, k, operation, spare=spare)
        program.run()
        np.testing.assert_array_equal(found, expected, err_msg=f"of {k}")
        assert spare or np.array_equal(source, before)


@pytest.mark.parametrize(
    ("k", "operation", "calls"),
    [
        (1, np.add, 0),
        (3, np.add, 2),
        (4, np.add, 2),
        (15, np.add, 5),  # of 3, of which 2, 4 and 5 lie side by side
        (27, np.add, 6),
        (31, np.add, 7),
        (3, np.maximum, 2),
        (15, np.maximum, 4),  # 2, 4, 8, and the last two windows of 8 overlap
        (17, np.minimum, 5),
    ],
)
def test_few_calls_do(k: int, operation: np.ufunc, calls: int) -> None:
    program = Program()
    neighbours(program, np.zeros(100), 5, 1, k, operation)
    assert len(program.steps) == calls
