"""The lesson's network: its numbers, its names, and state dicts of its own class."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cnncli.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import CheckpointError, ShapeError, UsageError
from cnncli.nn.layer_table import layer_table, part_outputs
from cnncli.nn.networks import build_network
from cnncli.nn.state_dict import load_network, read_state_dict, to_arrays
from tests.networks import TORCHVISIONS, describe, tensor_shapes


class LessonCNN(nn.Module):
    """The class as the lesson writes it, ReLU before pooling and all."""

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels=1, out_channels=16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = nn.Conv2d(in_channels=16, out_channels=32, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, num_classes)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        x = self.relu(self.fc1(x))
        return self.fc2(x)


def lesson(seed: int = 1) -> LessonCNN:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LessonCNN()


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_parameter_count_and_names() -> None:
    network = build_network(ModelConfig())
    assert sum(p.numel() for p in network.parameters()) == 206_922
    assert {name for name, _ in network.named_children()} == {
        "conv1",
        "pool",
        "conv2",
        "fc1",
        "fc2",
        "relu",
    }


@pytest.mark.parametrize(
    "model",
    [ModelConfig(), ModelConfig(in_channels=3, height=33, width=18, num_classes=4)],
    ids=["mnist", "odd sizes"],
)
def test_the_description_is_the_network(model: ModelConfig) -> None:
    network = build_network(model).eval()
    state = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert state == tensor_shapes(model)
    seen: list[tuple[str, tuple[int, ...]]] = []
    names = {part: name for name, part in network.named_children() if name != "relu"}

    def note(part: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        seen.append((names[part], tuple(output.shape[1:])))

    for part in names:
        part.register_forward_hook(note)
    network(batch(1, model.in_channels, model.height, model.width))
    assert seen == [(layer.name, layer.output) for layer in describe(model)]


def test_the_network_for_accuracy_is_as_described() -> None:
    model = ModelConfig("deep", 3, 32, 20, 7)
    network = build_network(model).eval()
    learned = {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }
    assert learned == tensor_shapes(model)
    layers = describe(model)
    parameters = sum(p.numel() for p in network.parameters())
    assert sum(layer.parameters for layer in layers) == parameters
    outputs: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        if layer.part:
            network.get_submodule(layer.part).register_forward_hook(
                lambda _m, _i, out, name=layer.name: outputs.update({name: tuple(out.shape[1:])})
            )
    network(batch(2, 3, 32, 20))
    assert outputs == {layer.name: layer.output for layer in layers if layer.name != "max"}


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_are_told_apart_by_what_they_differ_in(channels: int) -> None:
    """The first half of the maps varies alike and independently, the other half is its negative."""
    pictures = torch.nn.functional.avg_pool2d(batch(40, channels, 20, 20), 3, 1)  # neighbours agree
    network = build_network(ModelConfig("deep", channels, 18, 18))
    network.see(pictures)
    with torch.no_grad():
        maps = network.whiten(pictures) - network.whiten.bias[:, None, None]
    half = 4 * channels
    torch.testing.assert_close(maps[:, half:], -maps[:, :half])
    values = maps[:, :half].transpose(0, 1).flatten(1)
    products = values @ values.T / values.shape[1]
    assert products.diagonal().min() > 0.9  # the least varying are held back
    torch.testing.assert_close(products, products.diag().diag(), atol=1e-3, rtol=0)


VIEWS = [
    ("deep", {"mirrored": True}, (0, 1)),
    ("simple", {"moved": True}, (0, 2, 4)),
    ("deep", {"moved": True, "mirrored": True}, range(6)),
]


@pytest.mark.parametrize(("name", "which", "chosen"), VIEWS)
def test_answers_are_the_mean_over_views(
    name: str, which: dict[str, bool], chosen: Sequence[int]
) -> None:
    config = ModelConfig(name, 3, 20, 18, 4)
    single, several = build_network(config), build_network(replace(config, **which))
    several.load_state_dict(single.state_dict())
    pictures = batch(5, 3, 20, 18)
    learning = several(pictures)  # from single pictures: the statistics are those of the batch
    torch.testing.assert_close(learning, single(pictures))
    single.eval(), several.eval()
    # What a picture shows a pixel down and to the left, and up and to the right.
    low_left = torch.cat([pictures[:, :, :1], pictures[:, :, :-1]], 2)
    low_left = torch.cat([low_left[..., 1:], low_left[..., -1:]], 3)
    up_right = torch.cat([pictures[:, :, 1:], pictures[:, :, -1:]], 2)
    up_right = torch.cat([up_right[..., :1], up_right[..., :-1]], 3)
    views = [each for view in (pictures, low_left, up_right) for each in (view, view.flip(3))]
    answers = [single(views[i]) for i in chosen]
    torch.testing.assert_close(several(pictures), sum(answers) / len(answers))
    assert (several(pictures) - answers[0]).abs().max() > 1e-3
    rows = [layer_table(each, config) for each in (single, several)]
    assert rows[0] == rows[1]  # names, and the work for one view


# Sizes that no halving leaves even, and more classes than one.
ODD = [ModelConfig("resnet18", 3, 47, 40, 5), ModelConfig("mobilenet_v3_small", 3, 40, 47, 5)]


@pytest.mark.parametrize("model", ODD, ids=lambda model: model.name)
def test_torchvisions_networks_keep_their_names_and_answers(model: ModelConfig) -> None:
    """Files that an own copy of these networks was trained into load: the names are the same."""
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(2)
        theirs = models.get_model(model.name, num_classes=model.num_classes)
    theirs(batch(4, 3, 40, 40))  # moves the running statistics away from their start
    ours = build_network(model)
    ours.load_state_dict(theirs.state_dict())
    images = batch(3, model.in_channels, model.height, model.width)
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


@pytest.mark.parametrize(
    ("name", "edge"),
    [
        ("efficientnet_b0", 32), ("convnext_tiny", 32), ("densenet121", 32), ("squeezenet1_1", 32),
        ("shufflenet_v2_x0_5", 32), ("googlenet", 32), ("mnasnet0_5", 17), ("alexnet", 64),
        ("regnet_y_400mf", 32), ("inception_v3", 96), ("swin_t", 32), ("vit_b_32", 64),
    ],
)  # fmt: skip
def test_any_classifier_of_torchvision_takes_grey_pictures_and_our_classes(
    name: str, edge: int
) -> None:
    config = ModelConfig(name, 1, edge, edge, 3)
    network = build_network(config)
    layers = describe(config)
    learned = {n: tuple(t.shape) for n, t in network.state_dict().items() if t.is_floating_point()}
    assert tensor_shapes(config) == learned  # every tensor is in one row of the table
    assert layers[-1].output == (3,)
    parameters = sum(p.numel() for p in network.parameters())
    assert sum(layer.parameters for layer in layers) == parameters
    network.train()
    logits = network(batch(2, 1, edge, edge))
    assert logits.shape == (2, 3)
    assert torch.equal(logits, network(batch(2, 1, edge, edge)))  # nothing is drawn at random


def test_an_unknown_name_raises_and_tells_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"model 'resnet19' is unknown; the nearest names: resnet"):
        build_network(ModelConfig("resnet19"))
    with pytest.raises(UsageError, match=r"'deeep' is unknown; .*: deep"):
        build_network(ModelConfig("deeep"))
    with pytest.raises(ValueError, match="is no name of a network"):
        ModelConfig("os.system")


def test_pictures_that_a_network_cannot_take_are_one_line() -> None:
    for config in (ModelConfig("alexnet", 3, 20, 20), ModelConfig("maxvit_t", 3, 40, 40)):
        with pytest.raises(ShapeError, match=r"--image-size") as caught:
            describe(config)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ODD, ids=lambda model: model.name)
def test_the_table_tells_what_each_part_gives(model: ModelConfig) -> None:
    grey = replace(model, in_channels=1)
    layers = describe(grey)
    image = batch(1, 1, grey.height, grey.width)[0].numpy()
    outputs = part_outputs(build_network(grey).eval(), image, [layer.part for layer in layers])
    for layer in layers:
        (values,) = outputs[layer.part]
        assert values.size == np.prod(layer.output)


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_a_last_batch_of_one_small_picture_is_learned_from(name: str) -> None:
    network = build_network(ModelConfig(name, 1, 17, 17, 3)).train()
    network(batch(8, 1, 17, 17))
    network(batch(1, 1, 17, 17)).sum().backward()  # torch's own refuses: one value a channel
    last = [p.grad for p in network.parameters() if p.dim() == 4][-1]
    assert last.abs().sum() > 0
    network(batch(1, 1, 64, 64))  # four values a channel have a variance


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_pictures_that_vanish_are_refused(name: str) -> None:
    message = rf"16x40 pixels are too few for {name}; use 17x17 or more"
    with pytest.raises(ShapeError, match=message):
        describe(ModelConfig(name, 3, 16, 40, 5))
    assert min(layer.output[-1] for layer in describe(ModelConfig(name, 3, 17, 17, 5))) == 1


@pytest.mark.parametrize("name", ["deep", *TORCHVISIONS])
def test_a_checkpoint_with_statistics_comes_back(name: str, tmp_path: Path) -> None:
    model = ModelConfig(name, 1, 28, 28, 10)
    network = build_network(model)
    network(batch(8, 1, 28, 28))  # moves the running statistics away from their start
    network.eval()
    tensors = to_arrays(network.state_dict())
    made = Checkpoint(model, tuple("0123456789"), Preprocessing(), tensors)
    write_checkpoint(tmp_path / "w.safetensors", made)
    again = load_network(read_checkpoint(tmp_path / "w.safetensors"))
    images = batch(4, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(again(images), network(images))


def test_a_state_dict_of_the_lessons_class_predicts_the_same(tmp_path: Path) -> None:
    theirs = lesson().eval()
    torch.save(theirs.state_dict(), tmp_path / "mnist_cnn.pth")
    ours = load_network(read_state_dict(tmp_path / "mnist_cnn.pth"))
    images = batch(16, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


def test_pooling_before_relu_changes_no_gradient() -> None:
    theirs, ours = lesson(), build_network(ModelConfig())
    ours.load_state_dict(theirs.state_dict())
    for network in (theirs, ours):
        network(batch(4, 1, 28, 28)).square().sum().backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_wrapped_and_parallel_state_dicts_are_read(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in lesson().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pt")
    found = read_state_dict(tmp_path / "w.pt")
    assert found.classes == tuple("0123456789")
    np.testing.assert_array_equal(found.tensors["fc2.bias"], state["module.fc2.bias"].numpy())


def test_a_pickled_model_is_refused_without_running_it(tmp_path: Path) -> None:
    torch.save(lesson(), tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match="without running code from it; write it again"):
        read_state_dict(tmp_path / "whole.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.zeros(3)}, "holds no weights of a SimpleCNN"),
        ([1, 2, 3], "holds no state dict"),
        ({"epoch": 3}, "holds no state dict"),
    ],
    ids=["other network", "a list", "no tensors"],
)
def test_other_content_is_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=message) as caught:
        read_state_dict(tmp_path / "w.pt")
    assert "\n" not in str(caught.value)


def test_missing_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="do not exist"):
        read_state_dict(tmp_path / "none.pt")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CheckpointError, match="cannot be read as a state dict"):
        read_state_dict(tmp_path / "broken.pt")
