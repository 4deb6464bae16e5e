"""``cnncli data`` run for real."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnncli.errors import DataError
from cnncli.images import Picture, write_picture
from cnncli.nn.cifar import CLASSES, FILES
from cnncli.nn.datasets import open_data
from tests.conftest import CliRunner


def test_the_list_says_what_is_here(cli: CliRunner, mnist_folder: Path) -> None:
    run = cli("data", "list", env={"CNNCLI_DATA": str(mnist_folder)})
    assert run.returncode == 0, run.stderr
    lines = {line.split()[0]: line for line in run.stdout.splitlines()}
    assert str(mnist_folder) in lines["mnist"]
    assert "cnncli data download kmnist" in lines["kmnist"]
    assert "scikit-learn" in lines["digits"]


def test_path_and_verify(cli: CliRunner, tmp_path: Path) -> None:
    assert cli("data", "path").stdout == f"{tmp_path / 'no-data'}\n"
    run = cli("data", "verify", "digits")
    assert run.stdout == "digits: 1,438 training and 359 test pictures of 10 classes, 28x28x1\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nonsense"], "data set 'nonsense' is unknown; name one of: mnist"),
        (["verify", "kmnist"], "kmnist is not here; fetch it with"),
        (["burn"], "burn"),
    ],
)
def test_what_makes_no_sense_is_usage(cli: CliRunner, arguments: list[str], message: str) -> None:
    run = cli("data", *arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.count("\n") == 1


def write_cifar(folder: Path, form: str) -> NDArray[np.uint8]:
    """Write 20 records a file, each a label and 3072 pixels, and return those of the test part."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    records = draw.integers(0, 256, (20, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(20) % 10
    for name in (name for names in FILES.values() for name in names):
        if form == "binary":
            records.tofile(folder / f"{name}.bin")
        else:
            batch = {
                b"batch_label": b"one",
                b"labels": records[:, 0].tolist(),
                b"data": records[:, 1:],
            }
            batch[b"filenames"] = [b"frog_1.png"] * 20
            (folder / name).write_bytes(pickle.dumps(batch, int(form[-1])))
    return records


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("binary", "cifar-10-batches-bin"),
        ("python c2", "cifar-10-batches-py"),
        ("python c4", "cifar10"),
        ("python f2", "."),
    ],
)
def test_cifar_is_read_from_its_batches(form: str, place: str, tmp_path: Path) -> None:
    records = write_cifar(tmp_path / place, form)
    found = open_data("cifar10", tmp_path)
    assert found.train.images.shape == (100, 3, 32, 32)
    assert found.classes[6] == "frog"
    test = found.load_test()
    assert test.labels.tolist() == records[:, 0].tolist()
    # The red plane comes first, row by row.
    assert torch.equal(test.images[3, 0, 0], torch.from_numpy(records[3, 1:33]))
    damaged = tmp_path / place / ("test_batch.bin" if form == "binary" else "test_batch")
    for content in (b"short", damaged.read_bytes()[:-1], b""):
        damaged.write_bytes(content)
        with pytest.raises(DataError, match=r"test_batch.* is no file of CIFAR-10"):
            found.load_test()


def test_cifar_is_read_from_folders_of_pictures(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 2)):
        for name in CLASSES:
            (tmp_path / "cifar10" / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = draw.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                write_picture(tmp_path / "cifar10" / part / name / f"{index}.png", Picture(pixels))
    found = open_data("cifar10", tmp_path)
    assert found.train.images.shape == (30, 3, 32, 32)
    assert found.train.labels.tolist() == [label for label in range(10) for _ in range(3)]
    assert torch.equal(found.load_test().images[-1], torch.from_numpy(pixels).permute(2, 0, 1))
