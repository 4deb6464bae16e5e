"""Networks as plain numbers: layers, shapes, parameters, multiply-adds, receptive fields.

What :mod:`cnncli.nn.models` builds in torch is described here without it, so that a checkpoint
can be checked, and a network shown, before (or without) torch.
"""

from math import prod

from cnncli.architecture.layer import Layer, Shape, linear
from cnncli.config import ModelConfig
from cnncli.errors import ShapeError

__all__ = ["Layer", "Shape", "describe", "tensor_shapes"]

CONV1_CHANNELS = 16  # the lesson's numbers
CONV2_CHANNELS = 32
HIDDEN_UNITS = 128
DEEP_WIDTH = 48
# From 17 pixels the last stage's first kernels are laid on 2x2 values; on one, all but their middle
# would see nothing but the zeros around it.
LEAST_FOR_FIVE_HALVINGS = 17


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


def _simple(config: ModelConfig) -> list[Layer]:
    height, width = config.height, config.width
    half, quarter = (height // 2, width // 2), (height // 4, width // 4)
    flat = CONV2_CHANNELS * prod(quarter)
    return [
        _convolution("conv1", config.in_channels, (CONV1_CHANNELS, height, width), 3),
        Layer("pool", "2x2 max pooling", (CONV1_CHANNELS, *half), receptive_field=4),
        _convolution("conv2", CONV1_CHANNELS, (CONV2_CHANNELS, *half), 8),
        Layer("pool", "2x2 max pooling", (CONV2_CHANNELS, *quarter), receptive_field=10),
        linear("fc1", flat, HIDDEN_UNITS, "fully connected, ReLU"),
        linear("fc2", HIDDEN_UNITS, config.num_classes, "fully connected"),
    ]


def _block(name: str, inputs: int, maps: Shape, field_size: int, *, pooled: bool = False) -> Layer:
    """Return a block of the deep network; `maps` is what its convolution gives."""
    channels, height, width = maps
    weight = (channels, inputs, 3, 3)
    scales = ("weight", "bias", "running_mean", "running_var")
    operation = "3x3 convolution" + (", 2x2 max pooling" if pooled else "")
    operation += ", batch norm, ReLU" + (", added to its input" if "." in name else "")
    return Layer(
        name.partition(".")[0],
        operation,
        (channels, height // 2, width // 2) if pooled else maps,
        {f"{name}.conv.weight": weight} | {f"{name}.norm.{scale}": (channels,) for scale in scales},
        prod(weight) * height * width,
        field_size,
    )


def _deep(config: ModelConfig) -> list[Layer]:
    width = DEEP_WIDTH
    full = (config.height, config.width)
    half = (config.height // 2, config.width // 2)
    quarter = (config.height // 4, config.width // 4)
    eighth = (config.height // 8, config.width // 8)
    return [
        _block("stem", config.in_channels, (width, *full), 4, pooled=True),
        _block("widen1", width, (2 * width, *half), 8),
        _block("residual1.block", 2 * width, (2 * width, *half), 12),
        Layer("pool", "2x2 max pooling", (2 * width, *quarter), receptive_field=14),
        _block("widen2", 2 * width, (4 * width, *quarter), 26, pooled=True),
        _block("residual2.block", 4 * width, (4 * width, *eighth), 42),
        Layer("max", "maximum over the picture", (4 * width,)),
        linear("head", 4 * width, config.num_classes, "fully connected"),
    ]


def describe(config: ModelConfig) -> list[Layer]:
    """Return the layers of a network in order.

    Parameters
    ----------
    config
        The network.

    Raises
    ------
    ShapeError
        If the input is too small for the network.

    Examples
    --------
    >>> layers = describe(ModelConfig())
    >>> sum(layer.parameters for layer in layers)
    206922
    >>> sum(layer.multiply_adds for layer in layers)
    1218048
    """
    least, reason = _least_size(config)
    if min(config.height, config.width) < least:
        raise ShapeError(
            f"{config.height}x{config.width} pixels are too few for {reason}; "
            f"use {least}x{least} or more"
        )
    return _rows(config)


def _least_size(config: ModelConfig) -> tuple[int, str]:
    if config.name == "simple":
        return 4, "two poolings"
    if config.name == "deep":
        return 8, "three poolings"
    return LEAST_FOR_FIVE_HALVINGS, f"{config.name}, which halves them five times"


def _rows(config: ModelConfig) -> list[Layer]:
    if config.name == "resnet18":
        from cnncli.architecture.resnet import resnet18

        return resnet18(config)
    if config.name == "mobilenet_v3_small":
        from cnncli.architecture.mobilenet import mobilenet_v3_small

        return mobilenet_v3_small(config)
    return _deep(config) if config.name == "deep" else _simple(config)


def tensor_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Return the shape of every learned tensor of a network by its name in the state dict."""
    return {name: shape for layer in describe(config) for name, shape in layer.tensors.items()}
