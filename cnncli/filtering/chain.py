"""One or more filters on a picture, rounded once at the end."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.filtering.settings import Settings, Step, chain_range
from cnncli.filtering.weighted import opacity, weighted_response
from cnncli.images import Picture
from cnncli.ops import correlate2d, filter_image, resolve_scale, to_pixels

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Filtered:
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
    picture: Picture, steps: tuple[Step, ...], settings: Settings, threads: int | None = None
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
    between = replace(settings, scale=None, bias=0.0, range="raw")
    pixels, alpha, plans = picture.pixels, picture.alpha, []
    for step in steps[:-1]:
        pixels, plan = _apply(pixels, alpha, step, between, np.float32, threads)
        alpha = None if alpha is None else sampled_alpha(alpha, step, settings)
        plans.append(plan)
    last = replace(settings, range=mode)
    result, plan = _apply(pixels, alpha, steps[-1], last, picture.pixels.dtype, threads)
    if alpha is not None:
        alpha = sampled_alpha(alpha, steps[-1], settings)
        alpha = opacity(alpha) if mode == "raw" else alpha
    plans.append(plan)
    filtered = replace(picture, pixels=result, alpha=alpha)
    return Filtered(filtered, mode, reason, tuple(plans))


def _apply(
    pixels: Array,
    alpha: Array | None,
    step: Step,
    settings: Settings,
    dtype: Any,
    threads: int | None,
) -> tuple[Array, str]:
    if alpha is None or is_opaque(alpha):
        options: dict[str, Any] = {"scale": settings.scale, "bias": settings.bias}
        options |= {"range": settings.range, "dtype": dtype, "threads": threads}
        filtered, plan = filter_image(
            pixels, step.kernel, op=settings.op, **settings.windows(pixels.shape, step), **options
        )
        return filtered, f"{step.label}: {plan}"
    response = weighted_response(pixels, opacity(alpha), step, settings)
    # The kernels' own scales are in the response; another scale replaces that of one kernel.
    own = step.parts()[0][1] if len(step.parts()) == 1 else 1
    scale = resolve_scale(settings.scale, step.kernel) / own
    result = to_pixels(response, dtype, range=settings.range, scale=scale, bias=settings.bias)
    return result, f"{step.label}: alpha-weighted, because some pixels are transparent"


def is_opaque(alpha: Array) -> bool:
    """Say whether nothing shows through, so that the weights by alpha are all 1."""
    return bool(alpha.min() == np.iinfo(alpha.dtype).max)


def sampled_alpha(alpha: Array, step: Step, settings: Settings) -> Array:
    """Return the alpha at the anchor of each window, ``(OH, OW)``."""
    weights = step.parts()[0][0]
    anchor = np.zeros(weights.shape, np.int64)
    anchor[(weights.shape[0] - 1) // 2, (weights.shape[1] - 1) // 2] = 1
    sampled: Array = correlate2d(alpha, anchor, **settings.windows(alpha.shape, step))
    return sampled.astype(alpha.dtype)
