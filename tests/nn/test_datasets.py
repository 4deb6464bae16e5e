"""Data sets: where they are found, how they are read, and what is said when they are not."""

import gzip
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.config import MNIST_MEAN, Preprocessing
from cnncli.errors import DataError
from cnncli.images import Picture, write_picture
from cnncli.nn import datasets, sources
from cnncli.nn.datasets import open_data
from cnncli.nn.digits import load_digits
from cnncli.nn.download import reachable
from tests.nn.test_idx import idx


def write_idx(
    folder: Path, prefix: str = "", *, test: bool = True, packed: bool = False, labels: int = 2
) -> None:
    """Write 40 training and 10 test pictures of classes that are bright on the left, or right."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 10)) if test else (("train", 40),):
        classes = np.arange(count) % labels
        pictures = draw.integers(0, 50, (count, 28, 28))
        for picture, label in zip(pictures, classes, strict=True):
            picture[:, 14 * (label % 2) : 14 * (label % 2) + 14] += 150
        for what, array in (("images-idx3", pictures), ("labels-idx1", classes)):
            data = idx(array)
            path = folder / f"{prefix}{part}-{what}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.nn.download.reachable", lambda _addresses: False)


@pytest.fixture
def any_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept drawn files as MNIST."""
    source = replace(sources.SOURCES["mnist"], md5={})
    monkeypatch.setitem(sources.SOURCES, "mnist", source)


@pytest.mark.usefixtures("any_mnist", "no_network")
@pytest.mark.parametrize("place", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_mnist_is_found_in_its_places(place: str, packed: bool, tmp_path: Path) -> None:
    write_idx(tmp_path / place, packed=packed)
    found = open_data("mnist", tmp_path)
    assert found.train.images.shape == (40, 1, 28, 28)
    assert found.train.images.dtype == torch.uint8
    assert len(found.load_test()) == 10
    assert found.preprocessing == Preprocessing()
    assert found.classes == tuple("0123456789")


@pytest.mark.usefixtures("no_network")
def test_files_of_another_content_are_not_taken_for_mnist(tmp_path: Path) -> None:
    write_idx(tmp_path)
    with pytest.raises(DataError, match=r"not the original file of MNIST.*remove it"):
        open_data("mnist", tmp_path)


def test_the_known_md5_are_those_of_the_real_files(mnist_folder: Path) -> None:
    for name, md5 in sources.SOURCES["mnist"].md5.items():
        data = gzip.decompress((mnist_folder / f"{name}.gz").read_bytes())
        assert hashlib.md5(data).hexdigest() == md5


@pytest.mark.usefixtures("no_network")
def test_mnist_asked_for_and_missing_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_data("mnist", tmp_path)
    assert str(tmp_path / "MNIST" / "raw") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_nothing_asked_for_and_nothing_there_trains_on_digits(tmp_path: Path) -> None:
    found = open_data(None, tmp_path)
    assert found.name == "digits"
    assert "1,797 digits instead" in found.notices[0]


def test_names_that_mean_nothing_are_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--data nonsense is neither.*mnist, fashion-mnist"):
        open_data("nonsense", tmp_path)


@pytest.mark.usefixtures("no_network")
def test_emnist_is_turned_upright(tmp_path: Path) -> None:
    write_idx(tmp_path / "emnist-digits", "emnist-digits-")
    upright = open_data("emnist-digits", tmp_path).train.images[0, 0]
    # The files say bright on the left; mirrored at the diagonal that is bright at the top.
    assert float(upright[:14].float().mean()) > 3 * float(upright[14:].float().mean())


@pytest.mark.usefixtures("no_network")
def test_fashion_has_its_own_names_and_numbers(tmp_path: Path) -> None:
    write_idx(tmp_path / "FashionMNIST" / "raw")
    found = open_data("fashion-mnist", tmp_path)
    assert found.classes[9] == "ankle boot"
    assert found.style == "photo"
    pixels = found.train.images.double() / 255
    assert found.preprocessing.mean[0] == pytest.approx(float(pixels.mean()), abs=1e-4)
    assert found.preprocessing.std[0] == pytest.approx(float(pixels.std()), abs=1e-3)


def test_an_idx_folder_with_and_without_test_part(tmp_path: Path) -> None:
    write_idx(tmp_path / "both")
    write_idx(tmp_path / "train-only", test=False)
    assert len(open_data(str(tmp_path / "both"), tmp_path).load_test()) == 10
    alone = open_data(str(tmp_path / "train-only"), tmp_path)
    assert (len(alone.train), len(alone.load_test())) == (32, 8)
    assert "held out" in alone.notices[0]


def test_pictures_and_labels_must_belong_together(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(39)))
    with pytest.raises(DataError, match="do not belong together"):
        open_data(str(tmp_path), tmp_path)


def test_digits_lie_as_mnists_do() -> None:
    digits = load_digits()
    assert digits.images.shape == (1797, 1, 28, 28)
    assert torch.bincount(digits.labels).min() > 170
    mass = digits.images[:, 0].double()
    total = mass.sum((1, 2))
    rows = (mass.sum(2) * torch.arange(28)).sum(1) / total
    columns = (mass.sum(1) * torch.arange(28)).sum(1) / total
    assert float((rows - 14).abs().max()) < 0.5
    assert float((columns - 14).abs().max()) < 0.5
    ink = mass > 64
    height, width = (ink.any(axis).sum(1) for axis in (2, 1))
    longest = torch.maximum(height, width).double()
    assert 19 < float(longest.mean()) < 21
    # Statistics like MNIST's, so that its preprocessing fits.
    assert float(mass.mean()) / 255 == pytest.approx(MNIST_MEAN, abs=0.05)


def test_validation_is_held_out_once_and_by_seed() -> None:
    data = open_data("digits", Path())
    first, other = data.split_validation(0.1, 0), data.split_validation(0.1, 1)
    assert first.validation is not None
    assert other.validation is not None
    assert len(first.train) + len(first.validation) == len(data.train)
    assert not torch.equal(first.validation.images, other.validation.images)
    assert torch.equal(data.load_test().images, first.load_test().images)
    again = first.split_validation(0.5, 9)
    assert again.validation is first.validation


def test_a_limit_is_spread_over_the_classes() -> None:
    data = open_data("digits", Path()).split_validation(0.1, 0, limit=100)
    assert data.validation is not None
    counts = torch.bincount(torch.cat([data.train.labels, data.validation.labels]))
    assert int(counts.sum()) == pytest.approx(100, abs=5)
    assert int(counts.min()) >= 9


def picture_folder(root: Path, parts: dict[str, int], *, colour: bool = True) -> Path:
    """Write folders of 12x12 pictures, class ``bright`` and class ``dark``."""
    draw = np.random.default_rng(0)
    for part, count in parts.items():
        for name, level in (("bright10", 180), ("dark2", 20)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                shape = (12, 12, 3) if colour else (12, 12)
                pixels = (draw.integers(0, 60, shape) + level).astype(np.uint8)
                write_picture(folder / f"{index}.png", Picture(pixels))
    return root


def test_class_folders_with_all_parts(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 6, "val": 2, "test": 3})
    found = open_data(str(folder), tmp_path)
    assert found.classes == ("bright10", "dark2")
    assert found.validation is not None
    assert (len(found.train), len(found.validation), len(found.load_test())) == (12, 4, 6)
    assert found.train.images.shape == (12, 3, 12, 12)
    assert found.style == "photo"
    bright = found.train.images[found.train.labels == 0]
    assert float(bright.float().mean()) > 150


def test_class_folders_without_parts_hold_out_a_test(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {".": 10}, colour=False)
    found = open_data(str(folder), tmp_path)
    assert found.train.images.shape == (16, 1, 12, 12)
    assert len(found.load_test()) == 4
    assert found.style == "digit"  # grey pictures may be letters: never mirrored


def test_natural_order_of_classes(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for index in range(4):
            write_picture(folder / f"{index}.png", Picture(np.full((8, 8), 9, np.uint8)))
    assert open_data(str(tmp_path / "data"), tmp_path).classes == ("1", "9", "10")


def test_what_cannot_be_used_is_named_and_skipped(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 5})
    (folder / "train" / "empty").mkdir()
    (folder / "train" / ".hidden").mkdir()
    (folder / "train" / "dark2" / "broken.png").write_text("no picture")
    found = open_data(str(folder), tmp_path)
    said = "\n".join(found.notices)
    assert "class empty has no pictures" in said
    assert "hidden folder .hidden" in said
    assert "broken.png" in said
    assert len(found.train) + len(found.load_test()) == 10
    with pytest.raises(DataError, match="--strict: class empty"):
        open_data(str(folder), tmp_path, strict=True)


def test_a_folder_with_one_class_is_refused(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", {"train": 2})
    for path in (folder / "train" / "dark2").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"1 class \(bright10\); a classifier needs two"):
        open_data(str(folder), tmp_path)


def test_a_large_folder_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.nn.cache.MIN_PICTURES", 4)
    folder = picture_folder(tmp_path / "pictures", {"train": 5, "test": 2})
    (folder / "train" / "dark2" / "broken.png").write_text("no picture")
    first = open_data(str(folder), tmp_path / "data")
    decoded: list[Path] = []
    real = datasets.folders.read_part
    monkeypatch.setattr(
        "cnncli.nn.folders.read_part", lambda *args: decoded.append(folder) or real(*args)
    )
    again = open_data(str(folder), tmp_path / "data")
    assert decoded == []
    assert torch.equal(first.train.images, again.train.images)
    assert torch.equal(first.train.labels, again.train.labels)
    assert first.notices == again.notices
    write_picture(folder / "train" / "dark2" / "0.png", Picture(np.full((12, 12, 3), 7, np.uint8)))
    changed = open_data(str(folder), tmp_path / "data")
    assert len(decoded) == 1
    assert not torch.equal(first.train.images, changed.train.images)
    for path in (tmp_path / "data" / "cache").glob("*.npy"):
        path.write_bytes(b"damaged")
    assert len(open_data(str(folder), tmp_path / "data").train) == 10
    assert len(decoded) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnncli.nn.cache.MIN_PICTURES", 4)
    folder = picture_folder(tmp_path / "pictures", {"train": 5, "test": 2})
    (tmp_path / "data").write_text("a file where the data folder should be")
    assert len(open_data(str(folder), tmp_path / "data").train) == 10


def test_a_network_that_does_not_answer_is_given_up_soon() -> None:
    start = time.perf_counter()
    # Nothing listens on port 9 of this machine; .invalid never resolves.
    assert not reachable(["http://127.0.0.1:9/", "http://cnncli.invalid/"], seconds=2)
    assert time.perf_counter() - start < 4


def test_the_names_are_those_that_open(tmp_path: Path) -> None:
    assert {"mnist", "fashion-mnist", "kmnist", "emnist-digits", "digits"} <= set(datasets.NAMES)
    assert open_data("digits", tmp_path).name == "digits"
