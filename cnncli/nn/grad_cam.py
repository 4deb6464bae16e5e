"""Grad-CAM: which places of the last convolution's maps speak for a class.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", 2017, equations 1 and 2.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnncli.errors import DeviceError


def grad_cam(network: nn.Module, image: NDArray[np.float32], index: int) -> NDArray[np.float32]:
    """Weigh the last convolution's maps by what the class gains from each, and add them up.

    Parameters
    ----------
    network
        Any network with a ``Conv2d``, in evaluation mode.
    image
        Network input ``(C, H, W)``.
    index
        The class.

    Returns
    -------
    ndarray
        float32 ``(H, W)``, from 0 to 1 (all 0 where nothing speaks for the class):
        ``relu(sum over k of mean(d score / d map k) * relu(map k))``, scaled bilinearly.

    Raises
    ------
    DeviceError
        If the network has no convolution.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise DeviceError("the network has no convolution for Grad-CAM; use --method occlusion")
    seen: list[Tensor] = []
    handle = convolutions[-1].register_forward_hook(lambda _module, _in, out: seen.append(out))
    try:
        with torch.enable_grad():
            scores = network(torch.from_numpy(image)[None])
            (gradient,) = torch.autograd.grad(scores[0, index], seen[-1])
    finally:
        handle.remove()
    maps = torch.relu(seen[-1].detach())  # (1, K, h, w)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * maps).sum(dim=1, keepdim=True))
    large = nn.functional.interpolate(
        heat, size=image.shape[1:], mode="bilinear", align_corners=False
    )[0, 0]
    scaled: NDArray[np.float32] = (large / large.max().clamp_min(1e-12)).numpy()
    return scaled
