"""A network that learns small pictures fast, after the record runs on CIFAR-10.

The layout is K. Jordan's (94 % on CIFAR-10 in 3.29 seconds on a single GPU, 2024), who took the
whitening from D. Page (How to train your ResNet, 2018).
"""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import Tensor, nn

from cnncli.config import ModelConfig
from cnncli.nn.networks.views import over_views
from cnncli.nn.norm import BatchNorm

WIDTHS = (48, 192, 192)  # maps of each group
PATCH = 2  # edge of what is whitened
_SHRINK = 1 / 9  # of what the head sees, which then learns as much slower
_EPSILON = 5e-4  # what hardly varies is not blown up


class ConvBlock(nn.Sequential):
    """Build a 3x3 convolution, batch normalisation (Ioffe, Szegedy 2015) and GELU.

    The first kernels begin by handing their map on as it is (dirac start).

    Parameters
    ----------
    inputs, outputs
        Channels.
    pool
        Follows the convolution, so that the rest has a quarter of the work; by default nothing.
    """

    def __init__(self, inputs: int, outputs: int, pool: nn.Module | None = None) -> None:
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        with torch.no_grad():
            nn.init.dirac_(conv.weight[:inputs])
        parts: dict[str, nn.Module] = {"conv": conv}
        if pool:
            parts["pool"] = pool
        parts |= {"norm": BatchNorm(outputs), "activation": nn.GELU()}
        super().__init__(OrderedDict(parts))


class DeepCNN(nn.Module):
    """Build the network.

    Whitened patches, three groups of two convolutions, each at half the scale of the one before,
    and the maximum of each map at the end (Lin, Chen, Yan 2013): it takes pictures of any size.

    Parameters
    ----------
    config
        Channels, number of classes, and views.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.whiten = nn.Conv2d(config.in_channels, 2 * PATCH**2 * config.in_channels, PATCH)
        self.whiten.weight.requires_grad_(False)
        self.gelu = nn.GELU()
        self.groups = nn.Sequential()
        sizes = pairwise((self.whiten.out_channels, *WIDTHS))
        # Of 8x8 pixels a single one is left for the last.
        pools = (nn.MaxPool2d(2), nn.MaxPool2d(2), nn.MaxPool2d(2, ceil_mode=True))
        for (inputs, outputs), pool in zip(sizes, pools, strict=True):
            self.groups.append(ConvBlock(inputs, outputs, pool))
            self.groups.append(ConvBlock(outputs, outputs))
        self.head = nn.Linear(WIDTHS[-1], config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        if self.training:
            x = self.features(images)
        else:
            x = over_views(self.features, images, self.config)
        logits: Tensor = self.head(x * _SHRINK)  # (N, num_classes)
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return the largest value of each of the last maps, ``(N, 192)``."""
        x = self.gelu(self.whiten(images))  # (N, 8C, H-1, W-1)
        largest: Tensor = self.groups(x).amax((2, 3))
        return largest

    @torch.no_grad()
    def see(self, images: Tensor) -> None:
        """Let the first convolution tell patches apart as these pictures' patches differ.

        Its kernels become the directions in which patches vary, each with both signs and divided
        by how far they do: what it gives is about equally large in all of them.

        Parameters
        ----------
        images
            float32 ``(N, C, H, W)``, normalised.
        """
        channels = images.shape[1]
        patches = nn.functional.unfold(images, PATCH)  # (N, 4C, places)
        patches = patches.transpose(1, 2).flatten(0, 1)  # (N * places, 4C)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        kernels = (directions / (variances + _EPSILON).sqrt()).T
        kernels = kernels.reshape(-1, channels, PATCH, PATCH)
        self.whiten.weight.copy_(torch.cat([kernels, -kernels]))


build = DeepCNN
