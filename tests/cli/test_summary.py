"""``cnncli summary``: the numbers against torch's own counts, and what it shows."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnncli.checkpoint import Checkpoint, write_checkpoint
from cnncli.config import ModelConfig, Preprocessing
from cnncli.nn.networks import build_network
from tests.conftest import CliRunner
from tests.networks import describe, tensor_shapes

SIZES = [
    ModelConfig(),
    ModelConfig(in_channels=3, height=32, width=32, num_classes=7),
    ModelConfig(height=30, width=17, num_classes=2),
]
DEEP = ModelConfig("deep", in_channels=3, height=56, width=56, num_classes=5)
TORCHVISIONS = [
    ModelConfig("resnet18", in_channels=3, height=47, width=33, num_classes=5),
    ModelConfig("mobilenet_v3_small", in_channels=1, height=40, width=65, num_classes=5),
]


def random_checkpoint(path: Path, config: ModelConfig, **card: object) -> Path:
    """Write a checkpoint of small random numbers."""
    rng = np.random.default_rng(5)
    tensors = {
        name: (np.abs if "running_var" in name else np.asarray)(
            rng.normal(0, 0.1, shape).astype(np.float32)
        )
        for name, shape in tensor_shapes(config).items()
    }
    half = (0.5,) * config.in_channels
    size = (config.height, config.width, config.in_channels)
    prepared = Preprocessing("resize", *size, mean=half, std=half)
    names = tuple(f"class {i}" for i in range(config.num_classes))
    write_checkpoint(path, Checkpoint(config, names, prepared, tensors, dict(card)))
    return path


@pytest.mark.parametrize("config", [*SIZES, DEEP, *TORCHVISIONS], ids=str)
def test_parameters_and_multiply_adds_equal_torchs_counts(config: ModelConfig) -> None:
    network, layers = build_network(config).eval(), describe(config)
    own = {name: p.numel() for name, p in network.named_parameters()}
    for layer in layers:
        assert layer.parameters == sum(own.get(name, 0) for name in layer.tensors)
    assert sum(layer.parameters for layer in layers) == sum(own.values())
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, config.in_channels, config.height, config.width))
    counts = counter.get_flop_counts()
    for layer in layers:
        if layer.tensors:  # a multiply-add is two floating-point operations
            flops = counts[f"{type(network).__name__}.{layer.name}"]
            assert 2 * layer.multiply_adds == sum(flops.values())
    assert 2 * sum(layer.multiply_adds for layer in layers) == counter.get_total_flops()


@pytest.mark.parametrize("config", [ModelConfig(), DEEP], ids=str)
def test_receptive_fields_are_what_a_change_of_one_pixel_reaches(config: ModelConfig) -> None:
    network = build_network(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.abs_().clamp_(min=0.01)  # more light in is more light out: nothing hides a pixel
    layers = [layer for layer in describe(config) if layer.part]
    middles: list[torch.Tensor] = []

    def note(_part: object, _in: object, out: torch.Tensor) -> None:
        middles.append(
            out[:, 0, out.shape[2] // 2, out.shape[3] // 2] if out.ndim == 4 else out[:, 0]
        )

    for name in {layer.name for layer in layers}:
        network.get_submodule(name).register_forward_hook(note)
    size = config.height  # a cross through the middle: fields are boxes around it
    batch = torch.zeros(2 * size + 1, config.in_channels, size, size)
    batch[1 : size + 1, 0, size // 2, :].fill_diagonal_(1000.0)
    batch[size + 1 :, 0, :, size // 2].fill_diagonal_(1000.0)
    network(batch)
    for layer, middle in zip(layers, middles, strict=True):
        across, down = (middle[1:] != middle[0]).view(2, size)
        for seen in (across, down):
            places = torch.nonzero(seen)
            assert len(places) == int(places.max() - places.min()) + 1  # no hole
            assert len(places) == (layer.receptive_field or size), layer.name


def test_the_receptive_fields_of_resnet18_are_where_gradients_reach() -> None:
    strip = ModelConfig("resnet18", in_channels=1, height=17, width=480, num_classes=2)
    network = build_network(strip).double().eval()
    for parameter in network.parameters():
        parameter.data.abs_()  # nothing cancels, and no ReLU hides a path
    network.maxpool = torch.nn.AvgPool2d(3, 2, padding=1)  # the same windows; all of each counts
    outputs: list[torch.Tensor] = []
    layers = [layer for layer in describe(strip) if len(layer.output) == 3]
    for layer in layers:
        part = network.get_submodule(layer.part or layer.name)
        part.register_forward_hook(lambda _part, _in, out: outputs.append(out.clone()))
    picture = torch.ones(1, 1, 17, 480, dtype=torch.float64, requires_grad=True)
    network(picture)
    seen = []
    for out in outputs:
        middle = out[0, 0, 0, out.shape[-1] // 2]
        (gradient,) = torch.autograd.grad(middle, picture, retain_graph=True)
        places = torch.nonzero(gradient.sum((0, 1, 2)))
        assert len(places) == int(places.max() - places.min()) + 1  # no hole
        seen.append(len(places))
    assert seen == [layer.receptive_field for layer in layers]
    assert seen[:3] == [7, 11, 27]  # by hand: 7; 7 + 2 * 2; 11 + 2 * (2 * 4)
    assert seen[-1] == 435


def test_squeezing_lets_every_value_of_mobilenet_see_everything() -> None:
    config = ModelConfig("mobilenet_v3_small", in_channels=1, height=200, width=200)
    network = build_network(config).eval()
    layers = [layer for layer in describe(config) if layer.part]
    assert [layer.receptive_field for layer in layers] == [3] + [0] * 15
    first: list[torch.Tensor] = []
    network.get_submodule("features.1").register_forward_hook(
        lambda _part, _in, out: first.append(out)
    )
    picture = torch.rand(1, 1, 200, 200, requires_grad=True)
    network(picture)
    (gradient,) = torch.autograd.grad(first[0][0, 0, 0, 0], picture)
    assert (gradient != 0).double().mean() > 0.9  # a window would see 7x7 of 40,000 pixels


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [("resnet18", 11_689_512, 1_814_073_344), ("mobilenet_v3_small", 2_542_856, 56_510_400)],
)
def test_published_sizes(name: str, parameters: int, multiply_adds: int) -> None:
    layers = describe(ModelConfig(name, in_channels=3, height=224, width=224, num_classes=1000))
    assert sum(layer.parameters for layer in layers) == parameters
    assert sum(layer.multiply_adds for layer in layers) == multiply_adds


def test_a_network_of_blocks_is_shown(cli: CliRunner, tmp_path: Path) -> None:
    path = random_checkpoint(tmp_path / "w.safetensors", TORCHVISIONS[1])
    run = cli("summary", path)
    assert run.returncode == 0, run.stderr
    assert re.search(
        r"features\.9 +1x1 convolution \(4 times\), 5x5 convolution of each map, .* +96x2x3 ",
        run.stdout,
    )
    assert "network  mobilenet_v3_small" in run.stdout


def test_a_pipe_gets_plain_text_with_the_lessons_numbers(cli: CliRunner, tmp_path: Path) -> None:
    run = cli("summary", random_checkpoint(tmp_path / "w.safetensors", ModelConfig()))
    assert run.returncode == 0
    assert "784 x 128 = 100,352 weights" in run.stdout
    assert re.search(r"conv1 +3x3 convolution, ReLU +16x28x28 +160 +0.1% +112,896", run.stdout)
    assert re.search(r"total +206,922 +1,218,048", run.stdout)
    assert run.stdout.isascii()
    assert not re.search(r"[ \t]+$", run.stdout, re.MULTILINE)


def test_json_has_every_layer_and_the_card(cli: CliRunner, tmp_path: Path) -> None:
    path = random_checkpoint(tmp_path / "w.safetensors", SIZES[1], test={"accuracy": 0.5})
    record = json.loads(cli("summary", path, "--json").stdout)
    assert record["card"] == {"test": {"accuracy": 0.5}}
    assert record["parameters"] == sum(layer["parameters"] for layer in record["layers"])
    assert sum(layer["multiply_add_share"] for layer in record["layers"]) == pytest.approx(1)
    assert [layer["receptive_field"] for layer in record["layers"]] == [3, 4, 8, 10, None, None]
    assert record["layers"][0]["output"] == [16, 32, 32]


def test_the_environment_names_the_weights(cli: CliRunner, tmp_path: Path) -> None:
    path = random_checkpoint(tmp_path / "w.safetensors", SIZES[1])
    run = cli("summary", "--json", env={"CNNCLI_WEIGHTS": str(path)})
    assert json.loads(run.stdout)["weights"] == str(path)


def test_a_card_cannot_write_escape_sequences(cli: CliRunner, tmp_path: Path) -> None:
    path = random_checkpoint(tmp_path / "w.safetensors", SIZES[0], **{"\x1b[2Jdata": "[bold]\x07x"})
    run = cli("summary", path)
    assert "\x1b" not in run.stdout
    assert r"\x1b[2Jdata  [bold]\x07x" in run.stdout


def test_many_numbers_of_a_card_are_counted(cli: CliRunner, tmp_path: Path) -> None:
    card = {"means": [[0.5] * 12, [1.5] * 12], "seeds": [1, 2], "names": ["a"] * 21}
    run = cli("summary", random_checkpoint(tmp_path / "w.safetensors", SIZES[0], **card))
    lines = run.stdout.splitlines()
    assert lines[lines.index("card") + 1 :] == [
        "  means  24 numbers",
        "  seeds  1, 2",
        "  names  " + ", ".join("a" * 21),
    ]


def test_a_nested_card_takes_one_line_an_entry(cli: CliRunner, tmp_path: Path) -> None:
    card = {"data": "mnist", "test": {"accuracy": 0.99481234, "pictures": 10000, "seeds": [0, 1]}}
    run = cli("summary", random_checkpoint(tmp_path / "w.safetensors", SIZES[0], **card))
    lines = run.stdout.splitlines()
    assert lines[lines.index("card") + 1 :] == [
        "  data  mnist",
        "  test  accuracy 0.99481, pictures 10000, seeds 0, 1",
    ]


def test_missing_weights_are_one_line(cli: CliRunner) -> None:
    run = cli("summary", "nowhere.safetensors")
    assert run.returncode == 1
    assert run.stderr.startswith("error: weights nowhere.safetensors do not exist; ")
    assert run.stdout == ""
