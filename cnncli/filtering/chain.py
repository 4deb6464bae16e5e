"""One or more filters on a picture, rounded once at the end."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.filtering.settings import Settings, chain_range
from cnncli.filtering.weighted import opacity, weighted_response
from cnncli.images import Picture
from cnncli.ops import Kernel, correlate2d, filter_image, to_pixels

Array = NDArray[Any]


class Filtered(NamedTuple):
    """A filtered picture and what was done.

    Parameters
    ----------
    picture
        The result; float32 pixels for ``--range raw``.
    range
        The range mode that was used.
    reason
        Why, in a few words.
    plans
        One line a filter: the algorithm and why it was chosen.
    """

    picture: Picture
    range: str
    reason: str
    plans: tuple[str, ...]


def apply_filters(
    picture: Picture, steps: tuple[Kernel, ...], settings: Settings, threads: int | None = None
) -> Filtered:
    """Filter a picture: each filter on the unrounded result of the one before.

    Alpha is never filtered, only sampled where windows have their anchor; colour is weighted by
    it. ``scale`` and ``bias`` of the settings belong to the last filter.

    Parameters
    ----------
    picture
        What to filter.
    steps
        One or more filters.
    settings
        How to apply them.
    threads
        At most so many; all processors by default.

    Returns
    -------
    Filtered
        Pixels of the input's type, or float32 for the range ``raw``.

    Raises
    ------
    ShapeError, KernelError, UsageError
        If sizes, kernels or names do not fit.
    """
    mode, reason = chain_range(settings.range, steps)
    between = settings._replace(scale=None, bias=0.0, range="raw")
    pixels, alpha, plans = picture.pixels, picture.alpha, []
    if len(steps) > 1:
        pixels = np.asarray(pixels)  # a filter asks for rows again that the one before has made
    for number, step in enumerate(steps, 1):
        last = number == len(steps)
        done = settings._replace(range=mode) if last else between
        dtype: Any = picture.pixels.dtype if last else np.float32
        if alpha is None or is_opaque(alpha):
            options: dict[str, Any] = {"scale": done.scale, "bias": done.bias, "range": done.range}
            options |= done.windows(pixels.shape, step)
            pixels, plan = filter_image(
                pixels, step, op=done.op, dtype=dtype, threads=threads, **options
            )
            plans.append(f"{step.name}: {plan}")
        else:
            pixels = _filter_weighted(pixels, alpha, step, done, dtype)
            plans.append(f"{step.name}: alpha-weighted, because some pixels are transparent")
        alpha = None if alpha is None else sampled_alpha(alpha, step, settings)
    if alpha is not None and mode == "raw":
        alpha = opacity(alpha)
    filtered = picture._replace(pixels=pixels, alpha=alpha)
    return Filtered(filtered, mode, reason, tuple(plans))


def _filter_weighted(
    pixels: Array, alpha: Array, step: Kernel, settings: Settings, dtype: Any
) -> Array:
    response = weighted_response(pixels, opacity(alpha), step, settings)
    scale = step.divisor(settings.scale)
    return to_pixels(response, dtype, range=settings.range, scale=scale, bias=settings.bias)


def is_opaque(alpha: Array) -> bool:
    """Say whether nothing shows through, so that the weights by alpha are all 1."""
    return bool(alpha.min() == np.iinfo(alpha.dtype).max)


def sampled_alpha(alpha: Array, step: Kernel, settings: Settings) -> Array:
    """Return the alpha at the anchor of each window, ``(OH, OW)``."""
    anchor = np.zeros(step.shape, np.int64)
    anchor[(step.shape[0] - 1) // 2, (step.shape[1] - 1) // 2] = 1
    sampled: Array = correlate2d(alpha, anchor, **settings.windows(alpha.shape, step))
    return sampled.astype(alpha.dtype)
