"""``cnncli data`` run for real."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cnncli.nn.cifar import FILES, read_cifar
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


def test_cifar_is_read_from_its_binary_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    records = draw.integers(0, 256, (20, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(20) % 10
    for names in FILES.values():
        for name in names:
            records.tofile(tmp_path / name)
    found = open_data("cifar10", tmp_path)
    assert found.train.images.shape == (100, 3, 32, 32)
    assert found.classes[6] == "frog"
    test = read_cifar(tmp_path, "test")
    assert test.labels.tolist() == records[:, 0].tolist()
    # The red plane comes first, row by row.
    assert torch.equal(test.images[3, 0, 0], torch.from_numpy(records[3, 1:33]))
    (tmp_path / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(Exception, match=r"test_batch\.bin is no file of CIFAR-10"):
        found.load_test()
