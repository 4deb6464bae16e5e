"""MobileNetV3-Small in torch: the parts of torchvision's, by the same names: its weights fit.

Two things differ from torchvision's, and neither changes an answer: nothing is dropped out while
learning, so that a resumed run needs no random state, and running statistics follow ten times
as fast, since a small data set has few steps.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.architecture.mobilenet import BLOCKS, HIDDEN, LAST, STEM, Block, squeezed
from cnncli.nn.norm import BatchNorm, start_as_published

_EPSILON = 1e-3  # of batch norm, as in the published weights
_CLASSIFIER_STD = 0.01  # of the fully connected layers' first weights


class ConvNorm(nn.Sequential):
    """Build a convolution, batch normalisation, and possibly an activation.

    Parameters
    ----------
    inputs, outputs
        Channels.
    edge, stride
        Of the kernels; the border is padded with zeros.
    groups
        `inputs` of them give each map its own kernel.
    activation
        What follows, if anything.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        edge: int,
        stride: int = 1,
        *,
        groups: int = 1,
        activation: type[nn.ReLU | nn.Hardswish] | None = None,
    ) -> None:
        parts: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, edge, stride, padding=edge // 2, groups=groups, bias=False),
            BatchNorm(outputs, eps=_EPSILON),
        ]
        super().__init__(*parts, *([activation(inplace=True)] if activation else []))


class SqueezeExcite(nn.Module):
    """Weigh each map by what the means of all maps say (Hu, Shen, Sun 2017).

    Parameters
    ----------
    channels
        Of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed(channels), 1)
        self.fc2 = nn.Conv2d(squeezed(channels), channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weighted maps, of the same shape."""
        means = torch.mean(maps, (2, 3), keepdim=True)
        hidden = functional.relu(self.fc1(means), inplace=True)
        return functional.hardsigmoid(self.fc2(hidden)) * maps


class InvertedResidual(nn.Module):
    """Widen, filter each map by itself, narrow again (Sandler et al. 2018).

    Parameters
    ----------
    inputs
        Channels.
    kind
        The numbers of the block.
    """

    def __init__(self, inputs: int, kind: Block) -> None:
        super().__init__()
        self.block = nn.Sequential(*_inside(inputs, kind))
        self.adds = kind.stride == 1 and inputs == kind.outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, outputs, ceil(H/stride), ceil(W/stride))``."""
        out: Tensor = self.block(x)
        return out + x if self.adds else out


def _inside(inputs: int, kind: Block) -> Iterator[nn.Module]:
    activation = nn.Hardswish if kind.swishes else nn.ReLU
    inner = kind.expanded
    if inner != inputs:
        yield ConvNorm(inputs, inner, 1, activation=activation)
    yield ConvNorm(inner, inner, kind.edge, kind.stride, groups=inner, activation=activation)
    if kind.squeezes:
        yield SqueezeExcite(inner)
    yield ConvNorm(inner, kind.outputs, 1)


class MobileNetV3Small(nn.Module):
    """Build the network.

    Parameters
    ----------
    in_channels
        1 for greyscale, 3 for colour.
    num_classes
        Number of outputs.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        before = [STEM, *(kind.outputs for kind in BLOCKS)]
        self.features = nn.Sequential(
            ConvNorm(in_channels, STEM, 3, 2, activation=nn.Hardswish),
            *(InvertedResidual(c, kind) for c, kind in zip(before, BLOCKS, strict=False)),
            ConvNorm(before[-1], LAST, 1, activation=nn.Hardswish),
        )
        self.classifier = nn.Sequential(
            nn.Linear(LAST, HIDDEN),
            nn.Hardswish(),
            nn.Identity(),  # the place of torchvision's dropout
            nn.Linear(HIDDEN, num_classes),
        )
        start_as_published(self)
        for part in self.classifier:
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=_CLASSIFIER_STD)
                nn.init.zeros_(part.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        maps = self.features(images)  # (N, 576, H/32, W/32)
        logits: Tensor = self.classifier(torch.mean(maps, (2, 3)))  # (N, num_classes)
        return logits
