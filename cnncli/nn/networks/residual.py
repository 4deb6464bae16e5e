"""The network that was called ``deep`` before: kept for the files that hold its weights."""

from torch import Tensor, nn

from cnncli.config import ModelConfig
from cnncli.nn.networks.deep import ConvBlock

WIDTH = 48  # channels of the first block


class Residual(nn.Module):
    """Add a block's output to its input (He, Zhang, Ren, Sun 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = ConvBlock(channels, channels, activation=nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x + block(x)``, of the same shape."""
        out: Tensor = x + self.block(x)
        return out


class ResidualCNN(nn.Module):
    """Build the network: D. Page's ResNet-9 (2018), with two blocks at each halving."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        relu = nn.ReLU()
        self.stem = ConvBlock(config.in_channels, WIDTH, nn.MaxPool2d(2), relu)
        self.widen1 = ConvBlock(WIDTH, 2 * WIDTH, activation=relu)
        self.residual1 = Residual(2 * WIDTH)
        self.pool = nn.MaxPool2d(2)
        self.widen2 = ConvBlock(2 * WIDTH, 4 * WIDTH, nn.MaxPool2d(2), relu)
        self.residual2 = Residual(4 * WIDTH)
        self.head = nn.Linear(4 * WIDTH, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = self.widen1(self.stem(images))  # (N, 2w, H/2, W/2)
        x = self.pool(self.residual1(x))  # (N, 2w, H/4, W/4)
        x = self.residual2(self.widen2(x))  # (N, 4w, H/8, W/8)
        logits: Tensor = self.head(x.amax((2, 3)))  # (N, num_classes)
        return logits


build = ResidualCNN
