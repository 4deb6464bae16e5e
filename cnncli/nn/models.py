"""The networks, built in torch from a :class:`~cnncli.config.ModelConfig`."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from cnncli.architecture import CONV1_CHANNELS, CONV2_CHANNELS, DEEP_WIDTH, HIDDEN_UNITS
from cnncli.config import ModelConfig
from cnncli.nn.mobilenet import MobileNetV3Small
from cnncli.nn.norm import BatchNorm
from cnncli.nn.pooling import MaxPool2x2, rectified_pool
from cnncli.nn.resnet import ResNet18


class SimpleCNN(nn.Module):
    """Build the lesson's network: two convolutions, two poolings, two fully connected layers.

    The attribute names are the lesson's, so that its state dicts load. Pooling runs before ReLU:
    both keep the order of numbers, so the result is the same on a quarter of the elements.

    Parameters
    ----------
    in_channels
        1 for greyscale, 3 for colour.
    height, width
        Input size in pixels, at least 4.
    num_classes
        Number of outputs.
    """

    def __init__(
        self, in_channels: int = 1, height: int = 28, width: int = 28, num_classes: int = 10
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, CONV1_CHANNELS, 3, padding=1)
        self.pool = MaxPool2x2()
        self.conv2 = nn.Conv2d(CONV1_CHANNELS, CONV2_CHANNELS, 3, padding=1)
        self.fc1 = nn.Linear(CONV2_CHANNELS * (height // 4) * (width // 4), HIDDEN_UNITS)
        self.fc2 = nn.Linear(HIDDEN_UNITS, num_classes)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = rectified_pool(self.conv1(images), self.pool)  # (N, 16, H/2, W/2)
        x = rectified_pool(self.conv2(x), self.pool)  # (N, 32, H/4, W/4)
        x = self.relu(self.fc1(torch.flatten(x, 1)))  # (N, 128), flat in (C, H, W) order
        logits: Tensor = self.fc2(x)  # (N, num_classes)
        return logits


class ConvBlock(nn.Sequential):
    """Build a 3x3 convolution, batch normalisation (Ioffe, Szegedy 2015) and ReLU.

    Parameters
    ----------
    inputs, outputs
        Channels.
    pooled
        Whether 2x2 max pooling follows the convolution: before the rest, which then has a quarter
        of the work.
    """

    def __init__(self, inputs: int, outputs: int, *, pooled: bool = False) -> None:
        parts: dict[str, nn.Module] = {"conv": nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)}
        if pooled:
            parts["pool"] = MaxPool2x2()
        parts |= {"norm": BatchNorm(outputs), "relu": nn.ReLU(inplace=True)}
        super().__init__(OrderedDict(parts))


class Residual(nn.Module):
    """Add a block's output to its input (He, Zhang, Ren, Sun 2015).

    Parameters
    ----------
    channels
        Channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x + block(x)``, of the same shape."""
        out: Tensor = x + self.block(x)
        return out


class DeepCNN(nn.Module):
    """Build a small residual network for accuracy.

    Conv-norm-activation blocks, four scales, of which the second and the last have a residual
    block, and the maximum of each map at the end (the layout of D. Page's ResNet-9, 2018): one
    number a map instead of large fully connected layers (Lin, Chen, Yan 2013). Blocks that pool do
    so before they normalise (K. Jordan, 94 % on CIFAR-10 in 3.29 seconds on a single GPU, 2024).

    Parameters
    ----------
    in_channels
        1 for greyscale, 3 for colour.
    num_classes
        Number of outputs.
    width
        Channels of the first block; each of the two next ones that widen doubles them.
    """

    def __init__(self, in_channels: int, num_classes: int, width: int = DEEP_WIDTH) -> None:
        super().__init__()
        self.stem = ConvBlock(in_channels, width, pooled=True)
        self.widen1 = ConvBlock(width, 2 * width)
        self.residual1 = Residual(2 * width)
        self.pool = MaxPool2x2()
        self.widen2 = ConvBlock(2 * width, 4 * width, pooled=True)
        self.residual2 = Residual(4 * width)
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = self.widen1(self.stem(images))  # (N, 2w, H/2, W/2)
        x = self.pool(self.residual1(x))  # (N, 2w, H/4, W/4)
        x = self.residual2(self.widen2(x))  # (N, 4w, H/8, W/8)
        logits: Tensor = self.head(x.amax((2, 3)))  # (N, num_classes)
        return logits


def build_model(config: ModelConfig) -> nn.Module:
    """Return an untrained network of the given architecture."""
    if config.name == "simple":
        return SimpleCNN(config.in_channels, config.height, config.width, config.num_classes)
    if config.name == "deep":
        return DeepCNN(config.in_channels, config.num_classes)
    known = {"resnet18": ResNet18, "mobilenet_v3_small": MobileNetV3Small}
    return known[config.name](config.in_channels, config.num_classes)
