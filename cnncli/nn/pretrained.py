"""Weights that others learned from ImageNet, as a start: from this machine, or downloaded once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.hub import download_url_to_file, get_dir

from cnncli.architecture import describe, tensor_shapes
from cnncli.config import IMAGENET_MEAN, IMAGENET_STD, ModelConfig, ModelName, Preprocessing
from cnncli.errors import DataError
from cnncli.nn.download import attempt

# torchvision's IMAGENET1K_V1; a name ends with the start of the file's SHA-256.
URLS: dict[ModelName, str] = {
    "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "mobilenet_v3_small": "https://download.pytorch.org/models/mobilenet_v3_small-047dcff4.pth",
}


def file_name(name: ModelName) -> str:
    """Return what torchvision calls the file of a network's ImageNet weights."""
    return URLS[name].rpartition("/")[2]


def fetch(name: ModelName) -> dict[str, Tensor]:
    """Return torchvision's ImageNet weights of a network.

    They lie where torchvision keeps them, too; what is not there is downloaded and its hash
    compared. Only tensors are read: a file cannot run code.

    Parameters
    ----------
    name
        A key of `URLS`.

    Raises
    ------
    DataError
        If they are not here and cannot be had, or the file is damaged.
    """
    folder, file = Path(get_dir(), "checkpoints"), file_name(name)
    path, what = folder / file, f"{file}, the ImageNet weights of {name},"
    advice = f"put {URLS[name]} into {folder}, or train without --pretrained"
    if not path.exists():
        with attempt(what, [URLS[name]], folder, advice):
            digest = path.stem.rpartition("-")[2]
            download_url_to_file(URLS[name], str(path), hash_prefix=digest, progress=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): value for key, value in state.items()}
    except Exception as error:  # torch raises many kinds, with many lines, for a broken file
        raise DataError(f"{path} is damaged; remove it to download it again") from error


def start_from(
    state: Mapping[str, Tensor], networks: Iterable[nn.Module], config: ModelConfig
) -> None:
    """Give networks the weights that others learned, all but the last layer's.

    Where the pictures are grey, the first kernels for red, green and blue are summed: a grey
    picture is one with three equal channels, and so the first maps are what they would be there.

    Parameters
    ----------
    state
        State dict for pictures in colour and any classes, as :func:`fetch` returns it.
    networks
        Of the architecture; changed in place.
    config
        The architecture.

    Raises
    ------
    DataError
        If the state is another network's.
    """
    shapes = tensor_shapes(config)
    first, last = next(iter(shapes)), f"{describe(config)[-1].name}."
    try:
        kept = {name: state[name] for name in shapes if not name.startswith(last)}
        if config.in_channels != kept[first].shape[1]:
            whole = kept[first].sum(1, keepdim=True) / config.in_channels
            kept[first] = whole.repeat(1, config.in_channels, 1, 1)
        for network in networks:
            network.load_state_dict(network.state_dict() | kept)
    except (KeyError, RuntimeError, AttributeError) as error:
        raise DataError(
            f"the weights to start from are not those of {config.name}; "
            f"remove {file_name(config.name)} to download it again"
        ) from error


def as_imagenet(preprocessing: Preprocessing) -> Preprocessing:
    """Return preprocessing with ImageNet's colours; grey pictures keep their own statistics."""
    if preprocessing.channels != len(IMAGENET_MEAN):
        return preprocessing
    return replace(preprocessing, mean=IMAGENET_MEAN, std=IMAGENET_STD)
