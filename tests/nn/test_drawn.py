"""Digits that the project draws: the same from the same seed, in MNIST's form, and recognisable."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnncli.checkpoint import read_checkpoint
from cnncli.inference.engine import load_engine
from cnncli.nn.datasets import open_data
from cnncli.nn.drawn.canvas import SIDE, Dice
from cnncli.nn.drawn.extra import with_drawn
from cnncli.nn.drawn.pen import draw, skeletons, write
from cnncli.nn.drawn.printed import FONTS, display, glyphs
from cnncli.nn.drawn.seen import normalise
from cnncli.nn.drawn.signs import draw_digits, draw_others
from cnncli.preprocess import to_network_input
from cnncli.resources import shipped_weights

LABELS = torch.arange(10).repeat(30)


def _dice(count: int, seed: int = 1) -> Dice:
    return Dice(torch.Generator().manual_seed(seed), count)


def _read(pictures: torch.Tensor) -> NDArray[np.int64]:
    """Return what the shipped network takes normalised pictures for."""
    checkpoint = read_checkpoint(shipped_weights())
    batch = to_network_input(pictures.permute(0, 2, 3, 1).numpy(), checkpoint.preprocessing)
    return load_engine(checkpoint, "numpy").outputs(batch)[1].argmax(axis=1)


def test_a_seed_draws_the_same_whatever_torch_is_set_to() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    first = draw_digits(LABELS, 3)
    torch.manual_seed(6)
    torch.set_num_threads(2)
    try:
        again = draw_digits(LABELS, 3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first, again)
    assert not torch.equal(first, draw_digits(LABELS, 4))


def test_more_digits_than_are_drawn_at_once() -> None:
    few, many = draw_digits(torch.arange(10), 3), draw_digits(torch.zeros(2100).long(), 3)
    assert (len(few), len(many)) == (10, 2100)
    assert len(np.unique(many.flatten(1).numpy(), axis=0)) > 2090  # none is drawn twice


@pytest.mark.parametrize("pictures", [draw_digits(LABELS, 1), draw_others(300, 1)])
def test_pictures_have_the_form_of_mnist(pictures: torch.Tensor) -> None:
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (300, 1, 28, 28)
    for picture in pictures[:, 0].numpy().astype(float):
        assert picture.max() == 255
        rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        for axis in (0, 1):
            mass = picture.sum(axis=1 - axis)
            first, last = np.flatnonzero(mass)[[0, -1]]
            centre = mass @ (np.arange(28) + 0.5) / mass.sum()
            # Half a pixel and the rounding, unless the picture's border is in the way.
            assert abs(centre - 14) <= 0.51 or first == 0 or last == 27


def test_the_longest_side_becomes_20_pixels_and_the_mass_central() -> None:
    sheet = torch.zeros(1, SIDE, SIDE)
    sheet[0, 3:33, 10:14] = 1  # 30 by 4 pixels: 20 by 2.67, in whole pixels 20 by 3
    pixels = normalise(sheet)[0, 0]
    expected = torch.zeros(28, 28, dtype=torch.uint8)
    expected[4:24, 12:15] = 255
    assert torch.equal(pixels, expected) or torch.equal(pixels, expected.roll(1, 1))


def test_a_pen_covers_what_is_nearer_than_its_radius() -> None:
    path = torch.stack([torch.full((33,), 28.0), torch.arange(12.0, 45.0)], 1)[None]
    ones = torch.ones(1, 33)
    sheet = draw(path, ones, 3 * ones, torch.ones(1, 2))[0]
    distance = (torch.arange(SIDE) + 0.5 - 28).abs()
    wanted = (3 - distance + 0.5).clamp(0, 1)
    torch.testing.assert_close(sheet[28], wanted, atol=0.15, rtol=0)
    broad = draw(path, ones, 3 * ones, torch.tensor([[2.0, 1.0]]))[0]
    assert 11 < broad[28].sum() < 13  # twice as wide


def test_every_way_of_writing_a_digit_is_read_as_that_digit() -> None:
    ways = [number for number, each in enumerate(skeletons()) if each.sign.isdigit()]
    assert {skeletons()[number].sign for number in ways} == set("0123456789")
    which = torch.tensor(ways).repeat_interleave(20)
    read = _read(normalise(write(which, _dice(len(which))))).reshape(-1, 20)
    for number, found in zip(ways, read, strict=True):
        way = skeletons()[number]
        assert (found == int(way.sign)).mean() >= 0.5, (way.sign, way.variant, found)


def test_every_font_and_display_is_read() -> None:
    sheets = glyphs()[:, 1, :10].reshape(-1, SIDE, SIDE)
    read = _read(normalise(sheets)).reshape(len(FONTS), 10)
    assert (read == np.arange(10)).mean() >= 0.97
    assert (read == np.arange(10)).mean(axis=0).min() >= 0.8
    shown = _read(normalise(display(LABELS, _dice(300))))
    assert (shown == LABELS.numpy()).mean() >= 0.95


def test_what_is_no_digit_is_as_many_signs_as_asked_for() -> None:
    first, again = draw_others(50, 1), draw_others(50, 1)
    assert torch.equal(first, again)
    assert not torch.equal(first, draw_others(50, 2))


def test_a_data_set_gets_the_same_drawings_from_the_same_seed() -> None:
    data = open_data("digits", Path()).split_validation(0.1, 0, limit=100)
    first, again, other = (with_drawn(data, seed) for seed in (0, 0, 1))
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.train.labels, other.train.labels)
    assert not torch.equal(first.train.images, other.train.images)
    own = len(data.train)
    assert torch.equal(first.train.images[:own], data.train.images)
    assert torch.bincount(first.train.labels[own:], minlength=11).tolist()[10] == round(0.08 * own)
    assert first.validation is data.validation
    assert first.drawn is not None
    assert first.others is not None
    held = {picture.numpy().tobytes() for picture in first.drawn.images}
    assert not held & {picture.numpy().tobytes() for picture in first.train.images}
