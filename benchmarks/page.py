"""Time what the page does at each stroke, in Chromium: found, normalised, run, all maps painted.

    python benchmarks/page.py

Draws the ten digits of ``tests/page/strokes.py`` twice with a move of the mouse every 16 ms and
prints how long the page worked at each frame (its own ``performance.measure``).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import machine  # noqa: E402 (beside this file)
from playwright.sync_api import sync_playwright  # noqa: E402

from cnncli.checkpoint import read_checkpoint  # noqa: E402
from cnncli.page.build import page as build_page  # noqa: E402
from cnncli.resources import shipped_weights  # noqa: E402
from tests.page.conftest import chromium  # noqa: E402
from tests.page.strokes import DRAWN, draw  # noqa: E402

ROUNDS = 2


def measure(file: Path) -> list[float]:
    """Return the milliseconds of every stroke."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium())
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(file.as_uri())
        for strokes in list(DRAWN.values()) * ROUNDS:
            draw(page, strokes, pause=16)
            page.get_by_role("button", name="Clear").click()
        times: list[float] = page.evaluate(
            "performance.getEntriesByName('stroke', 'measure').map(entry => entry.duration)"
        )
        browser.close()
    return times


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.html")
        file.write_text(build_page(read_checkpoint(shipped_weights()), "a benchmark", []), "utf-8")
        times = measure(file)
    found = machine.facts()
    print(f"{found['cpu']}, {found['cores']} cores; n = {len(times)} strokes")
    for part in (10, 50, 90, 99, 100):
        print(f"{part:3d} % take at most {np.percentile(times, part):5.1f} ms")
