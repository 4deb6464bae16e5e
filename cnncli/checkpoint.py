"""Trained weights in a safetensors file, with all that a prediction needs; no torch.

The file's header carries one JSON record (format version, network, class names, preprocessing,
the table of layers and a free model card). The reader of safetensors checks the header against the
file before a tensor is touched: a file can be wrong, but it cannot run code or ask for more memory
than it has bytes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import CheckpointError
from cnncli.files import write_whole
from cnncli.layers import Layer, Shape, tensor_shapes

FORMAT_VERSION = 1
MAX_RECORD_LENGTH = 4 << 20  # characters; that of a network of 250 tensors has about 60,000
MAX_TENSOR_BYTES = 1 << 30
MAX_WEIGHT = 1e5  # trained ones stay below 100; a product of four such cannot overflow a float32
MAX_NAME_LENGTH = 200
MAX_EDGE = 4096  # of what a network is shown; where it averages, its tensors do not tell the size

_RETRAIN = "name another file, or train one with cnncli train"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and what is needed to use it.

    Parameters
    ----------
    model
        The architecture.
    classes
        Names of the outputs, in order.
    preprocessing
        How a picture becomes the network's input.
    tensors
        Learned float32 arrays by their name in the state dict.
    card
        How the weights came to be: data, recipe, seed, metrics (JSON types).
    layers
        The network's table; empty in files of earlier versions and bare state dicts.
    """

    model: ModelConfig
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    tensors: dict[str, NDArray[np.float32]]
    card: dict[str, Any] = field(default_factory=dict)
    layers: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        pixels = (self.model.in_channels, self.model.height, self.model.width)
        prepared = self.preprocessing
        if len(self.classes) != self.model.num_classes:
            raise ValueError(f"{self.model.num_classes} outputs have {len(self.classes)} names")
        if pixels != (prepared.channels, prepared.height, prepared.width):
            raise ValueError(f"the network takes {pixels}, the preprocessing makes other sizes")
        _check_shapes({n: a.shape for n, a in self.tensors.items()}, self.model, self.layers)


def simple_shapes(model: ModelConfig) -> dict[str, Shape]:
    """Return the shapes of the lesson's tensors: the one network that is run without torch."""
    flat = 32 * (model.height // 4) * (model.width // 4)
    weights = {
        "conv1": (16, model.in_channels, 3, 3),
        "conv2": (32, 16, 3, 3),
        "fc1": (128, flat),
        "fc2": (model.num_classes, 128),
    }
    biases = {f"{name}.bias": shape[:1] for name, shape in weights.items()}
    return {f"{name}.weight": shape for name, shape in weights.items()} | biases


def _check_shapes(
    found: Mapping[str, Shape], model: ModelConfig, layers: tuple[Layer, ...]
) -> None:
    """Compare tensors with the lesson's network and with the table; what torch builds it checks."""
    for expected in (simple_shapes(model) if model.name == "simple" else {}, tensor_shapes(layers)):
        if expected and (unknown := sorted(set(found) - set(expected))):
            raise ValueError(f"unknown tensors {', '.join(unknown)[:200]}")
        if missing := sorted(set(expected) - set(found)):
            raise ValueError(f"no tensors {', '.join(missing)[:200]}")
        for name, shape in expected.items():
            if tuple(found[name]) != shape:
                raise ValueError(f"{name} has the shape {tuple(found[name])} instead of {shape}")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all.

    Parameters
    ----------
    path
        File to write; its folder must exist.
    checkpoint
        What to store.

    Raises
    ------
    OSError
        As the operating system reports it.
    """
    from safetensors.numpy import save

    record = {
        "format": FORMAT_VERSION,
        "model": checkpoint.model.to_dict(),
        "classes": list(checkpoint.classes),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "card": checkpoint.card,
        "layers": [asdict(layer) for layer in checkpoint.layers],
    }
    tensors = {
        name: np.ascontiguousarray(array, dtype=np.float32)
        for name, array in checkpoint.tensors.items()
    }
    data = save(tensors, metadata={"cnncli": json.dumps(record, allow_nan=False)})
    write_whole(path, data)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, or a plain safetensors state dict of the lesson's SimpleCNN.

    Parameters
    ----------
    path
        A ``.safetensors`` file.

    Raises
    ------
    CheckpointError
        If the file is missing, is not such a file, was written by a newer version, or if its
        tensors do not fit the architecture that it names.
    """
    from safetensors import SafetensorError

    try:
        return _read(path)
    except FileNotFoundError:
        raise CheckpointError(f"weights {path} do not exist; {_RETRAIN}") from None
    except OSError as error:
        raise CheckpointError(
            f"cannot read the weights {path}: {error.strerror or error}; check the path"
        ) from error
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a safetensors file, or is damaged: {_brief(error)}; {_RETRAIN}"
        ) from error
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a usable weights file: {_brief(error)}; {_RETRAIN}"
        ) from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def is_torch_file(path: Path) -> bool:
    """Tell whether a file is what ``torch.save`` writes: a zip archive or an old pickle stream."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return start == b"PK\x03\x04" or (start[:1] == b"\x80" and path.suffix != ".safetensors")


def _read(path: Path) -> Checkpoint:
    from safetensors import safe_open

    if (size := path.stat().st_size) > MAX_TENSOR_BYTES:
        raise ValueError(f"it has {size} bytes, more than {MAX_TENSOR_BYTES}")
    with safe_open(path, "numpy") as file:
        shapes = _shapes(file)
        text = (file.metadata() or {}).get("cnncli")
        if text is None:
            return plain_checkpoint(infer_model(shapes), _tensors(file))
        return _described(file, shapes, text)


def _shapes(file: Any) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for name in file.keys():  # noqa: SIM118 (no mapping)
        entry = file.get_slice(name)
        if entry.get_dtype() != "F32":
            raise ValueError(f"{name} holds {entry.get_dtype()!r} instead of F32")
        shapes[name] = tuple(entry.get_shape())
    return shapes


def _tensors(file: Any) -> dict[str, NDArray[np.float32]]:
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    for array in tensors.values():
        check_values(array)
    return tensors


def _described(file: Any, shapes: Mapping[str, Shape], text: str) -> Checkpoint:
    if len(text) > MAX_RECORD_LENGTH:
        raise ValueError(f"its record has {len(text)} letters, more than {MAX_RECORD_LENGTH}")
    record = json.loads(text)
    if type(record["format"]) is not int or record["format"] != FORMAT_VERSION:
        raise CheckpointError(
            f"has the format version {record['format']!r}, this cnncli reads {FORMAT_VERSION}; "
            "upgrade it with: pip install --upgrade cnncli"
        )
    model = ModelConfig.from_dict(record["model"])
    preprocessing = Preprocessing.from_dict(record["preprocessing"])
    layers = tuple(Layer.from_dict(row) for row in record.get("layers", []))
    _check_shapes(shapes, model, layers)
    if max(model.height, model.width) > MAX_EDGE:
        raise ValueError(f"it takes {model.height}x{model.width} pixels, more than {MAX_EDGE}")
    if not isinstance(record["classes"], list) or not isinstance(record["card"], dict):
        raise TypeError("its classes are no list or its card is no table")
    classes = tuple(_text(name) for name in record["classes"])
    return Checkpoint(model, classes, preprocessing, _tensors(file), record["card"], layers)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the class name {value!r} is not text")
    if not 1 <= len(value) <= MAX_NAME_LENGTH:
        raise ValueError(f"a class name has {len(value)} letters instead of 1 to {MAX_NAME_LENGTH}")
    return value


def check_values(weights: NDArray[np.float32]) -> None:
    """Refuse weights that would make every answer a NaN.

    Raises
    ------
    ValueError
        If one of them is a NaN, infinite, or far beyond what training leads to.
    """
    if not np.isfinite(weights).all():
        raise ValueError("some weights are infinite or not a number")
    if weights.size and np.abs(weights).max() > MAX_WEIGHT:
        raise ValueError(f"some weights are beyond {MAX_WEIGHT:.0f}; no training leads there")


def infer_model(shapes: Mapping[str, Shape]) -> ModelConfig:
    """Find the size of the lesson's SimpleCNN from the shapes of its state dict.

    Parameters
    ----------
    shapes
        Shape of each tensor by name.

    Returns
    -------
    ModelConfig
        Square input with the edge ``4 * sqrt(fc1 inputs / 32)``.

    Raises
    ------
    CheckpointError
        If the tensors are not those of the lesson's class.
    """
    try:
        channels = shapes["conv1.weight"][1]
        inputs = shapes["fc1.weight"][1]
        outputs = shapes["fc2.weight"][0]
        edge = 4 * math.isqrt(inputs // 32)
        model = ModelConfig("simple", channels, edge, edge, outputs)
        _check_shapes(shapes, model, ())
    except (KeyError, IndexError, ValueError) as error:
        raise CheckpointError(
            "holds no weights of a SimpleCNN (conv1 16, conv2 32, fc1 128, fc2): "
            f"{error}; {_RETRAIN}"
        ) from error
    return model


def plain_checkpoint(model: ModelConfig, tensors: dict[str, NDArray[np.float32]]) -> Checkpoint:
    """Give a bare state dict the class names and preprocessing that the lesson has.

    Parameters
    ----------
    model
        The architecture, as :func:`infer_model` finds it.
    tensors
        The learned arrays.

    Returns
    -------
    Checkpoint
        Classes ``"0"``, ``"1"``, …; one channel of 28x28 pixels is read as an MNIST digit, any
        other size as a picture with mean and standard deviation 0.5.
    """
    size = (model.height, model.width, model.in_channels)
    if size == (28, 28, 1):
        preprocessing = Preprocessing()
    else:
        half = (0.5,) * model.in_channels
        preprocessing = Preprocessing("resize", *size, mean=half, std=half)
    classes = tuple(str(index) for index in range(model.num_classes))
    return Checkpoint(model, classes, preprocessing, tensors, {"data": "unknown (a state dict)"})
