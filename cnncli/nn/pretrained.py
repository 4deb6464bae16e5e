"""Weights that others trained as a start: all but the last layer, for any input channels."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import Tensor, nn

from cnncli.config import ModelConfig, Preprocessing
from cnncli.errors import DataError
from cnncli.nn.networks import entry_of


def start_from(
    state: Mapping[str, Tensor], networks: Iterable[nn.Module], config: ModelConfig
) -> None:
    """Give networks the weights that others trained, all but the last layer's.

    Where the pictures are grey, the first kernels for red, green and blue are summed: a grey
    picture is one with three equal channels, and so the first maps are what they would be there.

    Parameters
    ----------
    state
        State dict for pictures in colour and any classes, as
        :func:`cnncli.nn.networks.pretrained_state` returns it.
    networks
        Of one kind; changed in place.
    config
        What they were made from.

    Raises
    ------
    DataError
        If the state is another network's.
    """
    for network in networks:
        own = network.state_dict()
        first = next(name for name, tensor in own.items() if tensor.ndim == 4)
        head = head_of(network)
        taken = {name for name in own if not name.startswith(head)}
        try:
            kept = {name: state[name] for name in taken if own[name].is_floating_point()}
            if kept[first].shape[1] != config.in_channels:
                whole = kept[first].sum(1, keepdim=True) / config.in_channels
                kept[first] = whole.repeat(1, config.in_channels, 1, 1)
            network.load_state_dict(own | kept)
        except (KeyError, RuntimeError, AttributeError) as error:
            raise DataError(
                f"the weights to start from are not those of {config.name} for pictures of "
                f"{config.width}x{config.height}; try --image-size 224, or leave out --pretrained"
            ) from error


def head_of(network: nn.Module) -> str:
    """Return the start of the names of the last layer's tensors, ``"fc."`` of a ResNet."""
    kinds = nn.Linear | nn.Conv2d
    return [f"{name}." for name, part in network.named_modules() if isinstance(part, kinds)][-1]


def as_trained(preprocessing: Preprocessing, name: str) -> Preprocessing:
    """Return preprocessing with the colours that a network's weights have seen.

    Grey pictures keep their own statistics.
    """
    entry = entry_of(name)
    if preprocessing.channels != len(entry.mean):
        return preprocessing
    return replace(preprocessing, mean=entry.mean, std=entry.std)
