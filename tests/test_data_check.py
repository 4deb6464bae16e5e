"""What data check finds: wrong labels and copies, on arrays made here."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cnncli.data_check import copies, doubted_labels, thin_classes, twice_as_many


def _scenes(count: int, edge: int = 64) -> NDArray[np.uint8]:
    """Return pictures of soft blobs, none like another."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:edge, 0:edge]
    scenes = np.empty((count, edge, edge, 3), np.uint8)
    for scene in scenes:
        light = np.zeros((edge, edge, 3))
        for _ in range(9):
            row, column, size = *draw.uniform(0, edge, 2), draw.uniform(4, 16)
            blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * size**2))
            light += blob[:, :, None] * draw.uniform(-1, 1, 3)
        scene[:] = np.clip(128 + 90 * light, 0, 255)
    return scenes


def _features(scenes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return mean colours, of each picture as it is and mirrored alike."""
    return (
        np.stack([scenes.mean((1, 2)), scenes.std((1, 2))], 1).reshape(len(scenes), -1).astype("f4")
    )


def test_copies_are_found_mirrored_and_cropped_and_strangers_are_not() -> None:
    scenes = _scenes(40)
    cropped = Image.fromarray(scenes[7]).crop((3, 3, 64, 64)).resize((64, 64))
    pictures = np.concatenate([scenes, scenes[3:4, :, ::-1], np.array(cropped)[None]])
    pairs = copies(_features(pictures), pictures)
    assert {(a, b) for a, b, _ in pairs} == {(3, 40), (7, 41)}
    assert [alike for _, _, alike in pairs] == sorted((p[2] for p in pairs), reverse=True)


def test_wrong_labels_stand_first() -> None:
    draw = np.random.default_rng(1)
    true = np.repeat(np.arange(4), 50)
    logits = (3 * np.eye(4)[true] + draw.normal(0, 1, (200, 4))).astype(np.float32)
    labels = true.copy()
    wrong = draw.permutation(200)[:10]
    labels[wrong] = (true[wrong] + 1) % 4
    found = doubted_labels(logits, labels)
    first = found[:15]
    assert len({row for row, _, _ in first} & set(wrong.tolist())) >= 9
    assert all(true[row] == label for row, label, _ in first if row in wrong)
    odds = [odds for _, _, odds in found]
    assert odds == sorted(odds, reverse=True)
    assert min(odds) >= 3


def test_odds_are_those_of_the_logits() -> None:
    # exp(5) / exp(0): the first picture says class 1 and is labelled 0.
    logits = np.array([[0, 5], [0, 1], [1, 0]], np.float32)
    assert doubted_labels(logits, np.array([0, 1, 0])) == [(0, 1, 148.4)]


def test_thin_classes_come_fewest_first() -> None:
    labels = [0] * 30 + [1] * 5 + [2] * 3
    assert thin_classes(labels, 3) == [(2, 3), (1, 5)]


def test_more_pictures_never_cost_accuracy() -> None:
    assert twice_as_many(0.8, 0.7) == pytest.approx(0.7)
    assert twice_as_many(0.5, 0.75) == pytest.approx(0.875)
