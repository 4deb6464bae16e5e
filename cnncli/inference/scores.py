"""How good predictions are, in numbers: all of them from probabilities and true labels."""

from dataclasses import asdict, dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float32]
Labels = NDArray[np.int64]

BINS = 15  # of confidence, for the calibration error
NORMAL_95 = 1.959963984540054  # the normal distribution's quantile of 97.5 %


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures as the network takes them, uint8 (N, H, W, C), and their classes (N,)."""

    name: str
    pixels: NDArray[np.uint8]
    labels: Labels


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and their harmonic mean for one class; NaN where nothing is divided."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Pictures by confidence: how many, how sure and how often right, in :data:`BINS` bins."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error: mean gap of confidence and accuracy, by pictures."""
        gaps = abs(self.confidence - self.accuracy) * self.counts
        return float(gaps.sum() / max(self.counts.sum(), 1))


@dataclass(frozen=True, slots=True)
class Scores:
    """What :func:`score` finds.

    Parameters
    ----------
    accuracy, interval
        Share of right answers, and between what bounds it lies with 95 % confidence.
    count
        Pictures.
    loss
        Mean cross-entropy, in nats.
    classes
        One entry a class.
    confusion
        ``(K, K)``: pictures by true class (rows) and predicted class (columns).
    calibration
        Confidence against accuracy.
    """

    accuracy: float
    interval: tuple[float, float]
    count: int
    loss: float
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    calibration: Calibration

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON types, as ``evaluate --json`` prints them.

        JSON knows no NaN: what is divided by nothing is None.
        """
        rows = [asdict(entry) for entry in self.classes]
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "n": self.count,
            "loss": self.loss,
            "ece": self.calibration.error,
            "per_class": [
                {k: None if isinstance(v, float) and isnan(v) else v for k, v in row.items()}
                for row in rows
            ],
            "confusion": self.confusion.tolist(),
        }


def score(probabilities: Probabilities, labels: Labels, classes: tuple[str, ...]) -> Scores:
    """Compare predictions with the truth.

    Parameters
    ----------
    probabilities
        ``(N, K)``, N at least 1.
    labels
        ``(N,)``.
    classes
        K names.
    """
    best = probabilities.argmax(axis=1)
    right = int((best == labels).sum())
    likelihood = np.maximum(probabilities[np.arange(len(labels)), labels].astype(np.float64), 1e-12)
    confusion = confusion_matrix(labels, best, len(classes))
    return Scores(
        right / len(labels),
        wilson_interval(right, len(labels)),
        len(labels),
        float(-np.log(likelihood).mean()),
        class_scores(confusion, classes),
        confusion,
        calibration_of(probabilities, labels),
    )


def wilson_interval(right: int, count: int, z: float = NORMAL_95) -> tuple[float, float]:
    """Return Wilson's interval of a share; unlike the usual one it holds near 0 and 1.

    >>> low, high = wilson_interval(0, 10)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.2775)
    """
    share, square = right / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * ((share * (1 - share) + square / 4) / count) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Return how often each true class (row) was taken for each class (column)."""
    pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes).astype(np.int64)


def class_scores(confusion: NDArray[np.int64], names: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Return precision, recall, F1 and support of each class of a confusion matrix."""
    right, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScore(
            name,
            _ratio(right[k], predicted[k]),
            _ratio(right[k], support[k]),
            _ratio(2 * right[k], support[k] + predicted[k]),
            int(support[k]),
        )
        for k, name in enumerate(names)
    )


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")


def calibration_of(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> Calibration:
    """Sort pictures by confidence into bins of equal width (Guo et al., 2017, section 2)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    divisor = np.maximum(counts, 1)
    return Calibration(
        counts,
        np.bincount(bin_of, confidence, bins) / divisor,
        np.bincount(bin_of, right, bins) / divisor,
    )


def worst_mistakes(probabilities: Probabilities, labels: Labels, most: int) -> NDArray[np.intp]:
    """Return the positions of the surest wrong answers, the surest first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:most]
