"""Fit what speaks for an object being the digit: the weights in cnncli/preprocess/locate.py.

Every candidate of a picture has features; the network reads some of them right. The weights are
those under which a right one is likeliest to be chosen (a conditional logit, by gradient descent).
They are fitted without the network; then two more numbers say how much its confidence and its
out-of-distribution score add, and all are scaled together.

    python benchmarks/reading_weights.py --every 10 --weights weights/simplecnn-mnist.safetensors
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from reading import Example, decoded, kinds

from cnncli.checkpoint import read_checkpoint
from cnncli.images import Picture
from cnncli.inference.engine import Engine, load_engine
from cnncli.preprocess.colours import to_colours
from cnncli.preprocess.digit import working_image
from cnncli.preprocess.locate import FEATURES, candidates, search_grid
from cnncli.preprocess.normalise import ink_coverage, place
from cnncli.resources import shipped_weights

Array = NDArray[np.float64]
CANDIDATES = 12  # of each picture, by the present weights
UNREAD = 0.3  # a picture of which no candidate is read with that probability tells nothing
SHRINKAGE = 0.02  # of the weights towards 0, in standard deviations of their features
STEPS = 3000


def examine(example: Example, engine: Engine) -> tuple[Array, Array, Array] | None:
    """Return features, how right each candidate is read, and the network's two signs."""
    source = example.source
    picture = Picture(source) if isinstance(source, np.ndarray) else decoded(source)
    image = working_image(to_colours(picture))
    found = sorted(candidates(search_grid(image)), key=lambda one: -one.evidence)[:CANDIDATES]
    if not found:
        return None
    pixels = np.stack([place(ink_coverage(image, one), 28, 28) for one in found])
    probabilities, ood = engine.read(pixels[..., np.newaxis])
    ood = np.zeros(len(found)) if ood is None else ood
    right = probabilities[:, int(example.label)] * (1 - ood)
    signs = np.stack([np.log(probabilities.max(axis=1) + 1e-6), ood], axis=1)
    return np.array([one.features for one in found]), right, signs


def fit(features: list[Array], right: list[Array]) -> Array:
    """Return the weights under which the right candidates are likeliest, by Adam."""
    owner = np.repeat(np.arange(len(right)), [len(one) for one in right])
    table, truth = np.concatenate(features), np.concatenate(right)
    scale = table.std(axis=0) + 1e-9
    table = (table - table.mean(axis=0)) / scale
    weights, mean, square = np.zeros((3, table.shape[1]))

    def chosen(scores: Array) -> Array:
        total = np.bincount(owner, scores, len(right))
        return scores / total[owner]

    for step in range(1, STEPS + 1):
        score = table @ weights
        powers = np.exp(
            score - np.maximum.reduceat(score, np.searchsorted(owner, range(len(right))))[owner]
        )
        gradient = table.T @ (chosen(powers) - chosen(powers * truth + 1e-12)) / len(right)
        gradient += 2 * SHRINKAGE * weights / len(weights)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        weights -= 0.03 * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return weights / scale


def main() -> None:
    """Print the weights, and how often the best candidate is read right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="all with single digits by default")
    parser.add_argument("--every", type=int, default=10, help="take each N-th picture only")
    parser.add_argument("--weights", type=Path, default=shipped_weights())
    arguments = parser.parse_args()
    engine = load_engine(read_checkpoint(arguments.weights), "numpy")
    made = kinds(arguments.every)
    examples = [one for name in arguments.kinds or made for one in made[name]()]
    seen = [examine(one, engine) for one in examples if one.label in set("0123456789")]
    known = [one for one in seen if one is not None and one[1].max() >= UNREAD]
    features, right, signs = (list(part) for part in zip(*known, strict=True))
    plain = fit(features, right)
    both = [np.column_stack([one @ plain, sign]) for one, sign in zip(features, signs, strict=True)]
    evidence, confident, strange = fit(both, right)
    for name, weight in zip(FEATURES, plain * evidence, strict=True):
        print(f'    "{name}": {weight:.2f},')
    print(f"CONFIDENT, STRANGE = {confident:.1f}, {-strange:.1f}")
    best = [one[np.argmax(table @ plain)] for one, table in zip(right, features, strict=True)]
    share = np.mean(np.array(best) > 0.5)
    print(f"{len(best)} pictures; the best by evidence alone is read right in {share:.1%}")


if __name__ == "__main__":
    main()
