"""What every part of a network gives, seen by torch's forward hooks."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float32]


def part_outputs(network: nn.Module, image: Array) -> list[tuple[str, Array]]:
    """Run one picture through a network and note what each of its parts gives.

    Parameters
    ----------
    network
        Any network, in evaluation mode; its parts are its direct children.
    image
        Network input ``(C, H, W)``.

    Returns
    -------
    list
        Name and output of each part, in the order of the calls; a part that is called twice
        appears twice.
    """
    seen: list[tuple[str, Array]] = []

    def noting(name: str) -> Any:
        return lambda _part, _in, out: seen.append((name, out[0].detach().float().numpy()))

    handles = [part.register_forward_hook(noting(name)) for name, part in network.named_children()]
    try:
        with torch.inference_mode():
            network(torch.from_numpy(image)[None])
    finally:
        for handle in handles:
            handle.remove()
    return seen
