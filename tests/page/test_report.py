"""The page of ``evaluate --report`` in a real browser: it sorts, fits, and asks for nothing."""

from pathlib import Path

import pytest
from PIL import Image

from cnncli.config import ModelConfig
from tests.cli.test_summary import random_checkpoint
from tests.conftest import CliRunner
from tests.page.conftest import OpenPage


@pytest.fixture
def report(cli: CliRunner, tmp_path: Path) -> Path:
    random_checkpoint(tmp_path / "w.safetensors", ModelConfig("simple", 1, 8, 8, 3))
    for k in range(3):
        (tmp_path / "d" / f"class {k}").mkdir(parents=True)
        for i in range(k + 2):
            picture = Image.new("L", (8, 8), 60 * k + 9 * i)
            picture.save(tmp_path / "d" / f"class {k}" / f"{i}.png")
    done = cli("evaluate", "-w", "w.safetensors", "--data", "d", "--report", "r.html")
    assert done.returncode == 0, done.stderr
    return tmp_path / "r.html"


def test_columns_sort_by_size(report: Path, open_page: OpenPage) -> None:
    page = open_page(report)
    table = page.locator("table.sortable").first
    head = table.get_by_role("button", name="pictures")
    names = table.locator("tbody td:first-child")
    assert names.all_inner_texts() == ["class 0", "class 1", "class 2"]
    head.click()
    assert names.all_inner_texts() == ["class 2", "class 1", "class 0"]
    head.focus()
    page.keyboard.press("Enter")
    assert names.all_inner_texts() == ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_screen(width: int, report: Path, open_page: OpenPage) -> None:
    page = open_page(report, width, "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
