"""One row of a network's table: what a layer makes, costs and sees; no torch.

The table is made once from the network itself (:mod:`cnncli.nn.layer_table`) and kept in its
checkpoint, so that a network can be shown, and its tensors checked, without building it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Self

from cnncli.config import ModelConfig

Shape = tuple[int, ...]
MAX_TEXT_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of a network's table.

    Parameters
    ----------
    name
        Of the layer in the network, as torch names it.
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
        Name of the part that ends the operation, such as its ReLU; empty if no part does it.
    """

    name: str
    operation: str
    output: Shape
    tensors: Mapping[str, Shape] = field(default_factory=dict)
    multiply_adds: int = 0
    receptive_field: int = 0
    part: str = ""

    @property
    def parameters(self) -> int:
        """Return the number of learned values; running statistics are stored, not learned."""
        return sum(prod(shape) for name, shape in self.tensors.items() if ".running_" not in name)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build the row from its fields, whoever wrote them.

        Raises
        ------
        ValueError, TypeError
            If a field is missing, unknown or of another kind.
        """
        row = cls(**values)
        texts = (row.name, row.operation, row.part, *row.tensors)
        if not all(isinstance(text, str) and len(text) <= MAX_TEXT_LENGTH for text in texts):
            raise ValueError(f"its layer {str(row.name)[:40]!r} has a name that is no short text")
        tensors = {name: tuple(shape) for name, shape in row.tensors.items()}
        numbers = (row.multiply_adds, row.receptive_field, *row.output)
        sizes = (size for shape in tensors.values() for size in shape)
        if not all(type(number) is int and number >= 0 for number in (*numbers, *sizes)):
            raise ValueError(f"its layer {row.name[:40]!r} has a size that is no whole number")
        return replace(row, output=tuple(row.output), tensors=tensors)


def tensor_shapes(layers: "tuple[Layer, ...] | list[Layer]") -> dict[str, Shape]:
    """Return the shape of every learned tensor of a network by its name in the state dict."""
    return {name: shape for layer in layers for name, shape in layer.tensors.items()}


def views_text(model: ModelConfig) -> str:
    """Return in words what a network's answers are the mean of; nothing for a single view.

    >>> views_text(ModelConfig(moved=True))
    'mean over the picture and copies of it, moved by a pixel'
    """
    ways = {"moved by a pixel": model.moved, "mirrored": model.mirrored}
    copies = " and ".join(way for way, taken in ways.items() if taken)
    return copies and f"mean over the picture and copies of it, {copies}"
