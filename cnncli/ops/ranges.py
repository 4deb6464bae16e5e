"""From real responses to pixels: five ways, one rounding, half up, at the end."""

from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError, UsageError
from cnncli.ops.kernels import Filter, NamedFilter, NamedKernel

Array = npt.NDArray[Any]
RangeMode = Literal["auto", "clip", "abs", "offset", "minmax", "raw"]
RANGE_MODES: tuple[str, ...] = get_args(RangeMode)


def parse_range(name: str) -> RangeMode:
    """Return the range mode of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in RANGE_MODES:
        raise UsageError(f"range {name!r} is unknown; use one of {', '.join(RANGE_MODES)}")
    return name  # type: ignore[return-value]


def resolve_range(name: str, kernel: npt.ArrayLike | Filter) -> tuple[RangeMode, str]:
    """Return what ``auto`` means for a kernel, and the reason in a few words.

    ``auto`` takes ``abs`` where the weights sum to 0, so that both signs of an edge are seen,
    else ``clip``. A weight sum counts as 0 within 1e-9 of the sum of absolute weights.

    Examples
    --------
    >>> resolve_range("auto", [[-1, 0, 1]])
    ('abs', 'the kernel sums to 0')
    """
    mode = parse_range(name)
    if mode != "auto":
        return mode, "as asked"
    if isinstance(kernel, NamedFilter):
        return "clip", "an edge strength is never negative"
    weights = np.asarray(kernel.weights if isinstance(kernel, NamedKernel) else kernel)
    if abs(weights.sum()) <= 1e-9 * np.abs(weights).sum():
        return "abs", "the kernel sums to 0"
    return "clip", f"the kernel sums to {weights.sum():g}"


def resolve_scale(scale: float | str | None, kernel: npt.ArrayLike | Filter) -> Fraction:
    """Return the divisor of the response as an exact fraction.

    Parameters
    ----------
    scale
        A number other than 0; ``"sum"`` for the sum of the weights; ``None`` for a named
        kernel's own scale, or 1.
    kernel
        What is applied.

    Raises
    ------
    KernelError
        If the scale, or the sum that it stands for, is 0 or not finite.
    """
    if isinstance(kernel, NamedFilter):
        if scale == "sum":
            raise KernelError(
                f"{kernel.name} has several kernels and no sum; give --scale a number"
            )
        return _nonzero(1 if scale is None else scale)
    if isinstance(kernel, NamedKernel):
        weights: Array = kernel.weights
        own = kernel.scale
    else:
        weights, own = np.asarray(kernel), 1
    if scale != "sum":
        return _nonzero(own if scale is None else scale)
    total = weights.sum().item()
    if abs(total) <= 1e-9 * np.abs(weights).sum():
        raise KernelError("the kernel sums to 0 and cannot be scaled by its sum; give a number")
    return nearest_fraction(total)


def _nonzero(scale: float | str) -> Fraction:
    try:
        number = float(scale)
    except ValueError:
        number = float("nan")
    if number == 0 or not np.isfinite(number):
        raise KernelError(f"scale is {scale!r}; give a number other than 0, or sum")
    return nearest_fraction(number)


def nearest_fraction(number: float) -> Fraction:
    """Return the simple fraction that a float was written as, or else its exact binary value.

    0.1 is one tenth; a number that no fraction with a denominator up to a million matches to
    double precision is taken as it is.
    """
    simple = Fraction(number).limit_denominator(10**6)
    return simple if float(simple) == float(number) else Fraction(number)


def pixel_limit(dtype: npt.DTypeLike) -> int:
    """Return white: the largest value of an integer type, 1 for floats and bool."""
    kind = np.dtype(dtype)
    return int(np.iinfo(kind).max) if kind.kind in "iu" else 1


def offset_of(dtype: npt.DTypeLike) -> Fraction:
    """Return what ``offset`` adds: the middle of the range, 128 for uint8, 32768 for uint16."""
    kind = np.dtype(dtype)
    return Fraction((pixel_limit(kind) + 1) // 2) if kind.kind in "iu" else Fraction(1, 2)


def to_pixels(
    response: Array,
    dtype: npt.DTypeLike,
    *,
    range: str = "clip",  # noqa: A002 (the name of the command's option)
    scale: float | Fraction = 1,
    bias: float | Fraction = 0,
) -> Array:
    """Turn responses into pixels: ``response / scale + bias``, mapped, rounded once.

    Rounding is half up, ``floor(x + 1/2)``. Integer responses with a scale and a bias that are
    fractions go through exact integer arithmetic; others through float32 (float64 responses
    through float64).

    Parameters
    ----------
    response
        Any shape, integers or floats. NaN becomes 0.
    dtype
        Integer type of the pixels; a float type keeps real numbers (of which ``abs``, ``offset``
        and ``minmax`` still change the values, with white = 1, and nothing is clipped).
    range
        ``clip``: outside values go to black or white. ``abs``: absolute values, then clip.
        ``offset``: plus half the range, then clip. ``minmax``: stretched so that the smallest
        value is black and the largest white. ``raw``: float32, unrounded.
    scale, bias
        Divisor and addend.

    Returns
    -------
    ndarray
        The same shape, of type `dtype`, or float32 for ``raw``.

    Examples
    --------
    >>> to_pixels(np.array([-300, -5, 5, 300]), np.uint8, range="abs", scale=2).tolist()
    [150, 3, 3, 150]
    """
    mode, kind = parse_range(range), np.dtype(dtype)
    divisor = scale if isinstance(scale, Fraction) else nearest_fraction(scale)
    addend = bias if isinstance(bias, Fraction) else nearest_fraction(bias)
    if mode == "auto":
        raise UsageError("range auto needs the kernel; resolve it with resolve_range first")
    if mode == "offset":
        addend += offset_of(kind)
    if mode == "raw" or kind.kind not in "iu":
        return _real(response, kind, mode, divisor, addend)
    if response.dtype.kind in "iu":
        exact = _exact(response, kind, mode, divisor, addend)
        if exact is not None:
            return exact
    return _rounded(_affine(response, divisor, addend), kind, mode)


def _affine(response: Array, scale: Fraction, bias: Fraction) -> Array:
    wide = response.dtype.itemsize == 8
    real: Any = np.float64 if wide else np.float32
    value: Array = response.astype(real)
    if scale != 1:
        value *= real(1 / scale)
    if bias:
        value += real(bias)
    return value


def _real(
    response: Array, kind: np.dtype[Any], mode: str, scale: Fraction, bias: Fraction
) -> Array:
    value = _affine(response, scale, bias)
    if mode == "raw":
        return value.astype(np.float32, copy=False)
    if mode == "abs":
        np.abs(value, out=value)
    if mode == "minmax":
        low, high = value.min(), value.max()
        value = (value - low) / (high - low) if high > low else np.zeros_like(value)
    return value.astype(kind, copy=False)


def _rounded(value: Array, kind: np.dtype[Any], mode: str) -> Array:
    """Map and round real values; the array is overwritten."""
    real = value.dtype.type
    info = np.iinfo(kind)
    if mode == "abs":
        np.abs(value, out=value)
    if mode == "minmax":
        low, high = np.fmin.reduce(value, axis=None), np.fmax.reduce(value, axis=None)
        value -= low
        if high > low:
            value *= real(info.max / (float(high) - float(low)))
    value += real(0.5)
    np.floor(value, out=value)
    # fmax turns NaN into black; a plain clip would hand it to the integer cast.
    np.fmax(value, real(info.min), out=value)
    np.fmin(value, real(info.max), out=value)
    return value.astype(kind)


def _exact(
    response: Array, kind: np.dtype[Any], mode: str, scale: Fraction, bias: Fraction
) -> Array | None:
    """Return exactly rounded pixels, or None where 64-bit integers could overflow.

    With ``response / scale + bias = (r * p + b) / q`` in whole numbers ``p, b, q``, half-up
    rounding is ``floor((r * p + b + floor(q / 2)) / q)``: for even q that is the definition, for
    odd q the numerator plus a half is never whole and the floor drops the same fraction.
    """
    low, high = int(response.min()), int(response.max())
    limit = np.iinfo(kind)
    if mode == "minmax":
        # Scale and bias cancel, but for the sign of the scale.
        sign = 1 if scale > 0 else -1
        p, q = sign * int(limit.max), max(high - low, 1)
        b = -p * (low if sign > 0 else high)
    else:
        factor = 1 / scale
        q = int(np.lcm(factor.denominator, bias.denominator, dtype=object))
        p, b = int(factor * q), int(bias * q)
    reach = max(abs(low), abs(high)) * abs(p) + abs(b) + q
    if reach >= 2**63:
        return None
    value = response.astype(np.int64)
    value *= p
    value += b
    if mode == "abs":
        np.abs(value, out=value)
    value += q // 2
    value //= q
    return np.clip(value, limit.min, limit.max).astype(kind)
