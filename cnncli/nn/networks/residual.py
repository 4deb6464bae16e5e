"""The network that was called ``deep`` before: kept for the files that hold its weights."""

from collections import OrderedDict

from torch import Tensor, nn

from cnncli.config import ModelConfig
from cnncli.nn.norm import BatchNorm

WIDTH = 48  # channels of the first block


class ConvBlock(nn.Sequential):
    """Build a 3x3 convolution, 2x2 max pooling if `pooled`, batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, pooled: bool = False) -> None:
        parts: dict[str, nn.Module] = {"conv": nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)}
        if pooled:
            parts["pool"] = nn.MaxPool2d(2)
        parts |= {"norm": BatchNorm(outputs), "relu": nn.ReLU(inplace=True)}
        super().__init__(OrderedDict(parts))


class Residual(nn.Module):
    """Add a block's output to its input (He, Zhang, Ren, Sun 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x + block(x)``, of the same shape."""
        out: Tensor = x + self.block(x)
        return out


class ResidualCNN(nn.Module):
    """Build the network: D. Page's ResNet-9 (2018), narrower and one residual block shorter."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem = ConvBlock(in_channels, WIDTH, pooled=True)
        self.widen1 = ConvBlock(WIDTH, 2 * WIDTH)
        self.residual1 = Residual(2 * WIDTH)
        self.pool = nn.MaxPool2d(2)
        self.widen2 = ConvBlock(2 * WIDTH, 4 * WIDTH, pooled=True)
        self.residual2 = Residual(4 * WIDTH)
        self.head = nn.Linear(4 * WIDTH, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = self.widen1(self.stem(images))  # (N, 2w, H/2, W/2)
        x = self.pool(self.residual1(x))  # (N, 2w, H/4, W/4)
        x = self.residual2(self.widen2(x))  # (N, 4w, H/8, W/8)
        logits: Tensor = self.head(x.amax((2, 3)))  # (N, num_classes)
        return logits


def build(config: ModelConfig) -> ResidualCNN:
    """Return the network for a number of channels and classes."""
    return ResidualCNN(config.in_channels, config.num_classes)
