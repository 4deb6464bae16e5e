"""Sorting never loses a file, never overwrites one and leaves nothing half-written."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cnncli.batch.sinks import class_folder, put
from cnncli.resources import sample_image
from tests.conftest import CliRunner

SEVEN = sample_image("digit-7-pen.jpg")


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"new" * 1000)
    return tmp_path / "in" / "a.png"


@pytest.mark.parametrize("move", [False, True])
def test_a_name_that_is_taken_gets_a_number(source: Path, tmp_path: Path, move: bool) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"old")
    (folder / "a-2.png").write_bytes(b"older")
    assert put(source, folder, move=move) == folder / "a-3.png"
    assert tree(folder) == {"a.png": b"old", "a-2.png": b"older", "a-3.png": b"new" * 1000}
    assert source.exists() is not move


def test_a_second_run_copies_nothing_twice(source: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert put(source, tmp_path / "7", move=False) == tmp_path / "7" / "a.png"
    assert list(tree(tmp_path / "7")) == ["a.png"]


def test_a_file_that_is_there_already_stays(source: Path) -> None:
    assert put(source, source.parent, move=True) == source
    assert source.exists()


@pytest.mark.parametrize("move", [False, True])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_half_way_loses_nothing(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    move: bool,
) -> None:
    def half_way(original: object, copy: object, _length: int) -> None:
        copy.write(original.read(100))  # type: ignore[attr-defined]
        raise failure

    def other_disk(_source: Path, _target: Path) -> Path:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(shutil, "copyfileobj", half_way)
    if move:
        monkeypatch.setattr(Path, "replace", other_disk)
    with pytest.raises(type(failure)):
        put(source, tmp_path / "7", move=move)
    assert tree(tmp_path) == {"in/a.png": b"new" * 1000}


def test_moving_to_another_disk_copies_first(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.replace

    def other_disk(self: Path, target: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", other_disk)
    put(source, tmp_path / "7", move=True)
    assert tree(tmp_path) == {"7/a.png": b"new" * 1000}


@pytest.mark.parametrize("label", ["../../7", "/etc", "..", "a/b", "", "C:\\x", "\x1b[31m"])
def test_a_class_cannot_lead_out_of_the_folder(tmp_path: Path, label: str) -> None:
    assert class_folder(tmp_path, label).resolve().parent == tmp_path.resolve()


def test_the_command_sorts_what_it_can_read(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("seven.jpg", "same.jpg"):
        (tmp_path / "in" / name).write_bytes(SEVEN.read_bytes())
    (tmp_path / "in" / "broken.png").write_text("no picture")
    done = cli("predict", "in", "--sort-into", "out", "--move", "--json", "-q")
    assert done.returncode == 3
    assert sorted(tree(tmp_path)) == ["in/broken.png", "out/7/same.jpg", "out/7/seven.jpg"]


def test_the_command_survives_a_full_disk(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("file size limits are POSIX")
    import resource
    import sys

    (tmp_path / "in").mkdir()
    for index in range(3):
        (tmp_path / "in" / f"{index}.jpg").write_bytes(SEVEN.read_bytes())
    before = tree(tmp_path)

    def limit() -> None:  # a file larger than this cannot be written
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [
        sys.executable,
        "-m",
        "cnncli",
        "predict",
        "in",
        "--sort-into",
        "out",
        "--json",
        "-q",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit, check=False
    )
    assert done.returncode == 1
    assert "all 3 pictures failed" in done.stderr or "3 of 3" in done.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--move"], "goes with --sort-into"),
        (["-", "--sort-into", "x"], "stdin is no file to sort"),
    ],
)
def test_wrong_wishes(cli: CliRunner, arguments: list[str], says: str) -> None:
    done = cli("predict", SEVEN, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
