"""What every part of a network gives, seen by torch's forward hooks."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float32]


def part_outputs(network: nn.Module, image: Array, names: Iterable[str]) -> list[tuple[str, Array]]:
    """Run one picture through a network and note what some of its parts give.

    Parameters
    ----------
    network
        Any network, in evaluation mode.
    image
        Network input ``(C, H, W)``.
    names
        Of the parts, as ``get_submodule`` finds them.

    Returns
    -------
    list
        Name and output of each part, in the order of the calls; a part that is called twice
        appears twice.
    """
    seen: list[tuple[str, Array]] = []

    def noting(name: str) -> Any:
        # A copy: what follows may work in place.
        return lambda _part, _in, out: seen.append((name, out[0].detach().float().clone().numpy()))

    parts = {name: network.get_submodule(name) for name in names}
    handles = [part.register_forward_hook(noting(name)) for name, part in parts.items()]
    try:
        with torch.inference_mode():
            network(torch.from_numpy(image)[None])
    finally:
        for handle in handles:
            handle.remove()
    return seen
