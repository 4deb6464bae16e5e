"""What every layer makes of one picture: the network run step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnncli.checkpoint import Checkpoint
from cnncli.errors import CheckpointError, UsageError
from cnncli.inference.engine import softmax, temperature_of
from cnncli.inference.numpy_engine import views
from cnncli.layers import views_text
from cnncli.ops import max_pool2d

Array = NDArray[np.float32]

_RELU = "ReLU, below zero becomes 0"


@dataclass(frozen=True, slots=True)
class Stage:
    """What one step of a network gives.

    Parameters
    ----------
    name
        ``input``, ``conv1``, ``relu1``, ``pool1``, …, ``probabilities``.
    step
        What the step does, in words.
    values
        float32 maps ``(C, H, W)``, or a vector ``(N,)``.
    signed
        Whether the step can give negative numbers.
    kernels
        Of a convolution: float32 ``(C out, C in, kh, kw)``.
    """

    name: str
    step: str
    values: Array
    signed: bool = False
    kernels: Array | None = None


def activations(checkpoint: Checkpoint, image: Array) -> list[Stage]:
    """Run a network on one picture and keep what every step gives.

    The lesson's SimpleCNN runs in NumPy, step by step; of another network torch's forward hooks
    tell what each part gives.

    Parameters
    ----------
    checkpoint
        The network and its weights.
    image
        Network input ``(C, H, W)`` as :func:`cnncli.preprocess.to_network_input` makes it.

    Returns
    -------
    list of Stage
        In order, the input first. Of SimpleCNN in the lesson's order, ReLU before pooling:
        pooling first gives the same maps, since both keep the order of numbers.

    Raises
    ------
    CheckpointError
        If a step gives infinite numbers.
    """
    start = Stage("input", "the picture, normalised", image, signed=True)
    run = _simple if checkpoint.model.name == "simple" else _hooked
    with np.errstate(over="ignore", invalid="ignore"):  # told below, in one line
        stages = [start, *run(checkpoint, image)]
    for stage in stages:
        if not np.isfinite(stage.values).all():
            raise CheckpointError(
                f"the weights lead to infinite numbers in {stage.name}; train them anew"
            )
    return [*stages, _probabilities(stages[-1].values, temperature_of(checkpoint))]


def _simple(checkpoint: Checkpoint, image: Array) -> list[Stage]:
    weights = checkpoint.tensors
    seen = views(image[np.newaxis], checkpoint.model)
    stages, *others = (_hidden(weights, view) for (view,) in seen)
    if others:
        mean = np.mean([each[-1].values for each in (stages, *others)], axis=0)
        stages.append(Stage("mean", views_text(checkpoint.model), mean))
    scores = _linear(stages[-1].values, weights, "fc2")
    return [*stages, Stage("fc2", "fully connected, one score a class", scores, signed=True)]


def _hidden(weights: Mapping[str, Array], image: Array) -> list[Stage]:
    """Return all steps before the last layer."""
    stages = _convolution_block(image, weights, 1)
    stages += _convolution_block(stages[-1].values, weights, 2)
    flat = stages[-1].values.reshape(-1)  # in (C, H, W) order, as torch.flatten
    hidden = _linear(flat, weights, "fc1")
    return [
        *stages,
        Stage("fc1", f"fully connected, each number from all {flat.size:,}", hidden, signed=True),
        Stage("relu3", _RELU, np.maximum(hidden, 0)),
    ]


def _hooked(checkpoint: Checkpoint, image: Array) -> list[Stage]:
    from cnncli.nn.layer_table import layer_table, part_outputs
    from cnncli.nn.state_dict import load_network

    network = load_network(checkpoint)
    layers = [layer for layer in layer_table(network, checkpoint.model) if layer.part]
    outputs = part_outputs(network, image, {layer.part for layer in layers})
    names = [layer.name for layer in layers]
    stages = []
    for position, layer in enumerate(layers):
        maps = outputs[layer.part].pop(0)
        values = maps.reshape(-1) if maps.shape[1:] == (1, 1) else maps  # one value: a number
        number = names[:position].count(layer.name) + 1 if names.count(layer.name) > 1 else ""
        kernels = [name for name, shape in layer.tensors.items() if len(shape) == 4]
        weights = checkpoint.tensors[kernels[0]] if len(kernels) == 1 else None
        signed = bool(values.min() < 0)
        stages.append(Stage(f"{layer.name}{number}", layer.operation, values, signed, weights))
    return stages


def _probabilities(scores: Array, temperature: float) -> Stage:
    divided = "" if temperature == 1 else f" / {temperature:g} (calibration)"
    probabilities = softmax(scores[np.newaxis] / np.float32(temperature))[0]
    return Stage("probabilities", f"softmax of the scores{divided}, shares of 1", probabilities)


def _convolution_block(maps: Array, weights: Mapping[str, Array], number: int) -> list[Stage]:
    """Convolution, ReLU and pooling as three stages."""
    name = f"conv{number}"
    kernels = weights[f"{name}.weight"]
    response = convolve_maps(maps, kernels, weights[f"{name}.bias"])
    positive = np.maximum(response, 0)
    pooled = np.moveaxis(max_pool2d(np.moveaxis(positive, 0, -1), 2, edge="drop"), -1, 0)
    size = f"{kernels.shape[2]}x{kernels.shape[3]}"
    step = f"{size} convolution of {len(maps)} {'maps' if len(maps) > 1 else 'map'}"
    return [
        Stage(name, step, response, signed=True, kernels=kernels),
        Stage(f"relu{number}", _RELU, positive),
        Stage(f"pool{number}", "2x2 max pooling, the largest of four", pooled),
    ]


def convolve_maps(maps: Array, kernels: Array, bias: Array) -> Array:
    """Correlate all maps with all kernels, zeros outside, and add them up with the bias.

    Parameters
    ----------
    maps
        ``(C, H, W)``.
    kernels, bias
        ``(K, C, kh, kw)`` with odd sizes, and ``(K,)``.

    Returns
    -------
    ndarray
        ``(K, H, W)``: ``out[k] = bias[k] + sum over c of correlate2d(maps[c], kernels[k, c])``.

    Examples
    --------
    >>> one = np.ones((1, 2, 2), np.float32)
    >>> convolve_maps(one, np.ones((1, 1, 3, 3), np.float32), np.array([0.5])).tolist()
    [[[4.5, 4.5], [4.5, 4.5]]]
    """
    rows, columns = kernels.shape[2] // 2, kernels.shape[3] // 2
    padded = np.pad(maps, ((0, 0), (rows, rows), (columns, columns)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[2:], axis=(1, 2))
    response = np.tensordot(kernels, windows, axes=((1, 2, 3), (0, 3, 4)))
    return (response + bias[:, np.newaxis, np.newaxis]).astype(np.float32)


def _linear(vector: Array, weights: Mapping[str, Array], name: str) -> Array:
    return weights[f"{name}.weight"] @ vector + weights[f"{name}.bias"]


def choose_stage(stages: Sequence[Stage], name: str) -> Stage:
    """Return the stage of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    for stage in stages:
        if stage.name == name:
            return stage
    known = ", ".join(stage.name for stage in stages)
    raise UsageError(f"layer {name!r} is unknown; this network has {known}")
