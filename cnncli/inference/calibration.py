"""Confidence that is as often right as it says, and doubt: both learned from validation data."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.inference.doubt import fit_doubt
from cnncli.inference.engine import load_engine, softmax
from cnncli.preprocess import to_network_input

MOST_MEANS = 250_000  # numbers of the doubt's record: more would fill a checkpoint's header
LOWEST, HIGHEST = 0.1, 10.0  # temperatures beyond these come from too few errors to tell


def calibrate(
    checkpoint: Checkpoint,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    engine: str = "auto",
) -> Checkpoint:
    """Return a checkpoint whose card carries a temperature and, if there is data enough, doubt.

    Parameters
    ----------
    checkpoint
        A trained network.
    pixels
        Validation pictures that it has not learned from, uint8 ``(N, H, W, C)``.
    labels
        ``(N,)``: index of what each shows.
    engine
        What runs the network; see :func:`~cnncli.inference.engine.load_engine`.

    Returns
    -------
    Checkpoint
        The same weights; in the card ``temperature`` and, of the lesson's network, ``doubt``.
    """
    if len(labels) == 0:
        return checkpoint
    batch = to_network_input(pixels, checkpoint.preprocessing)
    hidden, logits = load_engine(checkpoint, engine).outputs(batch)
    return calibrated(checkpoint, hidden, logits, labels)


def calibrated(
    checkpoint: Checkpoint,
    hidden: NDArray[np.float32],
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Checkpoint:
    """Do the same with a network's outputs on such pictures.

    Parameters
    ----------
    checkpoint
        A trained network.
    hidden, logits
        ``(N, F)``, what its last layer sees, and ``(N, K)``, what that makes of it.
    labels
        ``(N,)``: index of what each shows.
    """
    card = {**checkpoint.card, "temperature": round(fit_temperature(logits, labels), 4)}
    small = hidden.shape[1] * logits.shape[1] <= MOST_MEANS
    if small and (doubt := fit_doubt(hidden, logits, labels)):
        card["doubt"] = asdict(doubt)
    return replace(checkpoint, card=card)


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the temperature under which the true classes are likeliest.

    ``softmax(logits / T)`` keeps the order of the classes, so that no answer changes (Guo et
    al., 2017, arXiv 1706.04599, section 4.2). The loss is convex in ``1 / T``: a golden-section
    search finds its minimum.

    Parameters
    ----------
    logits
        ``(N, K)`` of validation pictures.
    labels
        ``(N,)``.
    """
    ratio = (5**0.5 - 1) / 2
    low, high = 1 / HIGHEST, 1 / LOWEST
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(logits, labels, left) < _loss(logits, labels, right):
            high = right
        else:
            low = left
    return 2 / (low + high)


def _loss(logits: NDArray[np.float32], labels: NDArray[np.int64], sharpness: float) -> float:
    probabilities = softmax(logits * np.float32(sharpness))[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(probabilities, 1e-12)).mean())
