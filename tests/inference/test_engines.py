"""Both engines run the same network to the same numbers, and each is taken where it fits."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.checkpoint import Checkpoint, read_checkpoint
from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import DeviceError, UsageError
from cnncli.images import read_picture
from cnncli.inference.engine import load_engine, softmax
from cnncli.inference.numpy_engine import NumpyEngine
from cnncli.preprocess import prepare, to_network_input
from cnncli.resources import sample_image, shipped_weights
from tests.networks import TORCHVISIONS, tensor_shapes


def random_checkpoint(
    channels: int, height: int, width: int, classes: int, name: str = "simple"
) -> Checkpoint:
    random = np.random.default_rng(height * width + classes)
    model = ModelConfig(name, channels, height, width, classes)
    tensors = {
        key: (random.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        for key, shape in tensor_shapes(model).items()
    }
    tensors |= {key: np.ones_like(value) for key, value in tensors.items() if "running_var" in key}
    half = (0.5,) * channels
    settings_ = Preprocessing("none", height, width, channels, half, half)
    return Checkpoint(model, tuple(map(str, range(classes))), settings_, tensors)


@pytest.mark.parametrize("size", [(1, 28, 28, 10), (3, 32, 32, 4), (3, 13, 22, 2), (1, 4, 4, 47)])
@pytest.mark.parametrize(("moved", "mirrored"), [(False, False), (True, False), (True, True)])
def test_engines_agree_on_random_inputs(
    size: tuple[int, int, int, int], moved: bool, mirrored: bool
) -> None:
    plain = random_checkpoint(*size)
    checkpoint = replace(plain, model=replace(plain.model, moved=moved, mirrored=mirrored))
    batch = np.random.default_rng(0).normal(size=(250, *size[:3])).astype(np.float32)
    ours = load_engine(checkpoint, "numpy").probabilities(batch)
    theirs = load_engine(checkpoint, "torch").probabilities(batch)
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == (250, size[3])
    assert abs(ours - theirs).max() < 1e-5


def test_engines_agree_on_the_samples_with_the_shipped_weights() -> None:
    checkpoint = read_checkpoint(shipped_weights())
    files = sorted(sample_image("scene.png").parent.glob("*.[pj][np]g"))
    pixels = [prepare(read_picture(file), checkpoint.preprocessing).pixels for file in files]
    batch = to_network_input(np.stack(pixels), checkpoint.preprocessing)
    ours, theirs = (
        load_engine(checkpoint, name).probabilities(batch) for name in ("numpy", "torch")
    )
    assert len(files) >= 13
    assert abs(ours - theirs).max() < 1e-5


@given(st.integers(0, 200), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_a_batch_is_its_pictures(count: int, seed: int) -> None:
    engine = NumpyEngine(random_checkpoint(1, 8, 8, 3))
    batch = np.random.default_rng(seed).normal(size=(count, 1, 8, 8)).astype(np.float32)
    hidden, logits = engine.outputs(batch)
    assert hidden.shape == (count, 128)
    assert logits.shape == (count, 3)
    for index in range(0, count, 37):
        assert np.allclose(engine.outputs(batch[index : index + 1])[1], logits[index], atol=1e-5)


def test_a_network_by_hand() -> None:
    # Every kernel passes its middle on, every unit adds up: the brightest pixel is what comes out.
    checkpoint = random_checkpoint(1, 4, 4, 2)
    tensors = {name: np.zeros_like(array) for name, array in checkpoint.tensors.items()}
    tensors["conv1.weight"][0, 0, 1, 1] = 1
    tensors["conv2.weight"][0, 0, 1, 1] = 2
    tensors["fc1.weight"][5, 0] = 1
    tensors["fc1.bias"][5] = 0.5
    tensors["fc2.weight"][1, 5] = 10
    picture = np.array([[0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, -9], [0, 0, 0, 0]], np.float32)
    _, logits = NumpyEngine(replace(checkpoint, tensors=tensors)).outputs(picture[None, None])
    assert logits.tolist() == [[0.0, 65.0]]  # 10 * (2 * 3 + 0.5)


def test_temperature_divides_the_logits() -> None:
    plain = random_checkpoint(1, 8, 8, 3)
    batch = np.random.default_rng(0).normal(size=(4, 1, 8, 8)).astype(np.float32)
    engine = load_engine(replace(plain, card={"temperature": 0.5}), "numpy")
    expected = softmax(load_engine(plain, "numpy").outputs(batch)[1] * 2)
    assert np.allclose(engine.probabilities(batch), expected)
    for nonsense in (0, -1, "hot", None, 1e9):
        assert load_engine(replace(plain, card={"temperature": nonsense}), "numpy").temperature == 1


def test_numpy_refuses_what_it_cannot_run_in_one_line() -> None:
    other = SimpleNamespace(model=SimpleNamespace(name="resnet"), card={}, tensors={})
    with pytest.raises(DeviceError, match="cannot run the model 'resnet'; use --engine torch"):
        load_engine(other, "numpy")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_other_networks_are_left_to_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = random_checkpoint(3, 40, 33, 4, name)
    with pytest.raises(DeviceError, match=f"cannot run the model '{name}'; use --engine torch"):
        load_engine(checkpoint, "numpy")
    batch = np.random.default_rng(0).normal(size=(3, 3, 40, 33)).astype(np.float32)
    engine = load_engine(checkpoint)
    assert engine.name == "torch"
    hidden, logits = engine.outputs(batch)
    assert hidden.shape == (3, 512 if name == "resnet18" else 1024)
    last = list(tensor_shapes(checkpoint.model))[-2:]
    weight, bias = (checkpoint.tensors[key] for key in last)
    np.testing.assert_allclose(hidden @ weight.T + bias, logits, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr("cnncli.inference.torch_engine.CHUNK", 1)  # one picture at a time
    np.testing.assert_allclose(engine.outputs(batch)[1], logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "device", "name"), [("simple", "auto", "numpy"), ("deep", "auto", "torch")]
)
def test_auto_takes_numpy_where_it_can(model: str, device: str, name: str) -> None:
    assert load_engine(random_checkpoint(1, 28, 28, 10, model), device=device).name == name


def test_wrong_wishes_are_usage_errors() -> None:
    checkpoint = random_checkpoint(1, 8, 8, 3)
    with pytest.raises(UsageError, match="'onnx' is unknown; use one of auto, numpy, torch"):
        load_engine(checkpoint, "onnx")
    with pytest.raises(UsageError, match="numpy works on the CPU"):
        load_engine(checkpoint, "numpy", device="cuda")


def test_the_hidden_layer_is_what_torch_has_there() -> None:
    checkpoint = random_checkpoint(1, 8, 8, 3)
    batch = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    ours, theirs = (load_engine(checkpoint, name).outputs(batch)[0] for name in ("numpy", "torch"))
    assert np.allclose(ours, theirs, atol=1e-5)
    assert torch.is_inference_mode_enabled() is False
