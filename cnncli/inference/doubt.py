"""How unlike everything that a network has learned a picture is: one number from 0 to 1.

Confidence does not tell: a network shares 100 % among the classes it knows, whatever it is shown.
Two things do: how far the best class's logit stands out from all, and how far the hidden layer's
activations lie from where that class's real pictures put them (a distance with one variance for
each unit, after Lee et al., 2018, arXiv 1807.03888, section 2). Both are compared with validation
pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FALSE_ALARMS = 0.01  # share of validation pictures whose doubt is 0.5 or more
FLAGGED = 0.5
FEWEST = 20  # validation pictures per class, below which there is no telling
_SHRINKAGE = 0.1  # of each unit's variance towards the mean variance: dead units tell nothing


@dataclass(frozen=True)
class Doubt:
    """What real pictures look like inside a network.

    Parameters
    ----------
    means
        ``(K, F)``: mean activation of each hidden unit for each class.
    variance
        ``(F,)``: variance of each hidden unit around its class's mean.
    signs_mean, signs_std
        Mean and standard deviation of :meth:`signs` over validation pictures.
    limit
        Score that the part :data:`FALSE_ALARMS` of validation pictures exceeds.
    """

    means: tuple[tuple[float, ...], ...]
    variance: tuple[float, ...]
    signs_mean: tuple[float, float]
    signs_std: tuple[float, float]
    limit: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the record from a model card's table.

        Raises
        ------
        ValueError, KeyError, TypeError
            If the table is not what a record has.
        """
        means = tuple(tuple(map(float, row)) for row in values["means"])
        variance = tuple(map(float, values["variance"]))
        first, second = (tuple(map(float, values[key])) for key in ("signs_mean", "signs_std"))
        limit = float(values["limit"])
        return cls(means, variance, (first[0], first[1]), (second[0], second[1]), limit)

    @cached_property
    def _arrays(self) -> list[NDArray[np.float64]]:
        """The tables as arrays: to make them anew takes a tenth of the time of a digit."""
        return list(map(np.array, (self.means, self.variance, self.signs_mean, self.signs_std)))

    def __call__(self, hidden: Array, logits: Array) -> NDArray[np.float64]:
        """Return the doubt about each picture.

        Parameters
        ----------
        hidden
            ``(N, F)``: activations of the last hidden layer.
        logits
            ``(N, K)``: outputs before softmax.

        Returns
        -------
        NDArray
            ``(N,)`` in [0, 1]: 0.5 at the limit, 0.73 one standard deviation above it.
        """
        means, variance, centre, spread = self._arrays
        found = signs(hidden, logits, means, variance)
        score = ((found - centre) / spread).mean(axis=1)
        doubt: NDArray[np.float64] = 1 / (1 + np.exp(np.clip(self.limit - score, -50, 50)))
        return doubt


def signs(
    hidden: Array, logits: Array, means: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the two signs of doubt: how little the best class stands out, and the distance.

    Returns
    -------
    NDArray
        ``(N, 2)``: minus the lead of the best logit over the mean, and the logarithm of the
        distance to the best class's mean.
    """
    lead = logits.max(axis=1) - logits.mean(axis=1, dtype=np.float64)
    off = hidden - means[logits.argmax(axis=1)]
    return np.stack([-lead, np.log((off**2 / variance).sum(axis=1) + 1e-9)], axis=1)


def fit_doubt(hidden: Array, logits: Array, labels: NDArray[np.int64]) -> Doubt | None:
    """Learn what real pictures look like inside a network.

    The even pictures give means and variances, the odd ones the limits, so that the limits hold
    for pictures that were not used.

    Parameters
    ----------
    hidden, logits
        ``(N, F)`` and ``(N, K)`` of validation pictures.
    labels
        ``(N,)``: what they show.

    Returns
    -------
    Doubt or None
        None where there are too few pictures, or a class has none.
    """
    classes = logits.shape[1]
    known, others = slice(0, None, 2), slice(1, None, 2)
    counts = np.bincount(labels[known], minlength=classes)
    if classes < 2 or counts.min() == 0 or len(labels) < FEWEST * classes:
        return None
    half = hidden[known].astype(np.float64)
    means = np.stack([half[labels[known] == k].mean(axis=0) for k in range(classes)])
    variance = (half - means[labels[known]]).var(axis=0)
    variance += _SHRINKAGE * variance.mean() + 1e-9
    found = signs(hidden[others], logits[others], means, variance)
    centre, spread = found.mean(axis=0), found.std(axis=0) + 1e-9
    scores = np.sort(((found - centre) / spread).mean(axis=1))
    limit = scores[min(int((1 - FALSE_ALARMS) * len(scores)), len(scores) - 1)]
    return Doubt(
        tuple(_short(row) for row in means),
        _short(variance),
        (float(centre[0]), float(centre[1])),
        (float(spread[0]), float(spread[1])),
        float(limit),
    )


def _short(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{value:.4g}") for value in values)  # a card is read by people too
