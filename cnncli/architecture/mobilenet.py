"""MobileNetV3-Small (Howard et al. 2019, table 2), with the names that torchvision gave its parts.

Where a block squeezes and excites (Hu, Shen, Sun 2017), the mean over the whole picture weighs
each map: from there on every value sees everything.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cnncli.architecture.layer import (
    Layer,
    Maps,
    Part,
    batch_norm,
    block,
    convolution,
    linear,
)
from cnncli.config import ModelConfig


class Block(NamedTuple):
    """One row of the paper's table."""

    edge: int  # of the depthwise kernels
    expanded: int  # channels inside
    outputs: int
    squeezes: bool
    swishes: bool  # hard swish, else ReLU
    stride: int


STEM = 16  # channels of the first convolution
BLOCKS = (
    Block(3, 16, 16, squeezes=True, swishes=False, stride=2),
    Block(3, 72, 24, squeezes=False, swishes=False, stride=2),
    Block(3, 88, 24, squeezes=False, swishes=False, stride=1),
    Block(5, 96, 40, squeezes=True, swishes=True, stride=2),
    Block(5, 240, 40, squeezes=True, swishes=True, stride=1),
    Block(5, 240, 40, squeezes=True, swishes=True, stride=1),
    Block(5, 120, 48, squeezes=True, swishes=True, stride=1),
    Block(5, 144, 48, squeezes=True, swishes=True, stride=1),
    Block(5, 288, 96, squeezes=True, swishes=True, stride=2),
    Block(5, 576, 96, squeezes=True, swishes=True, stride=1),
    Block(5, 576, 96, squeezes=True, swishes=True, stride=1),
)
LAST = 576  # channels of the last convolution
HIDDEN = 1024


def squeezed(channels: int) -> int:
    """Return a quarter of the channels as the paper's code rounds it: to 8, losing at most a tenth.

    >>> [squeezed(channels) for channels in (16, 96, 120, 144)]
    [8, 24, 32, 40]
    """
    wanted = channels // 4
    rounded = max(8, (wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def mobilenet_v3_small(config: ModelConfig) -> list[Layer]:
    """Return the layers, one row for a block."""
    maps = Maps(config.height, config.width).windowed(3, 2)
    stem = _convolution("features.0", config.in_channels, STEM, 3, maps)
    rows = [block("features.0", "3x3 convolution, batch norm, hard swish", STEM, maps, stem)]
    inputs = STEM
    for number, kind in enumerate(BLOCKS, 1):
        name, before = f"features.{number}", maps
        maps = maps.windowed(kind.edge, kind.stride)
        maps = maps.mixed() if kind.squeezes else maps
        parts = _block_parts(f"{name}.block", inputs, kind, before, maps)
        rows.append(block(name, _words(kind, inputs), kind.outputs, maps, parts))
        inputs = kind.outputs
    name = f"features.{len(BLOCKS) + 1}"
    last = _convolution(name, inputs, LAST, 1, maps)
    return [
        *rows,
        block(name, "1x1 convolution, batch norm, hard swish", LAST, maps, last),
        Layer("mean", "average over the picture", (LAST,)),
        linear("classifier.0", LAST, HIDDEN, "fully connected, hard swish", "classifier.1"),
        linear("classifier.3", HIDDEN, config.num_classes, "fully connected"),
    ]


def _convolution(name: str, inputs: int, outputs: int, edge: int, maps: Maps) -> list[Part]:
    places = maps.height * maps.width
    return [
        convolution(f"{name}.0", inputs, outputs, edge, places),
        batch_norm(f"{name}.1", outputs),
    ]


def _block_parts(name: str, inputs: int, kind: Block, before: Maps, after: Maps) -> Iterator[Part]:
    inner, number = kind.expanded, 0
    if inner != inputs:
        yield from _convolution(f"{name}.{number}", inputs, inner, 1, before)
        number += 1
    yield from _convolution(f"{name}.{number}", 1, inner, kind.edge, after)  # each map by itself
    if kind.squeezes:
        number += 1
        few = squeezed(inner)
        yield convolution(f"{name}.{number}.fc1", inner, few, 1, 1, bias=True)
        yield convolution(f"{name}.{number}.fc2", few, inner, 1, 1, bias=True)
    yield from _convolution(f"{name}.{number + 1}", inner, kind.outputs, 1, after)


def _words(kind: Block, inputs: int) -> str:
    edge = f"{kind.edge}x{kind.edge}"
    squeeze = ", squeeze and excite" if kind.squeezes else ""
    added = " + input" if kind.stride == 1 and inputs == kind.outputs else ""
    return f"{kind.expanded} maps, {edge} on each{squeeze}, 1x1 to {kind.outputs}{added}"
