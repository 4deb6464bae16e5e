"""The lesson's network."""

import torch
from torch import Tensor, nn

from cnncli.config import ModelConfig

CONV1_CHANNELS = 16  # the lesson's numbers
CONV2_CHANNELS = 32
HIDDEN_UNITS = 128


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
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(CONV1_CHANNELS, CONV2_CHANNELS, 3, padding=1)
        self.fc1 = nn.Linear(CONV2_CHANNELS * (height // 4) * (width // 4), HIDDEN_UNITS)
        self.fc2 = nn.Linear(HIDDEN_UNITS, num_classes)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = self.relu(self.pool(self.conv1(images)))  # (N, 16, H/2, W/2)
        x = self.relu(self.pool(self.conv2(x)))  # (N, 32, H/4, W/4)
        x = self.relu(self.fc1(torch.flatten(x, 1)))  # (N, 128), flat in (C, H, W) order
        logits: Tensor = self.fc2(x)  # (N, num_classes)
        return logits


def build(config: ModelConfig) -> SimpleCNN:
    """Return the network for a size of pictures and a number of classes."""
    return SimpleCNN(config.in_channels, config.height, config.width, config.num_classes)
