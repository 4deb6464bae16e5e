"""Networks and what is known of them, for tests."""

from functools import cache

from cnncli import layers
from cnncli.config import ModelConfig
from cnncli.layers import Layer, Shape
from cnncli.nn.layer_table import layer_table
from cnncli.nn.networks import build_network

# Two of torchvision's that are small enough for a test: one with, one without kernels for each map.
TORCHVISIONS = ("resnet18", "mobilenet_v3_small")


@cache
def describe(config: ModelConfig) -> tuple[Layer, ...]:
    """Return the table of a network's layers."""
    return layer_table(build_network(config), config)


def tensor_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Return the shape of every learned tensor by its name."""
    return layers.tensor_shapes(describe(config))
