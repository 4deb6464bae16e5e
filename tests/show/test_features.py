"""Colours, words and sheets of feature maps."""

import io
from dataclasses import dataclass, field

import numpy as np
import pytest
from rich.console import Console

from cnncli.show.colours import diverging, greys, largest, mixed
from cnncli.show.features import feature_sheet, show_features
from cnncli.show.sheet import PAPER, below, beside, framed, words

RED = np.zeros((28, 28, 3), np.uint8) + np.array([200, 0, 0], np.uint8)


@dataclass(frozen=True)
class FakeStage:
    name: str
    step: str
    values: np.ndarray
    signed: bool = False
    kernels: np.ndarray | None = field(default=None)


def test_zero_is_black_and_both_signs_grow_lighter() -> None:
    ramp = diverging(np.linspace(-3, 3, 61), 3).astype(int)
    light = ramp.sum(axis=1)
    assert light[30] == 0
    assert (np.diff(light[30:]) > 0).all()
    assert (np.diff(light[:31]) < 0).all()
    assert (ramp[31:, 0] > ramp[31:, 2]).all()  # orange: more red than blue
    assert (ramp[:30, 2] > ramp[:30, 0]).all()


def test_layers_of_zeros_have_a_scale() -> None:
    assert largest(np.zeros((2, 3))) == 1
    assert greys(np.zeros((2, 2)), 1.0).max() == 0


def test_no_heat_leaves_the_picture_grey_and_dim() -> None:
    out = mixed(RED, np.zeros((28, 28)))
    assert (out == out[0, 0, 0]).all()
    hot = mixed(RED, np.ones((28, 28)))
    assert hot[0, 0, 0] > hot[0, 0, 2]


def test_words_have_ink_and_one_height() -> None:
    short, long = words("i", 14), words("Wide gj", 14)
    assert short.shape[0] == long.shape[0]
    assert short.shape[1] < long.shape[1]
    assert long.max() > 200
    assert long.min() == PAPER


def test_sheets_put_pictures_where_they_belong() -> None:
    small = np.full((2, 3, 3), 255, np.uint8)
    row = beside([RED[:4, :4], small], 1)
    assert row.shape == (4, 8, 3)
    assert (row[:2, 5:] == 255).all()
    assert (row[2:, 5:] == PAPER).all()
    column = below([small, RED[:4, :4]], 2)
    assert column.shape == (8, 4, 3)
    assert (column[:2, 3] == PAPER).all()
    assert framed(small, 1, 2, 3, 4).shape == (6, 9, 3)


def _stages() -> list[FakeStage]:
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(3, 7, 7)).astype(np.float32)
    kernels = rng.normal(size=(3, 2, 3, 3)).astype(np.float32)
    return [
        FakeStage("conv1", "a convolution", maps, True, kernels),
        FakeStage("fc1", "units", rng.normal(size=70).astype(np.float32), True),
        FakeStage("probabilities", "softmax", np.array([0.25, 0.75], np.float32)),
    ]


def test_a_sheet_shows_the_numbers_of_all_maps_on_one_scale() -> None:
    stages = _stages()
    sheet = feature_sheet(stages, ["a", "b"], [("file", RED)], "b with 75.0%")
    limit = np.abs(stages[0].values).max()
    for values in stages[0].values:  # every map stands somewhere, 12 pixels for each number
        cell = diverging(values, limit).repeat(12, axis=0).repeat(12, axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (84, 84))
        corner = windows[:, :, 0, 0] == cell[0, 0, 0]
        places = [p for p in np.argwhere(corner) if (windows[tuple(p)] == cell[..., 0]).all()]
        assert len(places) == 1


def test_kernels_are_drawn_above_their_maps() -> None:
    stages = _stages()[:1]
    plain, drawn = (
        feature_sheet(stages, ["a", "b"], [("file", RED)], "b", kernels=k) for k in (False, True)
    )
    assert drawn.shape[0] > plain.shape[0]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_terminal_gets_what_fits(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show_features(console, _stages(), ["a", "b"], every_map=False)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(len(line) <= width + 8 for line in text.splitlines())  # bold takes 8
    assert "75.0%" in text
    assert ("2 shown" in text) == (width == 40)
    assert "fc1" in text
