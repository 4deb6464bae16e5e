"""ResNet-18 in torch: the parts of torchvision's, by the same names, so that its weights fit.

Built here, as importing torchvision takes longer than importing torch, and fails where the two
do not match. The tests compare both networks' outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.architecture.resnet import BLOCKS, STAGES, STEM
from cnncli.nn.norm import BatchNorm, start_as_published


class BasicBlock(nn.Module):
    """Add two 3x3 convolutions to what comes in (He, Zhang, Ren, Sun 2015).

    Parameters
    ----------
    inputs, outputs
        Channels; where they differ the input goes through a 1x1 convolution.
    stride
        Of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(outputs)
        self.downsample: nn.Module = nn.Identity()
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``relu(x + block(x))``, ``(N, outputs, ceil(H/stride), ceil(W/stride))``."""
        out = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out)) + self.downsample(x)
        return functional.relu(out, inplace=True)


class ResNet18(nn.Module):
    """Build the network of 18 layers with weights.

    Parameters
    ----------
    in_channels
        1 for greyscale, 3 for colour.
    num_classes
        Number of outputs.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, STEM, 7, 2, padding=3, bias=False)
        self.bn1 = BatchNorm(STEM)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        inputs = STEM
        for number, (channels, stride) in enumerate(STAGES, 1):
            first = BasicBlock(inputs, channels, stride)
            others = [BasicBlock(channels, channels, 1) for _ in range(BLOCKS - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *others))
            inputs = channels
        self.fc = nn.Linear(inputs, num_classes)
        start_as_published(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, C, H, W)``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # (N, 64, H/4, W/4)
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)  # (N, 512, H/32, W/32) in the end
        logits: Tensor = self.fc(torch.mean(x, (2, 3)))  # (N, num_classes)
        return logits
