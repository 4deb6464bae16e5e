"""``cnncli features``: every number against torch's forward hooks, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnncli.checkpoint import read_checkpoint, write_checkpoint
from cnncli.config import ModelConfig
from cnncli.images import read_picture
from cnncli.inference.engine import load_engine
from cnncli.interpret.feature_maps import activations, convolve_maps
from cnncli.nn.state_dict import load_network
from cnncli.ops import correlate2d
from cnncli.resources import sample_image, shipped_weights
from tests.cli.test_summary import SIZES, random_checkpoint
from tests.conftest import CliRunner

DIGIT = sample_image("digit-7-pen.jpg")
STEPS = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "fc1", "relu3", "fc2")
STEPS_OF_VIEWS = (*STEPS[:-1], "mean", "fc2")


class LessonsNetwork(nn.Module):
    """The lesson's forward pass as the lesson writes it: ReLU, then pooling, each with a name."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        flat = 32 * (config.height // 4) * (config.width // 4)
        self.conv1 = nn.Conv2d(config.in_channels, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(flat, 128), nn.Linear(128, config.num_classes)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)
        self.mean = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x)))
        hidden = self.relu3(self.fc1(torch.flatten(x, 1)))
        return self.fc2(self.mean(hidden.mean(0, keepdim=True)))  # over views of one picture


def hooked(weights: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return what torch's forward hooks see at every step of the lesson's network."""
    checkpoint = read_checkpoint(weights)
    network = LessonsNetwork(checkpoint.model).eval()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in checkpoint.tensors.items()})
    seen: dict[str, np.ndarray] = {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _m, _i, out, name=name: seen.__setitem__(name, out[0].detach().numpy())
        )
    views = [image]
    if checkpoint.model.moved:
        framed = np.pad(image, ((0, 0), (1, 1), (1, 1)), "edge")
        views += [framed[:, :-2, 2:], framed[:, 2:, :-2]]
    with torch.inference_mode():
        network(torch.from_numpy(np.stack(views)))
    return seen


@pytest.mark.parametrize("config", SIZES, ids=str)
def test_every_step_equals_torchs_hooks(config: ModelConfig, tmp_path: Path) -> None:
    weights = random_checkpoint(tmp_path / "w.safetensors", config)
    rng = np.random.default_rng(3)
    image = rng.normal(size=(config.in_channels, config.height, config.width)).astype(np.float32)
    checkpoint = read_checkpoint(weights)
    stages = {stage.name: stage.values for stage in activations(checkpoint, image)}
    torchs = hooked(weights, image)
    assert list(stages) == ["input", *STEPS, "probabilities"]
    for name in STEPS:
        np.testing.assert_allclose(stages[name], torchs[name], rtol=0, atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(stages["input"], image)
    for engine in ("numpy", "torch"):
        shares = load_engine(checkpoint, engine).probabilities(image[None])[0]
        np.testing.assert_allclose(stages["probabilities"], shares, rtol=0, atol=1e-6)


def test_the_written_numbers_of_a_real_picture_equal_torchs_hooks(
    cli: CliRunner, tmp_path: Path
) -> None:
    run = cli("features", DIGIT, "-o", "maps.png", "--npz", "maps.npz", "--json")
    assert run.returncode == 0, run.stderr
    arrays = np.load(tmp_path / "maps.npz")
    torchs = hooked(shipped_weights(), arrays["input"])
    for name in STEPS_OF_VIEWS:
        np.testing.assert_allclose(arrays[name], torchs[name], rtol=0, atol=1e-5, err_msg=name)
    record = json.loads(run.stdout)
    assert [layer["name"] for layer in record["layers"]] == [*STEPS_OF_VIEWS, "probabilities"]
    assert record["label"] == "7" == str(arrays["probabilities"].argmax())
    assert record["confidence"] == pytest.approx(arrays["probabilities"].max())
    assert record["layers"][1]["zeros"] == pytest.approx((arrays["relu1"] == 0).mean())


def test_other_networks_are_seen_through_torch(cli: CliRunner, tmp_path: Path) -> None:
    config = ModelConfig("deep", 3, 32, 32, 4)
    weights = random_checkpoint(tmp_path / "w.safetensors", config)
    run = cli("features", sample_image("scene.png"), "-w", weights, "--npz", "n.npz", "-o", "x.png")
    assert run.returncode == 0, run.stderr
    arrays = np.load(tmp_path / "n.npz")
    network = load_network(read_checkpoint(weights))
    names = ["whiten", *(f"groups.{i}" for i in range(6)), "head"]
    assert list(arrays) == ["input", *names, "probabilities"]
    with torch.inference_mode():
        x = torch.from_numpy(arrays["input"])[None]
        for name in names[:-1]:  # the parts are called one after another, but for the last maximum
            x = network.get_submodule(name)(x)
            x = torch.nn.functional.gelu(x) if name == "whiten" else x
            np.testing.assert_allclose(arrays[name], x[0].numpy(), rtol=0, atol=1e-5)
        scores = network.get_submodule("head")(x.amax((2, 3)) / 9)[0]
    np.testing.assert_allclose(arrays["head"], scores.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(arrays["probabilities"], scores.softmax(0).numpy(), atol=1e-6)


def test_weights_that_overflow_are_told(cli: CliRunner, tmp_path: Path) -> None:
    weights = random_checkpoint(tmp_path / "w.safetensors", SIZES[0])
    huge = read_checkpoint(weights)
    huge.tensors["conv1.weight"] = huge.tensors["conv1.weight"] * np.float32(1e38)
    huge.tensors["conv2.weight"] = huge.tensors["conv2.weight"] * np.float32(1e38)
    write_checkpoint(weights, huge)
    run = cli("features", DIGIT, "-w", weights, "-o", "x.png", "-q")
    assert run.returncode == 1
    assert run.stderr.startswith(
        f"error: {weights} is not a usable weights file: some weights are "
    )
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_a_convolution_adds_up_correlations_by_hand() -> None:
    maps = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    kernels = np.zeros((1, 2, 3, 3), np.float32)
    kernels[0, 0, 1, 2], kernels[0, 1, 0, 1] = 2, -1  # the pixel to the right, less the one above
    out = convolve_maps(maps, kernels, np.array([10], np.float32))
    # Row 1: 2 * (4, 5, outside) - (9, 10, 11) + 10
    assert out[0, 1].tolist() == [9, 10, -1]
    summed = sum(
        correlate2d(m, k, border="constant:0") for m, k in zip(maps, kernels[0], strict=True)
    )
    np.testing.assert_allclose(out[0], summed + 10, atol=1e-6)


def test_the_sheet_lies_beside_the_picture_as_png(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(DIGIT.read_bytes())
    run = cli("features", "mine.jpg")
    assert run.stdout == "mine_features.png: 7 with " + run.stdout.rpartition(" ")[2]
    assert "weights" in run.stderr
    assert read_picture(tmp_path / "mine_features.png").info["format"] == "PNG"
    before = (tmp_path / "mine.jpg").read_bytes()
    assert before == DIGIT.read_bytes()


def test_one_layer_with_its_kernels_is_drawn_large(cli: CliRunner, tmp_path: Path) -> None:
    cli("features", DIGIT, "--layer", "conv1", "-o", "plain.png", "-q")
    run = cli("features", DIGIT, "--layer", "conv1", "--kernels", "-o", "kernels.png", "-q")
    assert run.returncode == 0
    assert run.stderr == ""
    plain, with_kernels = (
        read_picture(tmp_path / name).pixels for name in ("plain.png", "kernels.png")
    )
    assert with_kernels.shape[0] > plain.shape[0]
    assert with_kernels.shape[1] == plain.shape[1]


def test_unknown_layers_are_named(cli: CliRunner) -> None:
    run = cli("features", DIGIT, "--layer", "conv3", "-o", "x.png", "-q")
    assert run.returncode == 2
    assert run.stderr == (
        "error: layer 'conv3' is unknown; this network has input, conv1, relu1, pool1, conv2, "
        "relu2, pool2, fc1, relu3, mean, fc2, probabilities\n"
    )


def test_the_picture_is_never_overwritten(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mine.png").write_bytes(sample_image("digit-1-28x28.png").read_bytes())
    run = cli("features", "mine.png", "-o", "mine.png", "-q")
    assert run.returncode == 1
    assert "is an input" in run.stderr
    assert (tmp_path / "mine.png").read_bytes() == sample_image("digit-1-28x28.png").read_bytes()


def test_stdin_to_stdout(cli: CliRunner) -> None:
    run = cli("features", "-", "-o", "-", stdin=DIGIT.read_bytes(), text=False)
    assert run.returncode == 0
    assert run.stdout.startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_show_draws_every_map_of_one_layer(cli: CliRunner) -> None:
    run = cli("features", DIGIT, "--layer", "pool1", "-o", "x.png", "--show", "-q")
    assert "16 maps of 14x14" in run.stdout
    titles = [line.split() for line in run.stdout.splitlines() if set(line) <= set("0123456789 ")]
    numbers = [int(title) for line in titles for title in line]
    assert numbers == list(range(16))


def test_colour_pictures_and_other_sizes_are_drawn(cli: CliRunner, tmp_path: Path) -> None:
    weights = random_checkpoint(tmp_path / "w.safetensors", SIZES[1])
    run = cli("features", sample_image("scene.png"), "-w", weights, "--kernels", "-o", "x.png")
    assert run.returncode == 0, run.stderr
    assert "class " in run.stdout
