"""Fit what speaks against a piece of a number being one digit: AGAINST in preprocess/number.py.

The weights are those under which ways to cut a number that read right are likeliest against all
ways (a conditional random field, with the network's doubt as a feature of weight 1), on numbers,
touching numbers and displays made of MNIST's training digits.

    python benchmarks/number_weights.py
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from reading import Example, decoded, folder, numbers
from scipy.optimize import minimize

from cnncli.checkpoint import read_checkpoint
from cnncli.inference.engine import Engine, load_engine
from cnncli.inference.predict import ODDS
from cnncli.nn.idx import read_idx
from cnncli.preprocess import number
from cnncli.preprocess.colours import to_colours
from cnncli.preprocess.digit import prepared
from cnncli.resources import shipped_weights
from tests.numbers import display_picture

Array = NDArray[np.float64]
SHRINKAGE = 0.0005  # of the weights towards 0
SEED = 107

# Of each piece: its two cuts, the label that it is read as, its features.
Lattice = tuple[str, list[tuple[tuple[int, int], str, Array]]]


def made(draw: Callable[..., NDArray[np.uint8]], count: int) -> list[Example]:
    """Return numbers of 2 to 6 MNIST training digits."""
    home = folder("CNNCLI_TEST_MNIST", "mnist")
    images = read_idx(home / "train-images-idx3-ubyte.gz")
    labels = read_idx(home / "train-labels-idx1-ubyte.gz")
    found = []
    for index in range(count):
        random = np.random.default_rng([SEED, index])
        chosen = random.integers(0, len(images), random.integers(2, 7))
        found.append(Example(draw(list(images[chosen]), random), "".join(map(str, labels[chosen]))))
    return found


def displays(count: int) -> list[Example]:
    """Return displays of 3 to 6 digits with a point."""
    found = []
    for index in range(count):
        random = np.random.default_rng([SEED, index])
        text = "".join(map(str, random.integers(0, 10, random.integers(3, 7))))
        point = int(random.integers(1, len(text)))
        found.append(Example(display_picture(f"{text[:point]}.{text[point:]}", random), text))
    return found


def lattice(example: Example, engine: Engine) -> Lattice:
    """Return all pieces of a number, those that lie further left first."""
    features = {}

    def remembered(image, found, full, size):
        shown = prepared(image, found, full, size)
        features[id(shown)] = found.features
        return shown

    number.prepared = remembered
    pieces = number.read_number(to_colours(decoded(example.source)), 28, 28).pieces
    shown = [pieces[ends][0] for ends in sorted(pieces)]
    probabilities, ood = engine.read(np.stack([part.pixels for part in shown]))
    odds = np.clip(np.log(ood + 1e-30) - np.log1p(1e-30 - ood), *ODDS)
    return example.label, [
        (ends, str(row.argmax()), np.append(-features[id(part)], -odd))
        for ends, part, row, odd in zip(sorted(pieces), shown, probabilities, odds, strict=True)
    ]


def expected(found: Lattice, weights: Array, right: bool) -> tuple[float, Array]:
    """Return the logarithm of the sum over ways, and the mean of the ways' features.

    Parameters
    ----------
    found
        The pieces.
    weights
        Of their features.
    right
        Whether only ways count that read the number right.
    """
    label, pieces = found
    nothing = np.zeros(len(weights))
    ways = {(0, 0): (0.0, nothing)}  # by the last cut, and how many digits are read right
    for (start, stop), read, features in pieces:
        for count in range(len(label) if right else 1):
            if (start, count) not in ways or (right and read != label[count]):
                continue
            total, mean = ways[start, count]
            total, mean = total + float(features @ weights), mean + features
            key = stop, count + right
            old, other = ways.get(key, (-np.inf, nothing))
            new = np.logaddexp(total, old)
            part = np.exp(total - new)
            ways[key] = float(new), part * mean + (1 - part) * other
    last = max(stop for (_, stop), _, _ in pieces)
    return ways.get((last, len(label) if right else 0), (-np.inf, nothing))


def main() -> None:
    """Print the weights."""
    engine = load_engine(read_checkpoint(shipped_weights()), "numpy")
    examples = [*made(numbers.number_picture, 60), *made(numbers.touching_picture, 150)]
    found = [lattice(one, engine) for one in [*examples, *displays(40)]]
    start = np.append(np.fromiter(number.AGAINST.values(), float), 1.0)
    found = [one for one in found if expected(one, start, True)[0] > -np.inf]

    def loss(weights: Array) -> tuple[float, Array]:
        value, slope = SHRINKAGE * weights @ weights, 2 * SHRINKAGE * weights
        for one in found:
            (right, good), (every, mean) = (expected(one, weights, w) for w in (True, False))
            value, slope = value + (every - right) / len(found), slope + (mean - good) / len(found)
        return value, slope

    weights = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 30}).x
    print(f"{len(found)} of {len(examples) + 40} can be read right")
    for name, value in zip(number.AGAINST, weights / weights[-1], strict=False):
        print(f'    "{name}": {value:.2f},')


if __name__ == "__main__":
    main()
