"""One call from pixels to filtered pixels: response, scale, bias, range and one rounding."""

from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.errors import UsageError
from cnncli.ops.correlate import correlate2d
from cnncli.ops.dtypes import as_kernel
from cnncli.ops.kernels import Filter, NamedFilter, NamedKernel
from cnncli.ops.plan import Plan
from cnncli.ops.ranges import nearest_fraction, resolve_range, resolve_scale, to_pixels
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
    threads: int | None = None,  # noqa: ARG001
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
        Type of the pixels; the image's by default.
    threads
        At most so many; all processors by default. The result is the same for every number.

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
    mode, _ = resolve_range(range, kernel)
    divisor = resolve_scale(scale, kernel)
    options: dict[str, Any] = {"border": border, "stride": stride, "dilation": dilation}
    if isinstance(kernel, NamedFilter):
        response = _combined(pixels, kernel, op, options)
    else:
        weights = kernel.weights if isinstance(kernel, NamedKernel) else as_kernel(kernel)
        response = correlate2d(pixels, _oriented(weights, op), **options)
    kind = np.dtype(dtype) if dtype is not None else pixels.dtype
    out = to_pixels(response, kind, range=mode, scale=divisor, bias=nearest_fraction(bias))
    return out, Plan("shifts", "one pass over the image per tap that is not 0")


def _oriented(weights: Array, op: str) -> Array:
    return weights[::-1, ::-1] if op == "convolve" else weights


def _combined(image: Array, named: NamedFilter, op: str, options: dict[str, Any]) -> Array:
    responses = (
        to_pixels(
            correlate2d(image, _oriented(each.weights, op), **options),
            np.float32,
            range="raw",
            scale=Fraction(each.scale),
        )
        for each in named.kernels
    )
    if named.combine == "max":
        return reduce(np.maximum, responses)
    total = reduce(np.add, (np.square(response) for response in responses))
    root: Array = np.sqrt(total)
    return root
