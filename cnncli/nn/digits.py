"""The 1,797 handwritten digits that come with scikit-learn, in the manner of MNIST.

They are 8x8 pictures of 43 people's digits (E. Alpaydin, C. Kaynak, "Optical Recognition of
Handwritten Digits", UCI, 1998). MNIST's manner is: longest side 20 pixels, centre of mass at
pixel (14, 14) of 28x28.
"""

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.nn.splits import Split

EDGE, BOX, CENTRE = 28, 20, 14
_INK = 0.6  # of the darkest pixel: strokes as thick as MNIST's (mean 0.136, std 0.309)
_FINE = 64  # pixels of the grid on which the ink is measured


def load_digits() -> Split:
    """Return scikit-learn's digits as 28x28 pictures, white on black.

    Returns
    -------
    Split
        1,797 pictures, uint8 ``(1797, 1, 28, 28)``.
    """
    from sklearn.datasets import load_digits as load

    found = load()
    images = torch.from_numpy(found.images).float()[:, None] / 16.0
    return Split(scale_like_mnist(images), torch.from_numpy(found.target).long())


def scale_like_mnist(images: Tensor) -> Tensor:
    """Scale small digits to MNIST's box and centre.

    Parameters
    ----------
    images
        float32 in [0, 1], ``(N, 1, h, w)`` with ``h == w``, ink bright.

    Returns
    -------
    torch.Tensor
        uint8, ``(N, 1, 28, 28)``: longest side of the ink 20 pixels, centre of mass at (14, 14).
    """
    fine = functional.interpolate(images, (_FINE, _FINE), mode="bicubic", align_corners=False)
    # Blown up eightfold, edges are ramps; a steeper ramp gives them a pen stroke's sharpness.
    fine = ((fine - _INK) * 3.0 + 0.5).clamp(0, 1)
    span, centre = _extent(fine)
    scale = span / (BOX / EDGE)  # input pixels that the output's full width covers, as a share
    # grid_sample's coordinates run from -1 to 1 over the picture; (14, 14) is the centre of a
    # pixel, half a pixel right of the middle of 28.
    offset = scale[:, None] * (2 * (CENTRE + 0.5) / EDGE - 1)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = centre - offset
    shape = [len(images), 1, EDGE * 4, EDGE * 4]  # four samples a pixel and axis, then averaged
    grid = functional.affine_grid(theta, shape, align_corners=False)
    sampled = functional.grid_sample(fine, grid, align_corners=False)
    return functional.avg_pool2d(sampled, 4).mul(255).round().clamp(0, 255).to(torch.uint8)


def _extent(fine: Tensor) -> tuple[Tensor, Tensor]:
    """Return the longest side as a share of the picture, and the centre of mass in [-1, 1]."""
    ink = fine[:, 0] > 0.5
    spans = []
    for axis in (1, 2):
        line = ink.any(dim=axis).float()  # (N, 64)
        first, last = line.argmax(1), _FINE - line.flip(1).argmax(1)
        spans.append((last - first).float() / _FINE)
    mass = fine[:, 0]
    total = mass.sum((1, 2))
    position = (2 * torch.arange(_FINE) + 1) / _FINE - 1
    x = (mass.sum(1) * position).sum(1) / total
    y = (mass.sum(2) * position).sum(1) / total
    return torch.maximum(*spans), torch.stack([x, y], 1)
