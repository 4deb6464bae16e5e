"""ResNet-18 (He, Zhang, Ren, Sun 2015, table 1), with the names that torchvision gave its parts."""

from collections.abc import Iterator

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

STEM = 64  # channels of the first convolution
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels, stride of the first block
BLOCKS = 2  # in a stage


def resnet18(config: ModelConfig) -> list[Layer]:
    """Return the layers, one row for a block of two convolutions."""
    maps = Maps(config.height, config.width).windowed(7, 2)
    places = maps.height * maps.width
    parts = [convolution("conv1", config.in_channels, STEM, 7, places), batch_norm("bn1", STEM)]
    stem = block("conv1", "7x7 convolution, batch norm, ReLU", STEM, maps, parts, "relu")
    maps = maps.windowed(3, 2)
    channels = STAGES[-1][0]
    return [
        stem,
        block("maxpool", "3x3 max pooling", STEM, maps, []),
        *_stages(maps),
        Layer("mean", "average over the picture", (channels,)),
        linear("fc", channels, config.num_classes, "fully connected"),
    ]


def _stages(maps: Maps) -> Iterator[Layer]:
    inputs = STEM
    for number, (channels, first_stride) in enumerate(STAGES, 1):
        for index in range(BLOCKS):
            stride = first_stride if index == 0 else 1
            maps = maps.windowed(3, stride).windowed(3)
            name = f"layer{number}.{index}"
            parts = _block_parts(name, inputs, channels, maps, shortcut=inputs != channels)
            added = "input" if inputs == channels else "1x1 of the input"
            yield block(name, f"two 3x3 convolutions + {added}", channels, maps, parts)
            inputs = channels


def _block_parts(
    name: str, inputs: int, channels: int, maps: Maps, *, shortcut: bool
) -> Iterator[Part]:
    places = maps.height * maps.width
    yield convolution(f"{name}.conv1", inputs, channels, 3, places)
    yield batch_norm(f"{name}.bn1", channels)
    yield convolution(f"{name}.conv2", channels, channels, 3, places)
    yield batch_norm(f"{name}.bn2", channels)
    if shortcut:
        yield convolution(f"{name}.downsample.0", inputs, channels, 1, places)
        yield batch_norm(f"{name}.downsample.1", channels)
