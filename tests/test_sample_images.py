"""The sample pictures are what their script draws, small, and of the sizes that are promised."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "sample_images"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix in {".png", ".jpg"})


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_folder_holds_exactly_what_the_script_draws(script: ModuleType) -> None:
    assert {path.name for path in FILES} == set(script.PICTURES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_picture_is_drawn_again_alike(script: ModuleType, path: Path) -> None:
    drawn = script.draw(path.name)
    with Image.open(path) as stored:
        assert (stored.mode, stored.size) == (drawn.mode, drawn.size)
        difference = abs(np.asarray(drawn, int) - np.asarray(stored, int))
    # A JPEG keeps what it looks like, not each pixel.
    assert difference.max() == 0 if path.suffix == ".png" else difference.mean() < 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_small(path: Path) -> None:
    assert path.stat().st_size < 200_000


def test_every_class_is_there_in_ten_manners_or_more() -> None:
    names = [re.fullmatch(r"digit-(\d)-([a-z0-9-]+)", path.stem) for path in FILES]
    digits = [name.groups() for name in names if name]
    assert {label for label, _ in digits} == set("0123456789")
    assert len({manner for _, manner in digits}) >= 10


def test_the_modes_that_cameras_and_scanners_write_are_there() -> None:
    modes = set()
    for path in FILES:
        with Image.open(path) as picture:
            modes.add(picture.mode)
    assert modes == {"L", "P", "RGB", "RGBA", "I;16"}
    with Image.open(FOLDER / "digit-2-sideways.jpg") as picture:
        assert picture.getexif()[0x0112] == 6


def test_the_scene_has_its_size_and_uses_the_whole_range() -> None:
    with Image.open(FOLDER / "scene.png") as scene:
        assert scene.size == (512, 384)
        grey = np.asarray(scene.convert("L"), float)
    assert grey.min() < 40
    assert grey.max() > 230
    assert grey.std() > 40
