"""Answers for several views of a picture, averaged (Krizhevsky, Sutskever, Hinton 2012)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.config import MOVES, ModelConfig


def over_views(features: Callable[[Tensor], Tensor], images: Tensor, config: ModelConfig) -> Tensor:
    """Return the mean of features over the views of each picture.

    A linear layer that follows makes of it the mean of its answers.

    Parameters
    ----------
    features
        Returns ``(N, F)`` for images ``(N, C, H, W)``.
    images
        ``(N, C, H, W)``.
    config
        Says which views there are.

    Returns
    -------
    torch.Tensor
        ``(N, F)``.
    """
    views = [images]
    if config.moved:
        height, width = images.shape[2:]
        framed = functional.pad(images, (1, 1, 1, 1), mode="replicate")
        views += [framed[:, :, 1 + y :, 1 + x :][:, :, :height, :width] for y, x in MOVES]
    if config.mirrored:
        views += [view.flip(3) for view in views]
    if len(views) == 1:
        return features(images)
    found = features(torch.cat(views))  # (V * N, F)
    return found.reshape(len(views), -1, found.shape[1]).sum(0) / len(views)
