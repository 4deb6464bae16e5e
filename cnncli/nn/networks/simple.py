"""The lesson's network."""

import torch
from torch import Tensor, nn

from cnncli.config import ModelConfig
from cnncli.nn.networks.views import over_views

CONV1_CHANNELS = 16  # the lesson's numbers
CONV2_CHANNELS = 32
HIDDEN_UNITS = 128


class SimpleCNN(nn.Module):
    """Build the lesson's network: two convolutions, two poolings, two fully connected layers.

    The attribute names are the lesson's, so that its state dicts load. Pooling runs before ReLU:
    both keep the order of numbers, so the result is the same on a quarter of the elements.

    Parameters
    ----------
    config
        Size of the pictures, at least 4x4, channels, number of classes, and views.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv2d(config.in_channels, CONV1_CHANNELS, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(CONV1_CHANNELS, CONV2_CHANNELS, 3, padding=1)
        height, width = config.height // 4, config.width // 4  # after both poolings
        self.fc1 = nn.Linear(CONV2_CHANNELS * height * width, HIDDEN_UNITS)
        self.fc2 = nn.Linear(HIDDEN_UNITS, config.num_classes)
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        if self.training:
            x = self.features(images)
        else:
            x = over_views(self.features, images, self.config)
        logits: Tensor = self.fc2(x)  # (N, num_classes)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return what the last layer sees, ``(N, 128)``."""
        x = self.relu(self.pool(self.conv1(images)))  # (N, 16, H/2, W/2)
        x = self.relu(self.pool(self.conv2(x)))  # (N, 32, H/4, W/4)
        hidden: Tensor = self.relu(self.fc1(torch.flatten(x, 1)))  # flat in (C, H, W) order
        return hidden


build = SimpleCNN
