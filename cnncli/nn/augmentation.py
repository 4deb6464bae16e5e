"""Vary whole batches of pictures: stroke width, place, size, rotation, shear, mirror image, light.

All random numbers of an epoch are drawn at once from (seed, epoch): which batch or device sees
a picture, and whether the run was interrupted, changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import pi

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.config import Augmentation
from cnncli.nn.sources import Style


@dataclass(frozen=True, slots=True)
class Variations:
    """What happens to each picture of an epoch.

    Parameters
    ----------
    theta
        float32 ``(N, 2, 3)``: matrix from output to input coordinates, both in [-1, 1].
    stroke
        float32 ``(N,)`` in [-1, 1]: share of a dilation (above 0) or of an erosion (below 0).
    light
        float32 ``(N,)``: what is added to every pixel, of pixels in [0, 255].
    """

    theta: Tensor
    stroke: Tensor
    light: Tensor

    def of(self, rows: Tensor) -> "Variations":
        """Return what happens to the pictures at some positions of the epoch."""
        return self._each(lambda tensor: tensor[rows])

    def on(self, device: torch.device) -> "Variations":
        """Return the same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Variations":
        return Variations(*(change(getattr(self, field.name)) for field in fields(self)))


def augment(images: Tensor, how: Variations, style: Style) -> Tensor:
    """Vary a batch: strokes of digits, the light of photographs, the place of both.

    Parameters
    ----------
    images
        uint8, ``(N, C, H, W)``.
    how
        What happens to each.
    style
        ``"digit"`` or ``"photo"``.

    Returns
    -------
    torch.Tensor
        float32, ``(N, C, H, W)``, in [0, 255] but for what light adds.
    """
    if style == "photo":
        moved = warp(images.float(), how.theta, reflect=True)
        return moved.add_(how.light[:, None, None, None])
    return warp(vary_strokes(images, how.stroke), how.theta)


def draw_variations(
    count: int, height: int, width: int, bounds: Augmentation, generator: torch.Generator
) -> Variations:
    """Draw the variations of `count` pictures.

    Parameters
    ----------
    count
        How many.
    height, width
        Size of the pictures in pixels.
    bounds
        How far to go.
    generator
        Where the random numbers come from.
    """

    def draw(bound: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * bound

    angle, shear = draw(bounds.rotation) * (pi / 180), draw(bounds.shear) * (pi / 180)
    size = 1 + draw(bounds.scale)
    shift = torch.stack([draw(bounds.shift) * 2 / width, draw(bounds.shift) * 2 / height], 1)
    if bounds.whole_shift:  # what digits draw after this stays the same
        most = [round(bounds.whole_shift * edge) for edge in (width, height)]
        steps = [torch.randint(-far, far + 1, (count,), generator=generator) for far in most]
        shift += torch.stack([steps[0] * 2 / width, steps[1] * 2 / height], 1)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    mirror = mirror if bounds.flip else torch.ones(count)
    stroke = torch.rand(count, generator=generator) * (bounds.thicken + bounds.thin) - bounds.thin
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    # Rotation times shear, divided by the size: a smaller step in the input enlarges it. The
    # aspect keeps a rotation a rotation where the coordinates of both axes have other scales.
    aspect = height / width
    rows = [
        torch.stack([mirror * cos / size, mirror * aspect * (cos * tan - sin) / size], 1),
        torch.stack([sin / aspect / size, (sin * tan + cos) / size], 1),
    ]
    theta = torch.cat([torch.stack(rows, 1), shift[:, :, None]], 2)
    return Variations(theta, stroke, light=draw(255 * bounds.brightness))


def warp(images: Tensor, theta: Tensor, *, reflect: bool = False) -> Tensor:
    """Resample pictures along affine maps, bilinearly.

    Parameters
    ----------
    images
        float32, ``(N, C, H, W)``.
    theta
        ``(N, 2, 3)``, from output to input coordinates in [-1, 1].
    reflect
        Whether pictures continue mirrored beyond their border; else they continue with 0.

    Returns
    -------
    torch.Tensor
        float32, ``(N, C, H, W)``.
    """
    grid = _grid(theta, *images.shape[2:])
    padding = "reflection" if reflect else "zeros"
    return functional.grid_sample(images, grid, padding_mode=padding, align_corners=False)


def _grid(theta: Tensor, height: int, width: int) -> Tensor:
    """Return input coordinates ``(N, H, W, 2)`` of every output pixel.

    The same as ``affine_grid(…, align_corners=False)``, six times faster: each coordinate is a
    sum of one term by column and one by row.
    """
    x = (2 * torch.arange(width, device=theta.device) + 1) / width - 1
    y = (2 * torch.arange(height, device=theta.device) + 1) / height - 1
    columns = theta[:, :, 0, None] * x  # (N, 2, W)
    rows = theta[:, :, 1, None] * y + theta[:, :, 2, None]  # (N, 2, H)
    grid = torch.empty(len(theta), height, width, 2, device=theta.device)
    for axis in (0, 1):
        torch.add(columns[:, axis, None, :], rows[:, axis, :, None], out=grid[..., axis])
    return grid


def vary_strokes(images: Tensor, stroke: Tensor) -> Tensor:
    """Make bright strokes thicker or thinner.

    Parameters
    ----------
    images
        uint8, ``(N, 1, H, W)``, strokes bright.
    stroke
        ``(N,)``: share of the dilated (above 0) or eroded (below 0) picture in the result.

    Returns
    -------
    torch.Tensor
        float32, ``(N, 1, H, W)``.
    """
    thick, thin = _extreme(images, torch.maximum), _extreme(images, torch.minimum)
    target = torch.where(stroke[:, None, None, None] > 0, thick, thin).float()
    return torch.lerp(images.float(), target, stroke.abs()[:, None, None, None])


def _extreme(images: Tensor, pick: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the maximum (or minimum) over 3x3 windows; the border counts as itself."""
    out = images.clone()
    out[..., 1:, :] = pick(out[..., 1:, :], images[..., :-1, :])
    out[..., :-1, :] = pick(out[..., :-1, :], images[..., 1:, :])
    rows = out.clone()
    out[..., 1:] = pick(out[..., 1:], rows[..., :-1])
    out[..., :-1] = pick(out[..., :-1], rows[..., 1:])
    return out
