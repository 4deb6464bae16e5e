"""Kernels from files and from checkpoints."""

from pathlib import Path

import numpy as np
import pytest

from cnncli.checkpoint import Checkpoint, write_checkpoint
from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import CheckpointError, KernelError
from cnncli.kernel_files import LearnedKernel, convolution_layers, read_kernel_file
from tests.networks import tensor_shapes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "-1 0 1\n-2 0 2\n-1 0 1\n"),
        ("k.csv", "-1,0,1\n-2,0,2\n-1,0,1\n"),
        ("k.json", "[[-1,0,1],[-2,0,2],[-1,0,1]]"),
    ],
)
def test_text_formats(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert read_kernel_file(tmp_path / name).weights.tolist() == [
        [-1, 0, 1],
        [-2, 0, 2],
        [-1, 0, 1],
    ]


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([[0.5, -0.5]]))
    assert read_kernel_file(tmp_path / "k.npy").weights.tolist() == [[0.5, -0.5]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("k.txt", b"1 2\n3\n", r"k.txt: kernel rows have different lengths \[2, 1\]"),
        ("k.xml", b"<k/>", r"k.xml: kernel files of type '.xml' are unknown"),
        ("k.npy", b"no array", "k.npy: kernel file is not a .npy array"),
    ],
)
def test_broken_files_are_named(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(KernelError, match=words):
        read_kernel_file(tmp_path / name)


def test_missing_and_oversized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        read_kernel_file(tmp_path / "none.txt")
    monkeypatch.setattr("cnncli.kernel_files.MAX_KERNEL_BYTES", 3)
    (tmp_path / "k.txt").write_text("1 2 3")
    with pytest.raises(KernelError, match="is it a kernel"):
        read_kernel_file(tmp_path / "k.txt")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("w.safetensors:conv1", ("w.safetensors", "conv1", None, None)),
        ("a/w.pt:conv2:3", ("a/w.pt", "conv2", 3, None)),
        ("C:\\w.pth:conv2:3:1", ("C:\\w.pth", "conv2", 3, 1)),
        ("w.safetensors:layer1.0.conv2:3", ("w.safetensors", "layer1.0.conv2", 3, None)),
    ],
)
def test_parse(text: str, expected: tuple[str, str, int | None, int | None]) -> None:
    learned = LearnedKernel.parse(text)
    assert learned is not None
    assert (str(learned.file), learned.layer, learned.output, learned.input) == expected


@pytest.mark.parametrize("text", ["sobel", "w.png:conv1", "w.safetensors", "w.safetensors:conv1:x"])
def test_other_texts_are_not_learned_kernels(text: str) -> None:
    assert LearnedKernel.parse(text) is None


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = ModelConfig()
    rng = np.random.default_rng(1)
    shapes = tensor_shapes(config)
    tensors = {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    classes = tuple("0123456789")
    write_checkpoint(path, Checkpoint(config, classes, Preprocessing(), tensors))
    return path


def test_one_learned_kernel(weights: Path) -> None:
    layers = convolution_layers(weights)
    assert {name: w.shape for name, w in layers.items()} == {
        "conv1": (16, 1, 3, 3),
        "conv2": (32, 16, 3, 3),
    }
    kernel = LearnedKernel(weights, "conv1", 3)
    assert (kernel.kernel().weights == layers["conv1"][3, 0]).all()
    assert kernel.kernel().name == "conv1_3"
    assert (LearnedKernel(weights, "conv2", 3, 5).kernel().weights == layers["conv2"][3, 5]).all()


@pytest.mark.parametrize(
    ("layer", "output", "channel", "words"),
    [
        ("conv9", 0, None, "has no convolution layer 'conv9'; it has conv1, conv2"),
        ("conv1", 16, None, "has no output channel 16; it has 0 to 15"),
        ("conv2", 0, 16, "has no input channel 16; it has 0 to 15"),
        ("conv2", 0, None, "has 16 input channels; name one"),
        ("conv1", None, None, "has 16 output channels; name one"),
    ],
)
def test_channels_that_are_not_there(
    layer: str, output: int | None, channel: int | None, words: str, weights: Path
) -> None:
    with pytest.raises(KernelError, match=words):
        LearnedKernel(weights, layer, output, channel).kernel()


def test_all_kernels_of_a_layer_by_name(weights: Path) -> None:
    layers = convolution_layers(weights)
    first = LearnedKernel(weights, "conv1").kernels()
    assert [each.name for each in first] == [f"conv1:{i}" for i in range(16)]
    assert all((k.weights == layers["conv1"][i, 0]).all() for i, k in enumerate(first))
    inputs = LearnedKernel(weights, "conv2", 3).kernels()
    assert [each.name for each in inputs] == [f"conv2:3:{i}" for i in range(16)]
    (one,) = LearnedKernel(weights, "conv2", 3, 5).kernels()
    assert one.name == "conv2_3_5"
    assert (one.weights == layers["conv2"][3, 5]).all()
    with pytest.raises(KernelError, match="32x16 kernels, more than a sheet's 64; name an output"):
        LearnedKernel(weights, "conv2").kernels()


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        LearnedKernel(tmp_path / "none.safetensors", "conv1", 0).kernel()
