"""Take the screenshots of docs/page.md in the system's Chromium: part of ``make docs``.

    python docs/screenshots.py

Where there is no browser, or no MNIST for the report, the pictures stay as they are.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT))

from cnncli.cli import main  # noqa: E402
from cnncli.config import data_folder  # noqa: E402
from cnncli.resources import shipped_weights  # noqa: E402
from tests.page.conftest import chromium  # noqa: E402
from tests.page.strokes import DRAWN, draw, settle  # noqa: E402


def run(*arguments: str) -> None:
    """Run one command line in this process."""
    try:
        main([*arguments, "-q", "-w", str(shipped_weights())])
    except SystemExit as end:
        if end.code:
            raise


def keep(name: str, png: bytes) -> None:
    """Write a screenshot in 256 colours: a third of its size, and no eye tells it apart."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(256).save(PICTURES / name, optimize=True)
    sys.stdout.write(f"made: docs/pictures/{name}\n")


def take(browser: Any, folder: Path) -> None:
    """Take all screenshots."""
    run("page", "-o", str(folder / "page.html"))
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto((folder / "page.html").as_uri())
    draw(page, DRAWN["5"])
    box = page.locator(".frame").nth(1).bounding_box()
    page.mouse.click(box["x"] + 0.31 * box["width"], box["y"] + 0.19 * box["height"])
    settle(page)
    keep("page.png", page.screenshot())
    page.locator("#kernel-preset").select_option(label="horizontal_edge")
    page.get_by_label("kernel, row 2, column 2").fill("1")
    page.get_by_label("The picture under the kernel").click()
    keep("page-kernel.png", page.locator("#kernel").screenshot())
    phone = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
    phone.goto((folder / "page.html").as_uri())
    draw(phone, DRAWN["3"])
    keep("page-phone.png", phone.screenshot())
    if (data_folder() / "mnist").exists():
        run("evaluate", "--report", str(folder / "report.html"))
        report = browser.new_page(viewport={"width": 1100, "height": 1000})
        report.goto((folder / "report.html").as_uri())
        keep("report.png", report.screenshot())


if __name__ == "__main__":
    if chromium()["executable_path"] is None:
        sys.exit("no screenshots: there is no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        started = playwright.chromium.launch(**chromium())
        take(started, Path(name))
        started.close()
