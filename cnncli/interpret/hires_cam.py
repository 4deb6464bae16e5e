"""HiResCAM, the Grad-CAM that does not average: which places speak for a class.

Grad-CAM (Selvaraju et al., 2017, equations 1 and 2) gives each map one weight, the mean of its
gradient over all places. That is right where the network itself averages each map before its
last layer. The lesson's network does not: its fully connected layer weighs each place of a map
by itself, for and against, and the mean throws that away. Of 150 training digits, covering the
place that Grad-CAM names costs the shipped network less than covering one at random.

HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
convolutional neural networks", 2020) multiplies gradient and map place by place instead, which
equals Grad-CAM, but for a factor, where the network averages.

Here the maps are counted from those of an empty picture. Otherwise bare paper, whose maps are
not 0, stands out wherever its emptiness speaks for a class, and covering it changes nothing.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import DeviceError

if TYPE_CHECKING:
    from torch import Tensor, nn


def hires_cam(
    network: "nn.Module",
    image: NDArray[np.float32],
    index: int,
    fill: NDArray[np.float32],
    *,
    mirrored: bool = False,
) -> NDArray[np.float32]:
    """Weigh each place of the last maps by what the class gains there, and add the maps up.

    Parameters
    ----------
    network
        Any network with convolutions, in evaluation mode.
    image
        Network input ``(C, H, W)``.
    index
        The class.
    fill
        What stands for "nothing is here": one normalised value a channel, ``(C,)``.
    mirrored
        Whether the later half of the network's views are mirror images.

    Returns
    -------
    ndarray
        float32 ``(H, W)``, above 0 where the picture speaks for the class, below 0 against it:
        ``sum over k of d score / d map k * (map k - map k of the empty picture)``, scaled
        bilinearly. Where the score is linear in the maps, these sum to the score's difference
        from the empty picture's.

    Raises
    ------
    DeviceError
        If the network has no maps, or they tell no places.
    """
    import torch

    picture = torch.from_numpy(image)
    empty = torch.from_numpy(fill)[:, None, None].expand_as(picture)
    with torch.enable_grad():
        scores, maps = _scores_and_last_maps(network, torch.stack([picture, empty]))
        (gradient,) = torch.autograd.grad(scores[0, index], maps)
    if maps.shape[2:].numel() == 1:
        size = f"{image.shape[2]}x{image.shape[1]}"
        raise DeviceError(
            f"the last maps are single values for pictures of {size}, and tell no places; "
            "use --method occlusion"
        )
    # Of every view that the network answers for, (V * 2, K, h, w): the picture's, the empty one's.
    told = maps.detach()
    heats = (gradient[::2] * (told[::2] - told[1::2])).sum(dim=1)  # (V, h, w)
    if mirrored:
        heats = torch.cat([heats[: len(heats) // 2], heats[len(heats) // 2 :].flip(2)])
    heat = heats.sum(dim=0)
    large = torch.nn.functional.interpolate(
        heat[None, None], size=image.shape[1:], mode="bilinear", align_corners=False
    )
    return large[0, 0].numpy()


def _scores_and_last_maps(network: "nn.Module", images: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return a network's scores ``(N, classes)`` and the last maps ``(N, K, h, w)`` before them."""
    from torch import nn

    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: "tuple[Tensor, ...]", output: "Tensor") -> None:
        if output.ndim == images.ndim:
            seen[:] = [output]

    handles = [
        module.register_forward_hook(keep)
        for module in network.modules()
        # What holds no convolution only picks from maps (ReLU, pooling): those know places better.
        if any(isinstance(part, nn.Conv2d) for part in module.modules())
    ]
    try:
        scores = network(images)
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise DeviceError("the network has no maps for Grad-CAM; use --method occlusion")
    return scores, seen[0]
