"""One row of a network's table, and what convolutions cost and see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

Shape = tuple[int, ...]


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
    part
        Attribute name of what ends the operation, if `name` only begins it.
    """

    name: str
    operation: str
    output: Shape
    tensors: Mapping[str, Shape] = field(default_factory=dict)
    multiply_adds: int = 0
    receptive_field: int = 0
    part: str = ""

    @property
    def has_part(self) -> bool:
        """Whether a part of the network does it: what reduces whole maps is a function."""
        return self.name not in ("mean", "max")

    @property
    def parameters(self) -> int:
        """Return the number of learned values; running statistics are stored, not learned."""
        return sum(prod(shape) for name, shape in self.tensors.items() if ".running_" not in name)


@dataclass(frozen=True, slots=True)
class Maps:
    """Follow one picture through windows that are padded to its edge.

    Parameters
    ----------
    height, width
        Of the maps.
    field
        Edge in input pixels of what one value sees; 0 for everything.
    step
        Input pixels from one value to the next.

    Examples
    --------
    >>> Maps(28, 27).windowed(7, 2).windowed(3, 2)
    Maps(height=7, width=7, field=11, step=4)
    """

    height: int
    width: int
    field: int = 1
    step: int = 1

    def windowed(self, edge: int, stride: int = 1) -> "Maps":
        """Return the maps after windows of ``edge`` pixels: ``ceil(size / stride)`` of them."""
        field = self.field and self.field + (edge - 1) * self.step
        return Maps(-(-self.height // stride), -(-self.width // stride), field, self.step * stride)

    def mixed(self) -> "Maps":
        """Return the maps after an operation that lets every value see everything."""
        return Maps(self.height, self.width, 0, self.step)


@dataclass(frozen=True, slots=True)
class Part:
    """Learned tensors by name, and the multiplications that they take for one image."""

    tensors: Mapping[str, Shape]
    multiply_adds: int = 0


def convolution(
    name: str, inputs: int, outputs: int, edge: int, places: int, *, bias: bool = False
) -> Part:
    """Return a convolution.

    Parameters
    ----------
    name
        In the state dict, without ``.weight``.
    inputs, outputs
        Channels; `inputs` of one group where they are grouped.
    edge
        Of the kernels.
    places
        Where they are applied: height times width of the result.
    bias
        Whether each output has one.
    """
    weight = (outputs, inputs, edge, edge)
    tensors = {f"{name}.weight": weight} | ({f"{name}.bias": (outputs,)} if bias else {})
    return Part(tensors, prod(weight) * places)


def batch_norm(name: str, channels: int) -> Part:
    """Return a batch normalisation: two learned and two running numbers a channel."""
    kinds = ("weight", "bias", "running_mean", "running_var")
    return Part({f"{name}.{kind}": (channels,) for kind in kinds})


def block(
    name: str, operation: str, channels: int, maps: Maps, parts: Iterable[Part], end: str = ""
) -> Layer:
    """Return one row for several parts that end in maps."""
    parts = list(parts)
    return Layer(
        name,
        operation,
        (channels, maps.height, maps.width),
        {key: shape for part in parts for key, shape in part.tensors.items()},
        sum(part.multiply_adds for part in parts),
        maps.field,
        end,
    )


def linear(name: str, inputs: int, outputs: int, operation: str, end: str = "") -> Layer:
    """Return the row of a fully connected layer."""
    tensors = {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return Layer(name, operation, (outputs,), tensors, inputs * outputs, part=end)
