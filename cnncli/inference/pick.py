"""Which pictures a person should label next: uncertain ones, and not many times the same."""

from collections.abc import Sequence

import numpy as np

from cnncli.inference.predict import Prediction

POOL = 10  # uncertain pictures looked at for each one that is named


def pick(predictions: Sequence[Prediction], count: int) -> list[Prediction]:
    """Return the pictures most worth a label, the most worth first.

    A picture is uncertain if its second class is nearly as likely as its first (margin sampling;
    Scheffer et al., 2001). Of the most uncertain, each next one is the one whose uncertainty times
    its distance to all that are named already is largest.

    Parameters
    ----------
    predictions
        With two classes named and with `features`; those with an error are left out.
    count
        How many to return, if there are so many.

    Examples
    --------
    >>> from cnncli.inference.predict import Guess
    >>> def of(path, sure, *features):
    ...     top = Guess("cat", 0, sure), Guess("dog", 1, 1 - sure)
    ...     return Prediction(path, top, features=np.array(features, np.float32))
    >>> seen = [of("a", 0.5, 1, 0), of("again", 0.51, 1, 0), of("b", 0.6, 0, 1), of("c", 1, 1, 1)]
    >>> [prediction.path for prediction in pick(seen, 2)]
    ['a', 'b']
    """
    usable = [found for found in predictions if found.features is not None]
    unsure = sorted(usable, key=_margin)[: POOL * count]
    if not unsure:
        return []
    features = np.stack([np.asarray(found.features, np.float32) for found in unsure])
    features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    features /= np.linalg.norm(features, axis=1, keepdims=True) + 1e-6
    worth = 1 - np.array([_margin(found) for found in unsure])
    nearest, chosen = np.full(len(unsure), np.inf), [0]
    while len(chosen) < min(count, len(unsure)):
        nearest = np.minimum(nearest, 1 - features @ features[chosen[-1]])
        nearest[chosen] = -1  # not twice
        chosen.append(int(np.argmax((worth + 1e-6) * nearest)))
    return [unsure[row] for row in chosen]


def _margin(prediction: Prediction) -> float:
    """Return how much likelier the first class is than the second."""
    first, second = (guess.confidence for guess in prediction.top[:2])
    return first - second
