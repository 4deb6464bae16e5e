"""Colour weighted by alpha: what is hidden takes no part in a filter's response.

A transparent pixel counts as the mean colour of what is visible in the window:
``c' = a * c + (1 - a) * m`` with ``m = sum(|k| a c) / sum(|k| a)``. The response is then
``sum(k c') = sum(k a c) + m * (sum(k) - sum(k a))``. For a blur this is the alpha-weighted mean;
for an edge kernel a plain colour gives 0, whatever its outline. Opaque windows give exactly the
plain response.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.filtering.settings import Settings
from cnncli.ops import Border, Kernel, correlate2d
from cnncli.ops.pixels import combine

Array = NDArray[Any]


def opacity(alpha: Array) -> NDArray[np.float32]:
    """Return alpha as float32 from 0 (clear) to 1 (opaque)."""
    return np.divide(alpha, np.iinfo(alpha.dtype).max, dtype=np.float32)


def weighted_response(pixels: Array, alpha: Array, step: Kernel, settings: Settings) -> Array:
    """Return the response of one filter; that of several kernels is combined.

    Parameters
    ----------
    pixels
        ``(H, W)`` or ``(H, W, C)``.
    alpha
        ``(H, W)`` from 0 to 1.
    step, settings
        The filter, and how its windows lie.

    Returns
    -------
    ndarray
        float32, of the size that :func:`~cnncli.ops.correlate2d` gives.
    """
    step = step.rotated if settings.op == "convolve" else step
    windows = settings.windows(pixels.shape, step)
    responses = [_one_kernel(pixels, alpha, part.weights, windows) for part in step.parts]
    return combine(step, responses) if step.partners else responses[0]


def _one_kernel(pixels: Array, alpha: Array, weights: Array, windows: dict[str, Any]) -> Array:
    border = windows["border"]
    outside = Border("constant", 1.0) if border.mode == "constant" else border
    visible = pixels * (alpha if pixels.ndim == 2 else alpha[:, :, np.newaxis])

    def slide(image: Array, kernel: Array, border: Border) -> Array:
        return correlate2d(image, kernel, **{**windows, "border": border})

    response, covered = slide(visible, weights, border), slide(alpha, weights, outside)
    if (weights >= 0).all():
        sums, cover = response, covered
    else:
        sums = slide(visible, np.abs(weights), border)
        cover = slide(alpha, np.abs(weights), outside)
    missing = np.float32(weights.sum()) - covered
    if pixels.ndim == 3:
        cover, missing = cover[:, :, np.newaxis], missing[:, :, np.newaxis]
    mean = np.divide(sums, cover, out=np.zeros_like(sums), where=cover > 0)
    return response + mean * missing
