"""The arithmetic that made one output pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import UsageError
from cnncli.filtering.chain import apply_filters, is_opaque
from cnncli.filtering.pooling import PoolSettings, pool_picture
from cnncli.filtering.settings import Settings
from cnncli.filtering.weighted import opacity
from cnncli.images import Picture
from cnncli.ops import Kernel
from cnncli.ops.borders import border_index, pads
from cnncli.ops.pixels import combine
from cnncli.ops.pool import Span

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class KernelSum:
    """One kernel laid over the window.

    Parameters
    ----------
    window
        The pixels under the kernel.
    kernel
        The weights as they were applied (rotated for ``--op convolve``).
    scale
        The kernel's own divisor; 1 where the filter has one kernel only (see Explanation.scale).
    products
        Window times kernel.
    sum
        Of the products.
    """

    window: list[list[float]]
    kernel: list[list[float]]
    scale: int
    products: list[list[float]]
    sum: float


@dataclass(frozen=True, slots=True)
class ChannelSum:
    """One channel of the pixel.

    Parameters
    ----------
    name
        ``grey``, ``R``, ``G``, …
    sums
        One for each kernel of the filter.
    response
        The sum, or the kernels' sums over their scales, combined.
    value
        ``response / scale + bias``.
    pixel
        What is written.
    """

    name: str
    sums: list[KernelSum]
    response: float
    value: float
    pixel: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one pixel of the result came about; the fields are the keys of ``--json``.

    Parameters
    ----------
    x, y
        Column and row in the result.
    filter
        Name of the (last) filter.
    before
        Filters that were applied before it, whose unrounded result is the window.
    op, border, range
        As applied; `range` is never ``auto``.
    outside
        Which places of the window lie outside the picture.
    weighted
        Whether transparent pixels stand in the window as the mean of the visible ones.
    combine
        ``magnitude`` or ``max`` where the filter has several kernels.
    scale, bias
        Of the response.
    low, high
        Smallest and largest value of the whole picture, for the range ``minmax``.
    depth
        Type of the pixel, such as ``uint8``.
    channels
        The arithmetic, channel by channel.
    """

    x: int
    y: int
    filter: str
    before: list[str]
    op: str
    border: str
    range: str
    outside: list[list[bool]]
    weighted: bool
    combine: str | None
    scale: float
    bias: float
    low: float | None
    high: float | None
    depth: str
    channels: list[ChannelSum]


def explain_pixel(
    picture: Picture, steps: tuple[Kernel, ...], settings: Settings, x: int, y: int
) -> Explanation:
    """Return the window, kernel, products and sum of one pixel of the last filter's result.

    Parameters
    ----------
    picture, steps, settings
        As for :func:`~cnncli.filtering.chain.apply_filters`.
    x, y
        Column and row in the result.

    Raises
    ------
    UsageError
        If the place lies outside the result.
    """
    done = apply_filters(picture, steps, settings)
    refuse_outside(done.picture.pixels, x, y)
    source = _input_of_last(picture, steps, settings)
    step = steps[-1].rotated if settings.op == "convolve" else steps[-1]
    window, alpha, outside = _window_of_kernel(source, step.shape, settings, x, y)
    scale = float(step.divisor(settings.scale))
    low, high = None, None
    if done.range == "minmax":
        raw = apply_filters(picture, steps, settings._replace(range="raw")).picture.pixels
        low, high = float(raw.min()), float(raw.max())
    channels = []
    for name, values, pixel in channel_names(window, done.picture.pixels[y, x]):
        seen = [_visible(values, alpha, part.weights) for part in step.parts]
        own = [part.scale if step.partners else 1 for part in step.parts]
        sums = list(map(_kernel_sum, seen, step.parts, own))
        response = sums[0].sum
        if step.partners:
            response = combine(step, [np.array([each.sum], np.float64) for each in sums]).item()
        value = response / scale + settings.bias
        channels.append(ChannelSum(name, sums, response, value, pixel))
    return Explanation(
        x=x,
        y=y,
        filter=step.name,
        before=[each.name for each in steps[:-1]],
        op=settings.op,
        border=str(settings.border),
        range=done.range,
        outside=outside.tolist(),
        weighted=alpha is not None,
        combine=step.combine,
        scale=scale,
        bias=settings.bias,
        low=low,
        high=high,
        depth=done.picture.pixels.dtype.name,
        channels=channels,
    )


def _kernel_sum(window: Array, part: Kernel, scale: int) -> KernelSum:
    products = window * part.weights
    total = products.sum().item()
    return KernelSum(window.tolist(), part.weights.tolist(), scale, products.tolist(), total)


def refuse_outside(pixels: Array, x: int, y: int) -> None:
    """Raise UsageError if a result has no such column or row."""
    height, width = pixels.shape[:2]
    if x >= width or y >= height:
        raise UsageError(
            f"--explain {x},{y} lies outside the result of {width}x{height}; "
            f"give up to {width - 1},{height - 1}"
        )


def _window_of_kernel(
    picture: Picture, shape: tuple[int, ...], settings: Settings, x: int, y: int
) -> tuple[Array, Array | None, Array]:
    """Return what lies under a kernel: pixels, their alpha from 0 to 1, and which are outside.

    The alpha is None where the picture is opaque.
    """
    border, strides, dilations = settings.border, settings.stride, settings.dilation
    places, indices = [], []
    for axis, start in enumerate((y, x)):
        before, after = pads(shape[axis], dilations[axis], border)
        length = picture.pixels.shape[axis]
        padded = start * strides[axis] + dilations[axis] * np.arange(shape[axis])
        places.append((padded < before) | (padded >= before + length))
        mode = "edge" if border.mode == "valid" else border.mode
        indices.append(border_index(length, before, after, mode)[padded])
    outside = places[0][:, np.newaxis] | places[1]
    window = picture.pixels[np.ix_(*indices)]
    window = window.astype(np.result_type(window, np.int64))
    alpha = None
    if picture.alpha is not None and not is_opaque(picture.alpha):
        alpha = opacity(picture.alpha)[np.ix_(*indices)].astype(np.float64)
    if border.mode == "constant":
        fill = np.asarray(int(border.value) if border.value.is_integer() else border.value)
        window = np.where(outside if window.ndim == 2 else outside[..., np.newaxis], fill, window)
        alpha = None if alpha is None else np.where(outside, 1.0, alpha)
    return window, alpha, outside


def _visible(values: Array, alpha: Array | None, weights: Array) -> Array:
    """Return one channel's values as the filter takes them: hidden ones as the visible's mean."""
    if alpha is None:
        return values
    share = np.abs(weights) * alpha
    mean = (share * values).sum() / share.sum() if share.any() else 0.0
    return alpha * values + (1 - alpha) * mean


def _input_of_last(picture: Picture, steps: tuple[Kernel, ...], settings: Settings) -> Picture:
    if len(steps) == 1:
        return picture
    between = settings._replace(scale=None, bias=0.0, range="raw")
    earlier = apply_filters(picture, steps[:-1], between).picture
    if earlier.alpha is None:
        return earlier
    alpha = np.rint(earlier.alpha * 255).astype(np.uint8)  # raw results carry it from 0 to 1
    return earlier._replace(alpha=alpha)


def channel_names(pixels: Array, pixel: Any) -> list[tuple[str, Array, float]]:
    """Return name, values and the pixel's value of each channel."""
    if pixels.ndim == 2:
        return [("grey", pixels, np.asarray(pixel).item())]
    names = {3: "RGB", 4: "CMYK"}.get(len(pixel), "01234")
    planes = np.moveaxis(pixels, -1, 0)
    return list(zip(names, planes, pixel.tolist(), strict=False))


@dataclass(frozen=True, slots=True)
class PooledChannel:
    """One channel of the pixel: its window, what the mode makes of it, and what is written."""

    name: str
    window: list[list[float]]
    value: float
    pixel: float


@dataclass(frozen=True, slots=True)
class PoolExplanation:
    """How one pooled pixel came about; the fields are the keys of ``--json``.

    Parameters
    ----------
    x, y
        Column and row in the result.
    mode, range
        As asked for.
    left, top
        First column and row of the window in the picture.
    count
        Pixels in the window.
    opacity
        Alpha of the window, from 0 to 1, or None where everything is opaque.
    low, high
        Smallest and largest value of the whole result, for the range ``minmax``.
    depth
        Type of the pixel, such as ``uint8``.
    channels
        The arithmetic, channel by channel.
    """

    x: int
    y: int
    mode: str
    range: str
    left: int
    top: int
    count: int
    opacity: list[list[float]] | None
    low: float | None
    high: float | None
    depth: str
    channels: list[PooledChannel]


def explain_pooled(picture: Picture, settings: PoolSettings, x: int, y: int) -> PoolExplanation:
    """Return the window of one pooled pixel, and what its mode makes of it.

    Raises
    ------
    UsageError
        If the place lies outside the result.
    """
    done = pool_picture(picture, settings).pixels
    refuse_outside(done, x, y)
    rows, columns = (_window(picture, settings, axis, place) for axis, place in enumerate((y, x)))
    alpha = None
    if picture.alpha is not None:
        alpha = picture.alpha[rows, columns] / np.iinfo(picture.alpha.dtype).max
    low, high = None, None
    if settings.range == "minmax":
        raw = pool_picture(picture, settings._replace(range="raw")).pixels
        low, high = float(raw.min()), float(raw.max())
    channels = []
    for name, values, pixel in channel_names(picture.pixels, done[y, x]):
        seen = values[rows, columns]
        value = _pooled(seen, alpha, settings.mode)
        channels.append(PooledChannel(name, seen.tolist(), value, pixel))
    return PoolExplanation(
        x=x,
        y=y,
        mode=settings.mode,
        range=settings.range,
        left=columns.start,
        top=rows.start,
        count=(rows.stop - rows.start) * (columns.stop - columns.start),
        opacity=None if alpha is None else alpha.tolist(),
        low=low,
        high=high,
        depth=done.dtype.name,
        channels=channels,
    )


def _window(picture: Picture, settings: PoolSettings, axis: int, place: int) -> slice:
    length = picture.pixels.shape[axis]
    size = length if settings.whole else settings.size[axis]
    stride = size if settings.whole or not settings.stride else settings.stride[axis]
    edge = "partial" if settings.whole else settings.edge
    starts, stops = Span.of(length, size, stride, settings.padding[axis], edge, "axis").bounds()
    return slice(int(starts[place]), int(stops[place]))


def _pooled(window: Array, alpha: Array | None, mode: str) -> float:
    """Return what the mode makes of a window; hidden pixels take no part."""
    weights = np.ones(window.shape) if alpha is None else alpha
    seen = window[weights > 0]
    if not seen.size:
        return 0.0
    pick: Any = {"max": np.max, "min": np.min, "median": np.median}.get(mode)
    if pick:
        return float(pick(seen))
    total = (window.astype(np.float64) ** (2 if mode == "l2" else 1) * weights).sum()
    if mode == "avg":
        total /= weights.sum()
    return float(np.sqrt(total) if mode == "l2" else total)
