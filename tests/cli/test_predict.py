"""``cnncli predict``, run for real."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnncli.resources import sample_image, shipped_weights
from tests.conftest import CliRunner

FOLDER = sample_image("scene.png").parent
DIGITS = sorted(FOLDER.glob("digit-*"))
SEVEN = FOLDER / "digit-7-pen.jpg"
KEYS = ["path", "label", "index", "confidence", "top", "doubt", "warnings", "error"]

pytestmark = pytest.mark.skipif(not shipped_weights().exists(), reason="no shipped weights")


def records(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def assert_right(found: list[dict], files: list[Path]) -> None:
    assert [Path(record["path"]).name for record in found] == [file.name for file in files]
    for record, file in zip(found, files, strict=True):
        assert record["label"] == file.name.split("-")[1], record
        assert record["confidence"] > 0.9, record
        assert record["warnings"] == [], record


def test_all_samples_are_read_right(cli: CliRunner) -> None:
    done = cli("predict", *DIGITS, "--json")
    assert done.returncode == 0
    assert_right(records(done.stdout), DIGITS)
    assert "shipped with cnncli" in done.stderr


def turned(file: Path, folder: Path) -> Path:
    """Store a picture lying on its side, with the EXIF tag that puts it upright."""
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image)
    pixels = np.ascontiguousarray(np.rot90(np.asarray(upright)))
    side = Image.fromarray(pixels)
    if upright.mode == "P":
        side.putpalette(upright.getpalette() or [])
    exif = Image.Exif()
    exif[0x0112] = 6
    side.save(folder / file.name, exif=exif)
    return folder / file.name


def inverted(file: Path, folder: Path) -> Path:
    with Image.open(file) as image:
        plain = image.convert("RGB") if image.mode == "P" else ImageOps.exif_transpose(image)
        pixels = np.asarray(plain).copy()
    colour = pixels[..., :3] if pixels.ndim == 3 else pixels
    colour[...] = np.iinfo(pixels.dtype).max - colour
    Image.fromarray(pixels).save(folder / file.name)
    return folder / file.name


@pytest.mark.parametrize("change", [turned, inverted])
def test_turned_and_inverted_samples_are_read_right(cli: CliRunner, tmp_path: Path, change) -> None:
    files = [change(file, tmp_path) for file in DIGITS]
    done = cli("predict", *files, "--json")
    assert done.returncode == 0
    assert_right(records(done.stdout), files)


def test_json_has_its_keys(cli: CliRunner) -> None:
    done = cli("predict", SEVEN, "--json", "--top", "4")
    [record] = records(done.stdout)
    assert list(record) == KEYS
    assert [list(guess) for guess in record["top"]] == [["label", "index", "confidence"]] * 4
    assert record["top"][0] == {key: record[key] for key in ("label", "index", "confidence")}
    confidences = [guess["confidence"] for guess in record["top"]]
    assert confidences == sorted(confidences, reverse=True)


def test_both_engines_say_the_same(cli: CliRunner) -> None:
    ours, theirs = (
        records(cli("predict", *DIGITS[:5], "--json", "--engine", name).stdout)
        for name in ("numpy", "torch")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert one["label"] == other["label"]
        assert one["confidence"] == pytest.approx(other["confidence"], abs=1e-5)


def test_a_person_sees_picture_bars_and_label(cli: CliRunner) -> None:
    done = cli("predict", SEVEN)
    assert done.returncode == 0
    assert "digit-7-pen.jpg" in done.stdout
    assert "is 7" in done.stdout
    assert "%" in done.stdout
    assert done.stdout.count("\n") >= 10  # the small picture
    assert "weights:" in done.stderr
    assert "weights:" not in cli("predict", SEVEN, "-q").stderr


def test_csv_is_a_table(cli: CliRunner, tmp_path: Path) -> None:
    Image.new("L", (40, 40), 255).save(tmp_path / "a, b.png")
    done = cli("predict", SEVEN, tmp_path / "a, b.png", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows[0]["label"] == "7"
    assert rows[1]["path"].endswith("a, b.png")
    assert rows[1]["warnings"].startswith("blank")


def test_stdin_and_a_state_dict_of_the_lesson(cli: CliRunner, tmp_path: Path) -> None:
    import torch

    from cnncli.checkpoint import read_checkpoint

    tensors = read_checkpoint(shipped_weights()).tensors
    torch.save({name: torch.tensor(array) for name, array in tensors.items()}, tmp_path / "a.pt")
    done = cli(
        "predict", "-", "--json", "-w", tmp_path / "a.pt", stdin=SEVEN.read_bytes(), text=False
    )
    [record] = records(done.stdout.decode())
    assert (record["path"], record["label"]) == ("-", "7")
    assert record["doubt"] is None


def test_weights_are_taken_in_their_order(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    last = tmp_path / "weights" / "last.safetensors"
    last.write_bytes(shipped_weights().read_bytes())
    assert "your last training here" in cli("predict", SEVEN, "--json").stderr
    other = tmp_path / "other.safetensors"
    other.write_bytes(last.read_bytes())
    named = cli("predict", SEVEN, "--json", env={"CNNCLI_WEIGHTS": str(other)})
    assert "other.safetensors" in named.stderr


def test_unsure_is_unknown(cli: CliRunner, tmp_path: Path) -> None:
    Image.new("L", (40, 40), 255).save(tmp_path / "blank.png")
    done = cli("predict", tmp_path / "blank.png", "--json", "--min-confidence", "0.5")
    [record] = records(done.stdout)
    assert record["label"] == "unknown"
    assert record["index"] is None
    assert record["confidence"] == pytest.approx(0.1)


def test_what_was_seen_can_be_saved(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / SEVEN.name
    copy.write_bytes(SEVEN.read_bytes())
    cli("predict", SEVEN, copy, "--json", "--save-preprocessed", "seen")
    names = sorted(path.name for path in (tmp_path / "seen").iterdir())
    assert names == ["digit-7-pen_seen.png", "digit-7-pen_seen_2.png"]
    with Image.open(tmp_path / "seen" / names[0]) as seen:
        assert (seen.size, seen.mode) == ((28, 28), "L")
    again = cli("predict", tmp_path / "seen" / names[0], "--json")
    assert records(again.stdout)[0]["label"] == "7"


@pytest.fixture
def bad_files(tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.png" for name in ("text", "cut", "missing")}
    paths["text"].write_text("no picture")
    whole = (FOLDER / "digit-8-squared.jpg").read_bytes()
    paths["cut"].write_bytes((FOLDER / "scene.png").read_bytes()[: len(whole) // 4])
    (tmp_path / "empty").mkdir()
    return {**paths, "empty": tmp_path / "empty"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text", "is not a picture"),
        ("cut", "damaged or cut off"),
        ("missing", "no such file"),
        ("empty", "holds no pictures"),
    ],
)
def test_a_single_bad_input_is_one_line_and_exit_1(
    cli: CliRunner, bad_files: dict[str, Path], name: str, says: str
) -> None:
    done = cli("predict", bad_files[name], "-q")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(bad_files[name]) in line
    assert says in line
    assert ";" in line


def test_some_bad_inputs_are_named_and_exit_3(cli: CliRunner, bad_files: dict[str, Path]) -> None:
    done = cli("predict", bad_files["text"], SEVEN, bad_files["missing"], DIGITS[0], "--json", "-q")
    assert done.returncode == 3
    found = records(done.stdout)
    assert [record["label"] for record in found] == [None, "7", None, "0"]
    assert [record["error"] is None for record in found] == [False, True, False, True]
    for name in ("text", "missing"):
        assert str(bad_files[name]) in done.stderr
    assert "2 of 4" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--preprocess", "magic"], 2, "'magic' is not one of 'auto', 'digit', 'resize', 'none'"),
        (["--engine", "onnx"], 2, "'onnx' is not one of 'auto'"),
        (["--csv", "--json"], 2, "exclude each other"),
        (["--top", "0"], 2, "--top"),
        (["--min-confidence", "2"], 2, "--min-confidence"),
        (["--preprocess", "none"], 1, "640x800 pixels and the network takes 28x28"),
        (["--weights", "nothing.safetensors"], 1, "do not exist"),
        (["--weights", str(SEVEN)], 1, "not a safetensors file"),
    ],
)
def test_wrong_wishes_are_one_line(
    cli: CliRunner, arguments: list[str], code: int, says: str
) -> None:
    done = cli("predict", SEVEN, *arguments, "-q")
    assert done.returncode == code
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert says in line
