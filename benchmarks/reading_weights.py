"""Fit what speaks for an object being the digit: the weights in cnncli/preprocess/locate.py.

Every candidate of a picture has features; the network reads some of them right. The weights
FEATURES, and those of the network's confidence and of its out-of-distribution score, are those
under which a right one is likeliest to be chosen (a conditional logit, by gradient descent). With
``--clear`` they stay, and the weights CLEAR are fitted to the candidates that win: a logistic
regression on digits that are read right against wrong readings and pictures of no digit.

    python benchmarks/reading_weights.py
    python benchmarks/reading_weights.py --clear

Kinds of pictures count by the square root of their number; none of MNIST's own pictures is used.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reading import NONE, Example, decoded, handed, kinds, photographs
from sklearn.linear_model import LogisticRegression

from cnncli.checkpoint import read_checkpoint
from cnncli.inference.engine import Engine, load_engine
from cnncli.inference.predict import CONFIDENT, LEAST_SURE, STRANGE
from cnncli.preprocess.colours import to_colours
from cnncli.preprocess.digit import working_image
from cnncli.preprocess.locate import FEATURES, MARGIN, candidates, search_grid
from cnncli.preprocess.normalise import ink_coverage, place
from cnncli.resources import shipped_weights

Array = NDArray[np.float64]
CANDIDATES = 12  # of each picture, by the present weights
UNREAD = 0.3  # a picture of which no candidate is read with that probability tells nothing
SHRINKAGE = 0.005  # of the weights towards 0, in standard deviations of their features
STEPS = 4000
FALSE_ALARMS = 0.012  # of digits that are read right
# Each N-th picture of a kind: rare kinds are taken whole.
EVERY = dict.fromkeys(
    ["semeion", "kensanata16", "ruled_inside", "ruled_lines", "newspaper", "printed_cells"], 4
)
EVERY |= dict.fromkeys(["meter", "sevenseg"], 1)
EVERY |= dict.fromkeys([*photographs.MANNERS, *handed.MANNERS], 2)
NO_DIGITS = {"no_cell_lines": 3} | dict.fromkeys(
    ["letters", "shapes", "noise", "pieces of photographs", "empty cells"], 1
)


def examine(example: Example, engine: Engine) -> tuple[Array, Array] | None:
    """Return features with the network's two signs, and how right each candidate is read."""
    image = working_image(to_colours(decoded(example.source)))
    found = sorted(candidates(search_grid(image)), key=lambda one: -one.evidence)[:CANDIDATES]
    if not found:
        return None
    pixels = np.stack([place(ink_coverage(image, one), 28, 28) for one in found])
    probabilities, ood = engine.read(pixels[..., np.newaxis])
    ood = np.zeros(len(found)) if ood is None else ood
    signs = np.stack([np.log(probabilities.max(axis=1) + 1e-6), ood], axis=1)
    right = np.zeros(len(found))
    if example.label != NONE:
        right = probabilities[:, int(example.label)] * (1 - ood)
    return np.column_stack([[one.features for one in found], signs]), right


def fit(tables: list[Array], right: list[Array], weight: Array) -> Array:
    """Return the weights under which the right candidates are likeliest, by Adam."""
    owner = np.repeat(np.arange(len(right)), [len(one) for one in right])
    starts = np.searchsorted(owner, np.arange(len(right)))
    table, truth = np.concatenate(tables), np.concatenate(right)
    scale = table.std(axis=0) + 1e-9
    table = (table - table.mean(axis=0)) / scale
    weights, mean, square = np.zeros((3, table.shape[1]))

    def chosen(scores: Array) -> Array:
        return scores / np.add.reduceat(scores, starts)[owner]

    for step in range(1, STEPS + 1):
        score = table @ weights
        powers = np.exp(score - np.maximum.reduceat(score, starts)[owner])
        wrong = chosen(powers) - chosen(powers * truth + 1e-12)
        gradient = table.T @ (wrong * (weight / weight.mean())[owner]) / len(right)
        gradient += 2 * SHRINKAGE * weights / len(weights)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        weights -= 0.03 * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights / scale


def fit_clear(seen: list[tuple[Array, Array]], weight: Array) -> Array:
    """Return the weights of what was chosen being a digit, and the sum from which it is one."""
    winners, good = [], []
    for table, right in seen:
        evidence = table[:, :-2] @ list(FEATURES.values())
        score = evidence + table[:, -2] * CONFIDENT - table[:, -1] * STRANGE
        best = int(np.argmax(np.where(evidence < evidence.max() - MARGIN, -np.inf, score)))
        winners.append(table[best])
        good.append(right[best] > UNREAD)
    table, good = np.array(winners), np.array(good)
    table[:, -2] = np.maximum(table[:, -2], LEAST_SURE)
    scale = table.std(axis=0) + 1e-9
    found = LogisticRegression(C=0.3, max_iter=5000)
    found.fit(table / scale, good, sample_weight=weight / weight.mean())
    weights = found.coef_[0] / scale
    return np.append(weights, np.quantile(table[good] @ weights, FALSE_ALARMS))


def main() -> None:
    """Print the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clear", action="store_true", help="fit CLEAR, not FEATURES")
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    arguments = parser.parse_args()
    engine = load_engine(read_checkpoint(arguments.weights), "numpy")
    seen, weight = [], []
    for name, every in (EVERY | (NO_DIGITS if arguments.clear else {})).items():
        found = [examine(one, engine) for one in kinds(every)[name]()]
        known = [one for one in found if one is not None]
        if not arguments.clear:
            known = [one for one in known if one[1].max() >= UNREAD]
        print(f"{name}: {len(known)} pictures", flush=True)
        seen += known
        weight += [len(known) ** -0.5] * len(known)
    if arguments.clear:
        weights = fit_clear(seen, np.array(weight))
    else:
        weights = fit(*(list(part) for part in zip(*seen, strict=True)), np.array(weight))
    for name, value in zip([*FEATURES, "confident", "strange", "from"], weights, strict=False):
        print(f'    "{name}": {value:.2f},')


if __name__ == "__main__":
    main()
