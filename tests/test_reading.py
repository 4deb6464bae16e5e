"""Photographed digits, whole numbers, and what is no digit, through ``predict``'s own path.

The full sets are those of docs/reading-digits.md (marked slow); a small part runs every time.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from cnncli.checkpoint import read_checkpoint
from cnncli.images import Picture, write_picture
from cnncli.inference.engine import load_engine
from cnncli.inference.predict import CONFIDENT, STRANGE, Prediction, Predictor
from cnncli.nn.idx import read_idx
from cnncli.preprocess import prepare_all
from cnncli.resources import shipped_weights
from tests import handed, nondigits
from tests.fuzzed import fuzzed
from tests.numbers import display_picture, number_picture, touching_picture
from tests.photographs import MANNERS, photograph

pytestmark = pytest.mark.skipif(not shipped_weights().exists(), reason="no shipped weights")

Pictures = list[np.ndarray]
Draw = Callable[[list[np.ndarray], np.random.Generator], np.ndarray]


@pytest.fixture(scope="module")
def mnist_test(mnist_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    images = read_idx(mnist_folder / "t10k-images-idx3-ubyte.gz")
    return images, read_idx(mnist_folder / "t10k-labels-idx1-ubyte.gz")


def predictor(numbers: bool = False) -> Predictor:
    checkpoint = read_checkpoint(shipped_weights())
    return Predictor(checkpoint, load_engine(checkpoint, "numpy"), numbers=numbers)


def predict_arrays(pictures: Sequence[np.ndarray], *, numbers: bool = False) -> list[Prediction]:
    names = [str(index) for index in range(len(pictures))]
    read = {name: Picture(pixels) for name, pixels in zip(names, pictures, strict=True)}
    return replace(predictor(numbers), read=read.__getitem__)(names)


def photographs_right(
    images: np.ndarray, labels: np.ndarray, count: int, folder: Path
) -> dict[str, list[bool]]:
    """Return which of `count` photographs are read right, by manner."""
    random = np.random.default_rng(2026)
    chosen = random.permutation(len(images))[:count]
    manners, paths = list(MANNERS), []
    for number, index in enumerate(chosen):
        manner = manners[number % len(manners)]
        photo = photograph(images[index], manner, np.random.default_rng([2026, number]))
        path = folder / f"{number:05d}{photo.suffix}"
        path.write_bytes(photo.data)
        paths.append(str(path))
    right = defaultdict(list)
    for number, prediction in enumerate(predictor()(paths)):
        truth = str(labels[chosen[number]])
        right[manners[number % len(manners)]].append(prediction.label == truth)
    return right


def test_some_photographs(mnist_test: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    right = photographs_right(*mnist_test, 60, tmp_path)
    assert len(right) == len(MANNERS) >= 15
    assert np.mean(list(chain.from_iterable(right.values()))) >= 0.93


@pytest.mark.slow
def test_two_thousand_photographs(
    mnist_test: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    right = photographs_right(*mnist_test, 2010, tmp_path)
    for manner, found in right.items():
        print(f"| {manner} | {sum(found)} of {len(found)} | {np.mean(found):.1%} |")  # noqa: T201 (a row of the table in docs)
    assert np.mean(list(chain.from_iterable(right.values()))) >= 0.985
    assert min(np.mean(found) for found in right.values()) >= 0.93


def handed_right(mnist: tuple[np.ndarray, np.ndarray], manner: str, count: int) -> float:
    images, labels = mnist
    pictures, truths = [], []
    for number in range(count):
        random = np.random.default_rng([13, number])
        chosen = int(random.integers(len(images)))
        pictures.append(handed.MANNERS[manner](images[chosen], random))
        truths.append(str(handed.ONLY.get(manner, labels[chosen])))
    found = predict_arrays(pictures)
    return float(np.mean([p.label == truth for p, truth in zip(found, truths, strict=True)]))


@pytest.mark.parametrize("manner", handed.MANNERS)
def test_digits_as_they_are_handed_over(
    mnist_test: tuple[np.ndarray, np.ndarray], manner: str
) -> None:
    assert handed_right(mnist_test, manner, 24) >= 0.8


def test_what_the_network_was_not_shown_could_not_have_won(
    mnist_test: tuple[np.ndarray, np.ndarray],
) -> None:
    checkpoint, places = read_checkpoint(shipped_weights()), []
    engine = load_engine(checkpoint, "numpy")
    digits = mnist_test[0][: 8 * len(handed.MANNERS)].reshape(8, -1, 28, 28)
    pictures = [
        draw(digit, np.random.default_rng(number))
        for number, row in enumerate(digits)
        for draw, digit in zip(handed.MANNERS.values(), row, strict=True)
    ]
    for pixels, prediction in zip(pictures, predict_arrays(pictures), strict=True):
        found = list(prepare_all(Picture(pixels), checkpoint.preprocessing))
        assert [one.runner_up for one in found] == [*(one.evidence for one in found[1:]), -inf]
        weighed = []
        for one in found:
            (row,), (doubt,) = engine.read(one.pixels[np.newaxis])
            weighed.append(one.evidence + CONFIDENT * np.log(row.max()) - STRANGE * doubt)
        best = int(np.argmax(weighed))
        assert prediction.prepared is not None
        np.testing.assert_array_equal(prediction.prepared.pixels, found[best].pixels)
        places.append(best)
    assert max(places) > 0  # the evidence alone would have chosen another one


@pytest.mark.slow
@pytest.mark.parametrize("manner", handed.MANNERS)
def test_many_digits_as_they_are_handed_over(
    mnist_test: tuple[np.ndarray, np.ndarray], manner: str
) -> None:
    right = handed_right(mnist_test, manner, 300)
    print(f"| {manner} | {right:.1%} |")  # noqa: T201 (a row of the table in docs)
    assert right >= 0.97


def numbers_right(mnist: tuple[np.ndarray, np.ndarray], draw: Draw, count: int) -> float:
    images, labels = mnist
    pictures, truths = [], []
    for number in range(count):
        random = np.random.default_rng([7, number])
        chosen = random.integers(0, len(images), random.integers(2, 7))
        pictures.append(draw(list(images[chosen]), random))
        truths.append("".join(map(str, labels[chosen])))
    found = predict_arrays(pictures, numbers=True)
    return float(np.mean([p.label == truth for p, truth in zip(found, truths, strict=True)]))


def test_some_numbers(mnist_test: tuple[np.ndarray, np.ndarray]) -> None:
    assert numbers_right(mnist_test, number_picture, 20) >= 0.9
    assert numbers_right(mnist_test, touching_picture, 20) >= 0.6


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "least"), [(number_picture, 0.95), (touching_picture, 0.8)])
def test_two_hundred_numbers(
    mnist_test: tuple[np.ndarray, np.ndarray], draw: Draw, least: float
) -> None:
    right = numbers_right(mnist_test, draw, 200)
    print(f"{draw.__name__} wholly right: {right:.1%}")  # noqa: T201 (a row of the table in docs)
    assert right >= least


def displays_right(count: int) -> float:
    right = []
    for number in range(count):
        random = np.random.default_rng([17, number])
        digits = "".join(map(str, random.integers(0, 10, random.integers(3, 7))))
        point = int(random.integers(1, len(digits)))
        text = f"{digits[:point]}.{digits[point:]}"
        (found,) = predict_arrays([display_picture(text, random)], numbers=True)
        right.append(found.text == text)
    return float(np.mean(right))


@pytest.mark.slow
def test_a_hundred_displays_with_a_point() -> None:
    right = displays_right(100)
    print(f"displays wholly right: {right:.1%}")  # noqa: T201 (a row of the table in docs)
    assert right >= 0.9


def black_ruling(seed: int) -> np.ndarray:
    """Return an empty cell with black lines on all sides, grainy."""
    random = np.random.default_rng(seed)
    cell = np.full((105, 105), 190.0)
    top, bottom = random.integers(1, 4), random.integers(86, 94)
    cell[:top] = cell[bottom : bottom + random.integers(4, 9)] = 20
    left, right = random.integers(0, 3), random.integers(99, 104)
    cell[:, left : left + random.integers(2, 5)] = cell[
        :, right : right + random.integers(1, 5)
    ] = 20
    cell += random.normal(0, random.uniform(0, 5), cell.shape)
    return cell.clip(0, 255).astype(np.uint8)


def test_an_empty_ruled_cell_is_no_fault() -> None:
    # The ruling's ink was once measured against the ruling: exp overflowed, and NaN became a size.
    cells = [black_ruling(seed) for seed in (9, 31, 51)]
    cells += [handed.empty_cell(np.random.default_rng([3, number])) for number in range(20)]
    assert [p.error for p in predict_arrays(cells)] == [None] * 23


def assert_all_are_read(count: int) -> None:
    for numbers in (False, True):
        for prediction in predict_arrays(list(fuzzed(count)), numbers=numbers):
            assert prediction.error is None, (prediction.path, numbers)
            assert 0 <= prediction.top[0].confidence <= 1


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_nothing_that_is_no_digit_does_harm() -> None:
    assert_all_are_read(160)


def test_a_column_of_small_marks_is_read_as_one_object() -> None:
    # Each was a speck against the height of all: nothing was left to cut.
    picture = list(fuzzed(60, 1000))[59]
    (found,) = predict_arrays([picture], numbers=True)
    assert found.error is None


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_object_whose_ink_is_like_the_ground_is_read() -> None:
    # Its level of ink is 0, by which coverage would be divided.
    (found,) = predict_arrays([list(fuzzed(96, 5010))[74]])
    assert found.error is None


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_fifty_thousand_fuzzed_pictures_twice() -> None:
    assert_all_are_read(50_000)


def doubts(pictures: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([prediction.doubt for prediction in predict_arrays(pictures)])


def auroc(real: np.ndarray, strange: np.ndarray) -> float:
    """Return how often something strange is doubted more than something real."""
    ranks = rankdata(np.concatenate([real, strange]))[len(real) :]
    return float((ranks.sum() - len(strange) * (len(strange) + 1) / 2) / len(real) / len(strange))


def test_doubt_tells_scribbles_from_digits(mnist_test: tuple[np.ndarray, np.ndarray]) -> None:
    random = np.random.default_rng(1)
    strange = [*nondigits.letters(40, random), *nondigits.noise(30, random)]
    assert auroc(doubts(mnist_test[0][:150]), doubts(strange)) > 0.9


@pytest.mark.slow
def test_doubt_of_each_kind(mnist_test: tuple[np.ndarray, np.ndarray], photo_folder: Path) -> None:
    random = np.random.default_rng(1)
    real = doubts(mnist_test[0][:5000])
    kinds: dict[str, Pictures] = {
        "letters": list(nondigits.letters(300, random)),
        "shapes": list(nondigits.shapes(300, random)),
        "noise": list(nondigits.noise(300, random)),
        "pieces of photographs": list(nondigits.photograph_crops(photo_folder, 300, random)),
    }
    found = {kind: doubts(pictures) for kind, pictures in kinds.items()}
    print(f"real digits flagged: {(real >= 0.5).mean():.2%}")  # noqa: T201 (a row of the table in docs)
    for kind, values in found.items():
        print(f"| {kind} | {auroc(real, values):.3f} | {(values >= 0.5).mean():.0%} |")  # noqa: T201 (a row of the table in docs)
    assert auroc(real, np.concatenate(list(found.values()))) >= 0.95


def test_mnist_passes_through_unharmed(
    mnist_test: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    paths = [str(tmp_path / f"{index}.png") for index in range(300)]
    for path, image in zip(paths, mnist_test[0], strict=False):
        write_picture(path, Picture(image))
    for path, image, seen in zip(paths, mnist_test[0], predictor()(paths), strict=False):
        assert np.array_equal(seen.prepared.pixels[:, :, 0], image), path


@pytest.mark.slow
def test_all_of_mnist_is_as_accurate_as_the_raw_arrays(
    mnist_test: tuple[np.ndarray, np.ndarray],
) -> None:
    from cnncli.preprocess import to_network_input

    images, labels = mnist_test
    checkpoint = read_checkpoint(shipped_weights())
    batch = to_network_input(images[..., None], checkpoint.preprocessing)
    raw = load_engine(checkpoint, "numpy").probabilities(batch).argmax(axis=1)
    read = np.array([int(prediction.label) for prediction in predict_arrays(list(images))])
    assert abs((raw == labels).mean() - (read == labels).mean()) <= 0.0005
