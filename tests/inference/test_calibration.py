"""Confidence and doubt are learned from validation pictures, and say what they promise."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cnncli.inference.calibration import calibrate, fit_temperature
from cnncli.inference.doubt import Doubt, fit_doubt
from cnncli.inference.engine import load_engine, softmax
from tests.inference.test_engines import random_checkpoint


@pytest.mark.parametrize("truth", [0.3, 1.0, 2.5])
def test_a_known_temperature_is_found(truth: float) -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (20_000, 5)).astype(np.float32)
    shares = softmax(logits / np.float32(truth)).cumsum(axis=1)
    labels = (random.random((len(logits), 1)) > shares).sum(axis=1).clip(0, 4)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)


def test_a_temperature_changes_no_answer_and_stays_in_bounds() -> None:
    logits = np.eye(4, dtype=np.float32) * 3
    assert fit_temperature(logits, np.arange(4)) == pytest.approx(0.1, rel=0.01)  # never wrong
    assert fit_temperature(logits, np.arange(4)[::-1]) == pytest.approx(10, rel=0.01)


def clusters(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = random.integers(0, 3, count)
    hidden = (np.eye(3)[labels].repeat(4, axis=1) * 5 + random.normal(size=(count, 12))).clip(0)
    return hidden.astype(np.float32), hidden[:, ::4].astype(np.float32), labels


def test_one_in_a_hundred_real_pictures_is_flagged_and_most_others_are() -> None:
    random = np.random.default_rng(0)
    doubt = fit_doubt(*clusters(4000, random))
    assert doubt is not None
    real = doubt(*clusters(4000, random)[:2])
    strange = random.uniform(0, 9, (500, 12)).astype(np.float32)
    assert 0.003 < (real >= 0.5).mean() < 0.03
    assert (doubt(strange, strange[:, ::4]) >= 0.5).mean() > 0.9
    assert ((real >= 0) & (real <= 1)).all()


def test_too_few_pictures_give_no_doubt() -> None:
    assert fit_doubt(*clusters(40, np.random.default_rng(0))) is None


def test_a_card_carries_both_through_json() -> None:
    checkpoint = random_checkpoint(1, 8, 8, 3)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (90, 8, 8, 1), dtype=np.uint8)
    card = json.loads(json.dumps(calibrate(checkpoint, pixels, np.arange(90) % 3).card))
    engine = load_engine(replace(checkpoint, card=card), "numpy")
    assert engine.temperature == card["temperature"] != 1
    assert engine.doubt == Doubt.from_dict(card["doubt"])
    _, doubt = engine.answers(np.zeros((2, 1, 8, 8), np.float32))
    assert doubt.shape == (2,)


def test_every_network_learns_what_is_unlike_its_pictures() -> None:
    checkpoint = random_checkpoint(1, 32, 32, 3, "mobilenet_v3_small")
    pixels = np.random.default_rng(0).integers(0, 256, (90, 32, 32, 1), dtype=np.uint8)
    card = calibrate(checkpoint, pixels, np.arange(90) % 3).card
    assert set(card) == {"temperature", "doubt"}


@pytest.mark.parametrize("broken", [{}, {"means": 3}, "text", {"means": [[1.0]], "limit": "x"}])
def test_a_broken_card_gives_no_doubt(broken: object) -> None:
    checkpoint = replace(random_checkpoint(1, 8, 8, 3), card={"doubt": broken})
    assert load_engine(checkpoint, "numpy").doubt is None


def test_nothing_to_learn_from_changes_nothing() -> None:
    checkpoint = random_checkpoint(1, 8, 8, 3)
    assert calibrate(checkpoint, np.empty((0, 8, 8, 1), np.uint8), np.empty(0, int)) is checkpoint
