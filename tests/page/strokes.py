"""Digits as a hand draws them, and the hand: for tests, screenshots and timings of the page."""

from itertools import pairwise
from typing import Any

import numpy as np

STEPS = 6  # moves of the mouse from point to point

# In pixels of the sheet of 280: strokes of points.
DRAWN = {
    "0": ["140,50 90,80 75,140 90,200 140,230 190,200 205,140 190,80 140,50"],
    "1": ["150,50 150,90 148,140 146,190 145,230"],
    "2": ["90,95 105,65 145,50 185,70 190,105 165,145 125,185 90,225 140,222 200,225"],
    "3": ["90,65 140,50 185,75 180,110 135,135 185,155 195,195 160,230 110,228 80,210"],
    "4": ["105,55 95,100 85,150 135,152 200,150", "175,60 172,120 168,180 165,235"],
    "5": ["190,55 110,55 104,125 150,118 190,145 195,190 160,228 110,228 85,210"],
    "6": ["170,50 125,90 95,145 90,195 120,230 165,228 190,195 170,160 125,165 95,190"],
    "7": ["80,60 140,58 200,60 170,120 140,180 125,235"],
    "8": ["140,135 95,110 100,65 145,50 185,70 180,110 140,135 95,165 95,210 140,232 185,210 "
          "185,165 140,135"],
    "9": ["185,95 160,130 110,125 95,90 120,55 165,55 185,95 182,150 170,235"],
}  # fmt: skip


def draw(page: Any, strokes: list[str], pause: int = 0) -> None:
    """Draw strokes with the mouse, with pauses in ms between its moves."""
    box = page.locator("#pad").bounding_box()
    scale = box["width"] / 280
    for stroke in strokes:
        points = [np.array(point.split(","), float) for point in stroke.split()]
        page.mouse.move(*_place(box, scale * points[0]))
        page.mouse.down()
        for before, after in pairwise(points):
            for part in np.linspace(0, 1, STEPS + 1)[1:]:
                page.mouse.move(*_place(box, scale * (before + part * (after - before))))
                page.wait_for_timeout(pause)
        page.mouse.up()
    settle(page)


def _place(box: dict[str, float], point: np.ndarray) -> tuple[float, float]:
    return box["x"] + point[0], box["y"] + point[1]


def settle(page: Any) -> None:
    """Wait until what was drawn is read: two frames of the screen."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
