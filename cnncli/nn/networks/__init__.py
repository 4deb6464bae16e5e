"""The networks by name: the only place that lists them.

A new one is a file in this folder, named as the network, with ``build(config)`` in it, and one
line in `NETWORKS`. A name that is not there is a classifier of ``torchvision.models``. Nothing
here imports torch: ``--help`` and the choice of a recipe need the names alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnncli.config import IMAGENET_MEAN, IMAGENET_STD, ModelConfig
from cnncli.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """What is known of a network before it is built.

    Parameters
    ----------
    purpose
        A few words for ``--help``.
    least
        Smallest edge of its pictures.
    recipe
        What the fast recipe is changed in for it.
    least_part
        Pictures of the smallest part of a batch that a thread with a replica of the network is
        given; 0 for what gains nothing by replicas: its operations are shared out.
    tiny
        Whether its operations are too small to be shared out among threads.
    views
        Whether it can answer with the mean for several views of a picture.
    fades
        Whether the augmentation of digits gets weaker towards the last epoch.
    module
        File in this folder; by default the one with the network's name.
    pretrained
        Whether it always starts from weights that others trained.
    tuning_lr
        Highest learning rate from such weights: what they know is to be kept.
    mean, std
        Of red, green and blue in [0, 1], as those weights saw them.
    """

    purpose: str
    least: int = 1
    recipe: Mapping[str, Any] = field(default_factory=dict)
    least_part: int = 0
    tiny: bool = False
    views: bool = False
    fades: bool = False
    module: str = ""
    pretrained: bool = False
    tuning_lr: float = 1e-3
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


# Muon takes 4 % of the time of SimpleCNN's step, and gained: 63.1 % of held-out photographs instead
# of 59.3 % (2,000 to train on, 4 seeds), a log loss of 0.0163 instead of 0.0183 on held-out MNIST
# images (10 epochs, 3 seeds, lower in each; 0.0169 in the larger batches that make up for the
# time). The kernels of larger networks are matrices that would take longer than all the rest.
# What DeepCNN learns by, and what each part of it gained: docs/benchmarks-deep.md.
_MUON = {"optimizer": "muon"}
_RECORDS = {
    "optimizer": "muon-turn", "lr": 0.03, "schedule": "linear", "label_smoothing": 0.2
}  # fmt: skip
# Two threads that each learn from a part of a batch, against both together from all of it: with
# parts of 32 pictures SimpleCNN is 10 % slower, DeepCNN 10 % faster (with 56 9 %: AVX2, medians of
# 5). It normalises each part by its own statistics, and so many do as well as a larger batch: such
# "ghost batches" are said to generalise even better (Hoffer, Hubara, Soudry 2017).
NETWORKS = {
    "simple": NetworkEntry(
        "the lesson's network", 4, _MUON, least_part=64, tiny=True, views=True, fades=True
    ),
    "deep": NetworkEntry("for accuracy on small pictures", 8, _RECORDS, least_part=32, views=True),
    "photos": NetworkEntry(
        "for photographs, with features trained on ImageNet",
        64,
        module="lite0",
        pretrained=True,
        tuning_lr=3e-4,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
}
# They halve a picture five times. From 17 pixels the last kernels are laid on 2x2 values; on one,
# all but their middle would see nothing but the zeros around it.
TORCHVISION = NetworkEntry("any classifier of torchvision.models", 17, module="from_torchvision")


def entry_of(name: str) -> NetworkEntry:
    """Return what is known of a network; what is not listed here is torchvision's."""
    return NETWORKS.get(name, TORCHVISION)


def require_known(name: str) -> None:
    """Refuse a name that no network has.

    Raises
    ------
    UsageError
        If it is neither in `NETWORKS` nor a classifier of torchvision; the nearest names are told.
    """
    if name in NETWORKS:
        return
    known = [*NETWORKS, *_module(name).names()]
    if name not in known:
        near = get_close_matches(name, known, 5, 0.5) or [*NETWORKS, "resnet18"]
        raise UsageError(f"model {name!r} is unknown; the nearest names: {', '.join(near)}")


def build_network(config: ModelConfig) -> "nn.Module":
    """Return an untrained network.

    Raises
    ------
    UsageError
        If no network has the name.
    ShapeError
        If the pictures are too small for it.
    """
    require_known(config.name)
    least = entry_of(config.name).least
    if min(config.height, config.width) < least:
        raise ShapeError(
            f"{config.height}x{config.width} pixels are too few for {config.name}; "
            f"use {least}x{least} or more"
        )
    network: nn.Module = _module(config.name).build(config)
    return network


def pretrained_state(name: str) -> "Mapping[str, Tensor]":
    """Return a state dict that others trained, for pictures in colour and classes of their own.

    Raises
    ------
    UsageError
        If there is none for this network.
    DataError
        If it is not on this machine and cannot be downloaded.
    """
    require_known(name)
    fetch = getattr(_module(name), "pretrained", None)
    if fetch is None:
        raise UsageError(
            f"--pretrained has no weights for --model {name}; "
            "name a classifier of torchvision, such as resnet18, or leave out --pretrained"
        )
    state: Mapping[str, Tensor] = fetch(name)
    return state


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{entry_of(name).module or name}")
