"""Any classifier of ``torchvision.models``, with its ImageNet weights if asked for."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.hub import get_dir

from cnncli.config import ModelConfig
from cnncli.errors import DataError, ShapeError
from cnncli.nn.download import attempt, import_torchvision
from cnncli.nn.norm import BatchNorm

# What some builders must be told, by the start of their name.
_ARGUMENTS: dict[str, Callable[[ModelConfig], dict[str, Any]]] = {
    "googlenet": lambda _: {"aux_logits": False, "init_weights": True},
    "inception": lambda _: {"aux_logits": False, "init_weights": True},
    "vit": lambda config: {"image_size": config.height},
    "maxvit": lambda config: {"input_size": (config.height, config.width)},
}
_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])")  # as its files spell it


def names() -> list[str]:
    """Return the names of torchvision's classifiers."""
    models = _models()
    found: list[str] = models.list_models(module=models)
    return found


def build(config: ModelConfig) -> nn.Module:
    """Return torchvision's network with a head and a first layer of the right size.

    Two things differ from torchvision's, and neither changes an answer: nothing is dropped at
    random in training, so that a resumed run needs no random state, and running statistics follow
    as fast everywhere as torch's default, since a small data set has few steps.
    """
    arguments = next((a for start, a in _ARGUMENTS.items() if config.name.startswith(start)), None)
    given = arguments(config) if arguments else {}
    try:
        network: nn.Module = _models().get_model(
            config.name, weights=None, num_classes=config.num_classes, **given
        )
    except ValueError as error:  # vision transformers are made for one size
        what = " ".join(str(error).split())[:200]
        raise ShapeError(
            f"{config.name} cannot take {config.height}x{config.width} pixels ({what}); "
            "use --image-size 224"
        ) from error
    if config.in_channels != 3:
        _take_channels(network, config.in_channels)
    for part in network.modules():
        if type(part).__name__ in ("Dropout", "StochasticDepth"):
            part.p = 0.0  # type: ignore[assignment]
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 0.1
            part.__class__ = BatchNorm  # only its forward differs
    return network


def _take_channels(network: nn.Module, channels: int) -> None:
    """Give the first convolution other input channels; its first weights stay torchvision's."""
    first = next(part for part in network.modules() if isinstance(part, nn.Conv2d))
    chosen = [channel % first.in_channels for channel in range(channels)]
    first.weight = nn.Parameter(first.weight.detach()[:, chosen].clone())
    first.in_channels = channels


def pretrained(name: str) -> dict[str, Tensor]:
    """Return torchvision's best ImageNet weights of a network, as a state dict.

    They lie where torchvision keeps them; what is not there is downloaded and its hash compared.
    Only tensors are read: a file cannot run code.

    Raises
    ------
    DataError
        If they are not here and cannot be had, or the file is damaged.
    """
    weights = _models().get_model_weights(name).DEFAULT
    path = Path(get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    what = f"{path.name}, the ImageNet weights of {name},"
    advice = f"put {weights.url} into {path.parent}, or train without --pretrained"
    here = path.exists()
    try:
        with nullcontext() if here else attempt(what, [weights.url], path.parent, advice):
            state = weights.get_state_dict(
                progress=False, check_hash=True, map_location="cpu", weights_only=True
            )
        return {_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}
    except DataError:
        raise
    except Exception as error:  # torch raises many kinds, with many lines, for a broken file
        raise DataError(f"{path} is damaged; remove it to download it again") from error


def _models() -> Any:
    return import_torchvision("use --model simple or deep").models
