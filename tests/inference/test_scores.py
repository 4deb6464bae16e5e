"""Accuracy, intervals, classes and calibration, against scikit-learn, SciPy and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from cnncli.inference.scores import calibration_of, score, wilson_interval, worst_mistakes


def random_case(seed: int, count: int = 400, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(classes) * 0.3, count).astype(np.float32)
    return shares, random.integers(0, classes, count)


@pytest.mark.parametrize("seed", range(3))
def test_all_numbers_are_scikit_learns(seed: int) -> None:
    shares, labels = random_case(seed)
    found = score(shares, labels, tuple("abcde"))
    best = shares.argmax(axis=1)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, best))
    exact = shares.astype(float) / shares.sum(axis=1, keepdims=True, dtype=float)
    loss = metrics.log_loss(labels, np.maximum(exact, 1e-12), labels=range(5))
    assert found.loss == pytest.approx(loss, rel=1e-4)
    assert np.array_equal(found.confusion, metrics.confusion_matrix(labels, best))
    expected = metrics.precision_recall_fscore_support(labels, best)
    rows = [(c.precision, c.recall, c.f1, c.support) for c in found.classes]
    assert np.allclose(np.array(rows).T, expected)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_is_scipys(count: int, part: float) -> None:
    right = round(part * count)
    expected = stats.binomtest(right, count).proportion_ci(0.95, "wilson")
    assert wilson_interval(right, count) == pytest.approx(tuple(expected), abs=1e-9)


def test_calibration_by_hand() -> None:
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.35, 0.65]], np.float32)
    bins = calibration_of(shares, np.array([0, 1, 1, 1]), bins=5)
    assert bins.counts.tolist() == [0, 0, 0, 2, 2]
    assert bins.error == pytest.approx((2 * abs(0.625 - 1) + 2 * abs(0.9 - 0.5)) / 4, abs=1e-6)


def test_a_class_that_never_comes_divides_by_nothing() -> None:
    found = score(np.array([[0.9, 0.1, 0.0]], np.float32), np.array([0]), tuple("abc"))
    assert np.isnan(found.classes[2].recall)
    assert found.classes[0].f1 == 1
    assert found.interval == pytest.approx((0.2065, 1.0), abs=1e-3)


def test_the_surest_mistakes_come_first() -> None:
    shares = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.99, 0.01]], np.float32)
    assert worst_mistakes(shares, np.array([1, 1, 1, 0]), 5).tolist() == [1, 0]
