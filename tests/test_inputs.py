"""Files, folders, globs and stdin."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.batch.inputs import STDIN, Inputs, expand_inputs
from cnncli.errors import ImageReadError
from cnncli.files import natural_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("img10.png", "img2.PNG", "img1.jpg", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.tif").touch()
    return tmp_path


def names(found: Inputs) -> list[str]:
    return [Path(name).name for name in found.names]


def test_a_folder_stands_for_its_pictures_in_natural_order(folder: Path) -> None:
    assert names(expand_inputs([str(folder)])) == ["img1.jpg", "img2.PNG", "img10.png"]


def test_globs(folder: Path) -> None:
    assert names(expand_inputs([f"{folder}/*.png"])) == ["img10.png"]
    assert names(expand_inputs([f"{folder}/**/*.tif"])) == ["deep.tif"]
    assert names(expand_inputs([f"{folder}/img?.*"])) == ["img1.jpg", "img2.PNG"]


def test_a_file_may_be_called_anything(folder: Path) -> None:
    strange = folder / "photo [1].png"
    strange.touch()
    found = [str(folder / "notes.txt"), str(strange)]
    assert names(expand_inputs(found)) == ["notes.txt", "photo [1].png"]


def test_order_of_arguments_and_no_file_twice(folder: Path) -> None:
    found = expand_inputs([f"{folder}/img10.png", str(folder), f"{folder}/img10.png", "-"])
    assert names(found) == ["img10.png", "img1.jpg", "img2.PNG", "-"]
    assert found.names[-1] == STDIN


def test_home_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert expand_inputs(["~/img1.jpg"]).names == [str(folder / "img1.jpg")]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("none.png", "none.png: no such file or folder"),
        ("*.bmp", "matches no file"),
        ("empty", "empty holds no pictures"),
    ],
)
def test_what_stands_for_nothing(
    argument: str, words: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ImageReadError, match=words):
        expand_inputs([argument])


def test_a_missing_file_among_others_fails_in_its_turn(folder: Path) -> None:
    (folder / "empty").mkdir()
    missing = [str(folder / "none.png"), f"{folder}/*.bmp", str(folder / "empty")]
    found = expand_inputs([str(folder / "img1.jpg"), *missing])
    assert names(found) == ["img1.jpg", "none.png", "*.bmp", "empty"]
    assert list(found.missing) == missing
    assert [Path(name).name for name in found.present] == ["img1.jpg"]


def test_recursive_takes_the_sub_folders_too(folder: Path) -> None:
    (folder / "sub" / ".git").mkdir()
    (folder / "sub" / ".git" / "no.png").touch()
    found = expand_inputs([str(folder)], recursive=True)
    assert names(found) == ["img1.jpg", "img2.PNG", "img10.png", "deep.tif"]


def test_a_folder_of_folders_names_the_option_that_reads_it(folder: Path) -> None:
    (folder / "outer").mkdir()
    (folder / "sub").rename(folder / "outer" / "sub")
    with pytest.raises(ImageReadError, match="outer holds no pictures; add --recursive"):
        expand_inputs([str(folder / "outer")])
    assert names(expand_inputs([str(folder / "outer")], recursive=True)) == ["deep.tif"]


def _by_number(name: str) -> list[tuple[int, int, str]]:
    parts = re.split("([0-9]+)", name)  # text, number, text, ...
    letters = [[(ord(c) + 1, 0, "") for c in text] for text in parts[::2]]
    numbers = [[(1, int(digits), "")] for digits in parts[1::2]] + [[]]
    mixed = [part for pair in zip(letters, numbers, strict=True) for both in pair for part in both]
    return [*mixed, (0, 0, name)]


@given(
    st.lists(st.text("a019", max_size=4), unique=True, max_size=8)
    | st.lists(st.text("019", min_size=3, max_size=3).map("a{}b".format), unique=True)
)
def test_names_are_sorted_by_the_numbers_in_them(names: list[str]) -> None:
    assert Inputs(names).shard("1/1").names == sorted(names, key=_by_number)


def test_natural_order_compares_numbers_not_digits() -> None:
    shuffled = ["b2", "a10", "a9", "a", "a9b", "10", "9"]
    assert sorted(shuffled, key=natural_key) == [
        "9",
        "10",
        "a",
        "a9",
        "a9b",
        "a10",
        "b2",
    ]
