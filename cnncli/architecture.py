"""Networks as plain numbers: layers, shapes, parameters, multiply-adds, receptive fields.

What :mod:`cnncli.nn.models` builds in torch is described here without it, so that a checkpoint
can be checked, and a network shown, before (or without) torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from cnncli.config import ModelConfig

Shape = tuple[int, ...]

CONV1_CHANNELS = 16  # the lesson's numbers
CONV2_CHANNELS = 32
HIDDEN_UNITS = 128
DEEP_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of a network's table.

    Parameters
    ----------
    name
        Attribute name of the layer in the network.
    operation
        What it does, in words.
    output
        Shape of one image's output, ``(C, H, W)`` or ``(N,)``.
    tensors
        Shape of each learned tensor by its name in the state dict.
    multiply_adds
        Multiplications of a weight and an input, for one image.
    receptive_field
        Edge length in input pixels of what one output value sees; 0 means the whole input.
    """

    name: str
    operation: str
    output: Shape
    tensors: Mapping[str, Shape] = field(default_factory=dict)
    multiply_adds: int = 0
    receptive_field: int = 0

    @property
    def parameters(self) -> int:
        """Return the number of learned values; running statistics are stored, not learned."""
        return sum(prod(shape) for name, shape in self.tensors.items() if ".running_" not in name)


def _convolution(name: str, inputs: int, output: Shape, field_size: int) -> Layer:
    weight = (output[0], inputs, 3, 3)
    return Layer(
        name,
        "3x3 convolution, ReLU",
        output,
        {f"{name}.weight": weight, f"{name}.bias": (output[0],)},
        prod(weight) * output[1] * output[2],
        field_size,
    )


def _linear(name: str, inputs: int, outputs: int, operation: str) -> Layer:
    tensors = {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return Layer(name, operation, (outputs,), tensors, inputs * outputs)


def _simple(config: ModelConfig) -> list[Layer]:
    height, width = config.height, config.width
    half, quarter = (height // 2, width // 2), (height // 4, width // 4)
    flat = CONV2_CHANNELS * prod(quarter)
    return [
        _convolution("conv1", config.in_channels, (CONV1_CHANNELS, height, width), 3),
        Layer("pool", "2x2 max pooling", (CONV1_CHANNELS, *half), receptive_field=4),
        _convolution("conv2", CONV1_CHANNELS, (CONV2_CHANNELS, *half), 8),
        Layer("pool", "2x2 max pooling", (CONV2_CHANNELS, *quarter), receptive_field=10),
        _linear("fc1", flat, HIDDEN_UNITS, "fully connected, ReLU"),
        _linear("fc2", HIDDEN_UNITS, config.num_classes, "fully connected"),
    ]


def _block(name: str, inputs: int, output: Shape, field_size: int) -> Layer:
    weight = (output[0], inputs, 3, 3)
    scales = ("weight", "bias", "running_mean", "running_var")
    return Layer(
        name.partition(".")[0],
        "3x3 convolution, batch norm, ReLU" + (", added to its input" if "." in name else ""),
        output,
        {f"{name}.0.weight": weight} | {f"{name}.1.{scale}": output[:1] for scale in scales},
        prod(weight) * output[1] * output[2],
        field_size,
    )


def _deep(config: ModelConfig) -> list[Layer]:
    width = DEEP_WIDTH
    half = (config.height // 2, config.width // 2)
    quarter = (config.height // 4, config.width // 4)
    head = _linear("head", 4 * width, config.num_classes, "fully connected")
    return [
        _block("stem", config.in_channels, (width, config.height, config.width), 3),
        Layer("pool", "2x2 max pooling", (width, *half), receptive_field=4),
        _block("widen1", width, (2 * width, *half), 8),
        _block("residual1.block", 2 * width, (2 * width, *half), 12),
        Layer("pool", "2x2 max pooling", (2 * width, *quarter), receptive_field=14),
        _block("widen2", 2 * width, (4 * width, *quarter), 22),
        _block("residual2.block", 4 * width, (4 * width, *quarter), 30),
        Layer("mean", "average over the picture", (4 * width,)),
        head,
    ]


def describe(config: ModelConfig) -> list[Layer]:
    """Return the layers of a network in order.

    Parameters
    ----------
    config
        The network.

    Raises
    ------
    ValueError
        If the input is too small for the network's poolings.

    Examples
    --------
    >>> layers = describe(ModelConfig())
    >>> sum(layer.parameters for layer in layers)
    206922
    >>> sum(layer.multiply_adds for layer in layers)
    1218048
    """
    if min(config.height, config.width) < 4:
        raise ValueError(
            f"{config.height}x{config.width} pixels are too few for two poolings; use 4x4 or more"
        )
    return _deep(config) if config.name == "deep" else _simple(config)


def tensor_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Return the shape of every learned tensor of a network by its name in the state dict."""
    return {name: shape for layer in describe(config) for name, shape in layer.tensors.items()}
