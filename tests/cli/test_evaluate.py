"""``cnncli evaluate``, run for real."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.config import ModelConfig
from cnncli.resources import sample_image, shipped_weights
from tests.cli.conftest import pixels
from tests.cli.test_summary import random_checkpoint
from tests.conftest import CliRunner
from tests.nn.test_datasets import write_idx

pytestmark = pytest.mark.skipif(not shipped_weights().exists(), reason="no shipped weights")
KEYS = ["accuracy", "interval", "n", "loss", "ece", "per_class", "confusion"]


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A folder of the sample digits by class, one of them put into the wrong one."""
    folder = tmp_path / "labelled"
    for file in sorted(sample_image("scene.png").parent.glob("digit-*")):
        label = "3" if file.name == "digit-8-squared.jpg" else file.name.split("-")[1]
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_folder_is_measured_whole(cli: CliRunner, labelled: Path) -> None:
    done = cli("evaluate", "--data", labelled, "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert [key for key in record if key != "data"] == KEYS
    assert record["n"] == 13
    assert record["accuracy"] == pytest.approx(12 / 13)
    assert record["interval"][0] < 12 / 13 < record["interval"][1]
    assert np.array(record["confusion"])[3, 8] == 1
    assert np.array(record["confusion"]).shape == (10, 10)
    three = record["per_class"][3]
    assert three["recall"] == pytest.approx(2 / 3)
    assert (three["label"], three["support"]) == ("3", 3)
    assert record["per_class"][8]["recall"] is None


def test_a_folder_of_idx_files_may_hold_folders_too(cli: CliRunner, tmp_path: Path) -> None:
    """Such as the cache, where the data folder is the one with the files."""
    write_idx(tmp_path / "idx", labels=10)
    (tmp_path / "idx" / "cache").mkdir()
    done = cli("evaluate", "--data", tmp_path / "idx", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 10


def test_tables_and_pictures(cli: CliRunner, labelled: Path, tmp_path: Path) -> None:
    pictures = ["--confusion", "c.png", "--mistakes", "m.png"]
    done = cli("evaluate", "--data", labelled, *pictures)
    assert done.returncode == 0, done.stderr
    assert "accuracy 92.31%" in done.stdout
    assert "1 of 13 wrong" in done.stdout
    assert "precision" in done.stdout
    for name in ("c.png", "m.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 90
            assert np.asarray(picture.convert("L")).std() > 5


def test_csv_has_one_row_a_class(cli: CliRunner, labelled: Path) -> None:
    done = cli("evaluate", "--data", labelled, "--csv", "-q")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["label"] for row in rows] == list("0123456789")
    assert rows[2] == {
        "label": "2",
        "precision": "1.0",
        "recall": "1.0",
        "f1": "1.0",
        "support": "2",
    }


def test_the_test_part_of_a_data_set(cli: CliRunner) -> None:
    record = json.loads(cli("evaluate", "--data", "digits", "--json").stdout)
    assert record["n"] == 359
    assert record["accuracy"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--data", "nothing-here"], 1, "neither a folder nor a data set"),
        (["--csv", "--json"], 2, "exclude each other"),
        (["--weights", "none.safetensors"], 1, "do not exist"),
    ],
)
def test_wrong_wishes_are_one_line(
    cli: CliRunner, arguments: list[str], code: int, says: str
) -> None:
    done = cli("evaluate", *arguments, "-q")
    assert done.returncode == code
    [line] = done.stderr.splitlines()
    assert says in line


def test_the_pixel_limit_holds_for_labelled_pictures_too(cli: CliRunner, labelled: Path) -> None:
    small = [p for p in labelled.rglob("*.*") if pixels(p).shape[:2] == (28, 28)]
    done = cli("evaluate", "--data", labelled, "--json", "--max-pixels", "784")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["n"] == len(small) < 13
    assert done.stderr.count("raise it with --max-pixels") == 13 - len(small)


def test_classes_that_the_network_does_not_know(cli: CliRunner, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (30, 30), 9).save(tmp_path / "pets" / name / "a.png")
    done = cli("evaluate", "--data", "pets", "-q")
    assert done.returncode == 1
    assert "cat, dog" in done.stderr


@pytest.mark.slow
def test_the_shipped_weights_on_mnist(cli: CliRunner, mnist_folder: Path) -> None:
    record = json.loads(cli("evaluate", "--data", mnist_folder, "--json").stdout)
    assert record["n"] == 10_000
    assert record["accuracy"] >= 0.99
    assert record["ece"] <= 0.005


def test_the_report_shows_the_figures_of_json(
    cli: CliRunner, labelled: Path, tmp_path: Path
) -> None:
    (tmp_path / "w.safetensors").write_bytes(shipped_weights().read_bytes())
    (tmp_path / "w.history.csv").write_text(
        "epoch,train_loss,val_loss,train_accuracy,val_accuracy\n1,0.9,0.8,0.7,0.75\n"
        "2,0.5,0.4,0.8,0.85\n"
    )
    done = cli(
        "evaluate", "-w", "w.safetensors", "--data", labelled, "--json", "--report", "r.html"
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    page = (tmp_path / "r.html").read_text("utf-8")
    figures = re.findall(r"<dd>(.*?)<small>(.*?)</small>", page)
    low, high = (f"{100 * bound:.2f}" for bound in record["interval"])
    assert figures[0] == (f"{100 * record['accuracy']:.2f} %", f"95 %: {low} to {high} %")
    assert figures[1] == ("1", "of 13")
    assert figures[2][0] == f"{record['loss']:.4f}"
    assert figures[3][0] == f"{record['ece']:.4f}"
    confusion = re.search(r'<table class="confusion">.*?</table>', page, re.DOTALL)
    assert confusion is not None
    rows = re.findall(r'<td class="\w+"[^>]*>([\d·]+)</td>', confusion[0])
    assert [int(cell.replace("·", "0")) for cell in rows] == np.ravel(record["confusion"]).tolist()
    for row in record["per_class"]:
        cells = [row["recall"], row["precision"], row["f1"]]
        for cell in cells:
            assert "data-value=" in page
            assert cell is None or f'data-value="{cell}"' in page
    assert "training ends at 0.5, validation at 0.4" in page
    assert page.count("taken for <b>") == 1
    assert "evaluate -w w.safetensors" in page
    assert not re.search(r"(src|href)=.(?!data:)", page)


def test_names_of_classes_are_text_in_the_report(cli: CliRunner, tmp_path: Path) -> None:
    config = ModelConfig("simple", 1, 8, 8, 2)
    random_checkpoint(tmp_path / "w.safetensors", config, data="<b>bold</b>")
    checkpoint = read_checkpoint(tmp_path / "w.safetensors")
    names = ("<script>alert(1)<", "b")
    write_checkpoint(tmp_path / "w.safetensors", replace(checkpoint, classes=names))
    for name in names:
        (tmp_path / "d" / name).mkdir(parents=True)
        Image.new("L", (8, 8), 90).save(tmp_path / "d" / name / "a.png")
    done = cli("evaluate", "-w", "w.safetensors", "--data", "d", "--report", "r.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 1
    assert "<b>bold" not in page
