"""Pictures in the terminal, in colour and in ASCII."""

import io

import numpy as np
import pytest
from rich.console import Console

from cnncli.show.picture import fit, show_pictures

RED_OVER_BLUE = np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8)


def drawn(pictures: list[tuple[str, np.ndarray]], **options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, **{"width": 40, "height": 30, **options})  # type: ignore[arg-type]
    show_pictures(console, pictures)
    return out.getvalue()


def test_two_pixels_are_one_half_block() -> None:
    text = drawn([("", RED_OVER_BLUE)], width=1, force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;255;0;0;48;2;0;0;255m▀" in text


def test_an_odd_last_row_has_no_paper() -> None:
    three = np.full((3, 1, 3), 9, np.uint8)
    text = drawn([("", three)], width=1, force_terminal=True, color_system="truecolor")
    assert text.splitlines()[1].startswith("\x1b[38;2;9;9;9m▀")


def test_without_colour_there_are_ascii_shades() -> None:
    ramp = np.tile(np.linspace(0, 255, 10).astype(np.uint8), (2, 1))
    text = drawn([("", ramp)], width=10)
    assert text == " .:-=+*#%@\n"


@pytest.mark.parametrize(
    ("system", "blocks"), [("truecolor", True), ("256", True), ("standard", False), (None, False)]
)
def test_sixteen_colours_are_too_few(system: str | None, blocks: bool) -> None:
    text = drawn([("", RED_OVER_BLUE)], width=1, force_terminal=True, color_system=system)
    assert ("▀" in text) is blocks


@pytest.mark.parametrize("width", [20, 79, 160])
def test_fits_the_width_side_by_side(width: int) -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    lines = drawn([("before", picture), ("after", picture)], width=width).splitlines()
    assert lines[0].split() == ["before", "after"]
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width * 0.8


def test_unequal_heights_leave_room() -> None:
    tall, flat = np.full((20, 10), 255, np.uint8), np.full((2, 10), 255, np.uint8)
    lines = drawn([("a", flat), ("b", tall)], width=22).splitlines()
    assert lines[1] == "@" * 10 + "  " + "@" * 10
    assert lines[2] == " " * 12 + "@" * 10


@pytest.mark.parametrize(
    ("shape", "box", "expected"),
    [
        ((28, 28), (60, 80), (56, 56)),
        ((300, 400), (60, 80), (45, 60)),
        ((1, 999), (50, 9), (1, 50)),
    ],
)
def test_fit_keeps_the_aspect(
    shape: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit(np.zeros((*shape, 3), np.uint8), *box).shape == (*expected, 3)


def test_fit_takes_means_of_areas() -> None:
    pixels = np.repeat(np.array([[0, 100, 200, 255]], np.uint8)[:, :, np.newaxis], 3, axis=2)
    assert fit(pixels, 2, 1)[0, :, 0].tolist() == [50, 228]
