"""One call from pixels to filtered pixels: response, scale, bias, range and one rounding."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import UsageError
from cnncli.ops.dtypes import as_kernel
from cnncli.ops.kernels import Filter, NamedFilter, NamedKernel
from cnncli.ops.plan import Plan
from cnncli.ops.ranges import goal, resolve_range, resolve_scale
from cnncli.ops.run import Windows, apply_combination, apply_kernel
from cnncli.ops.windows import Border, Pair, as_image

Array = npt.NDArray[Any]


def filter_image(  # noqa: PLR0913 (one argument for each option of the command)
    image: npt.ArrayLike,
    kernel: npt.ArrayLike | Filter,
    *,
    op: str = "correlate",
    border: str | Border = "reflect",
    stride: Pair = 1,
    dilation: Pair = 1,
    scale: float | str | None = None,
    bias: float = 0.0,
    range: str = "auto",  # noqa: A002 (the name of the command's option)
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Plan]:
    """Filter an image and return pixels: ``response / scale + bias``, mapped and rounded once.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, C)``; channels are filtered by themselves, so colour that is to be
        weighted by alpha comes in premultiplied.
    kernel
        An array ``(kh, kw)``, or a named filter of :mod:`cnncli.ops.kernels`.
    op
        ``correlate``, or ``convolve`` to rotate kernels by 180 degrees first.
    border, stride, dilation
        As for :func:`~cnncli.ops.correlate.correlate2d`.
    scale
        Divisor; ``"sum"`` for the sum of the weights; ``None`` for a named kernel's own, or 1.
        A filter of several kernels keeps their own scales and divides by this one on top.
    bias
        Added after the division.
    range
        How real numbers become pixels: see :func:`~cnncli.ops.ranges.to_pixels`; ``auto`` is
        ``abs`` for kernels that sum to 0, else ``clip``.
    dtype
        Type of the pixels; the image's by default, uint8 for bool.
    threads
        At most so many; all processors by default. The result is the same for every number.
    out
        Where the pixels go, if given: an array of the result's shape and type, apart from the
        image. Fresh memory can cost more than the filter.

    Returns
    -------
    pixels
        ``(OH, OW[, C])`` of type `dtype`, or float32 for ``raw``.
    plan
        What was done and why.

    Raises
    ------
    KernelError, ShapeError, UsageError
        If kernel, sizes or names do not fit.

    Examples
    --------
    >>> pixels, plan = filter_image([[0, 0, 9, 9]], [[-1, 0, 1]], dtype="uint8")
    >>> pixels.tolist()
    [[0, 9, 9, 0]]
    """
    pixels = as_image(image)
    if op not in ("correlate", "convolve"):
        raise UsageError(f"op {op!r} is unknown; use correlate or convolve")
    weights = kernel if isinstance(kernel, NamedFilter | NamedKernel) else as_kernel(kernel)
    kind = dtype if dtype is not None else _pixel_type(pixels)
    mode, _ = resolve_range(range, weights)
    finish = goal(kind, mode, resolve_scale(scale, weights), bias)
    windows = Windows.of(border, stride, dilation)
    if isinstance(weights, NamedFilter):
        kernels = tuple(_oriented(each.weights, op) for each in weights.kernels)
        scales = tuple(each.scale for each in weights.kernels)
        return apply_combination(
            pixels, kernels, scales, weights.combine, windows, finish, threads, out
        )
    matrix = weights.weights if isinstance(weights, NamedKernel) else weights
    return apply_kernel(pixels, _oriented(matrix, op), windows, finish, threads, out)


def _oriented(weights: Array, op: str) -> Array:
    return weights[::-1, ::-1] if op == "convolve" else weights


def _pixel_type(image: Array) -> npt.DTypeLike:
    return np.uint8 if image.dtype.kind == "b" else image.dtype
