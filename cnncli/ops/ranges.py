"""From real responses to pixels: five ways, one rounding, half up, at the end."""

import builtins
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import KernelError, UsageError
from cnncli.ops.dtypes import is_finite
from cnncli.ops.factors import nearest_fraction
from cnncli.ops.finish import Finish, exact, narrowest, record_exact, record_real
from cnncli.ops.kernels import Filter, NamedFilter, NamedKernel
from cnncli.ops.program import Arena, Program

Array = npt.NDArray[Any]
RangeMode = Literal["auto", "clip", "abs", "offset", "minmax", "raw"]
_BLOCK = 1 << 18  # responses converted at a time, so that memory stays small
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


def offset_of(dtype: np.dtype[Any]) -> Fraction:
    """Return what ``offset`` adds: the middle of the range, 128 for uint8, 32768 for uint16."""
    return Fraction((int(np.iinfo(dtype).max) + 1) // 2) if dtype.kind in "iu" else Fraction(1, 2)


def goal(
    dtype: npt.DTypeLike, mode: str, scale: float | Fraction = 1, bias: float | Fraction = 0
) -> Finish:
    """Return what turns a response into pixels of a type.

    Raises
    ------
    UsageError
        If the mode is unknown or still ``auto``, or the type holds no pixels.
    """
    kind, name = np.dtype(dtype), parse_range(mode)
    if kind.kind not in "iuf" or kind.itemsize > 8:
        raise UsageError(f"pixels of type {kind} are not possible; use integers or floats")
    if name == "auto":
        raise UsageError("range auto needs the kernel; resolve it with resolve_range first")
    divisor = scale if isinstance(scale, Fraction) else nearest_fraction(scale)
    addend = bias if isinstance(bias, Fraction) else nearest_fraction(bias)
    if name == "raw":
        return Finish(np.dtype(np.float32), "real", divisor, addend)
    if name == "offset":
        return Finish(kind, "clip", divisor, addend + offset_of(kind))
    return Finish(kind, name, divisor, addend)


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
    fractions go through exact integer arithmetic; others through float32 (float64 for 64-bit
    responses).

    Parameters
    ----------
    response
        Any shape, integers or floats. NaN becomes black.
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
    finish = goal(dtype, range, scale, bias)
    if finish.mode == "minmax":
        low, high = np.fmin.reduce(response, axis=None), np.fmax.reduce(response, axis=None)
        finish = finish.stretched(low.item(), high.item())
    if response.dtype == finish.dtype and finish == Finish(finish.dtype, "clip"):
        return response.copy()
    wide = response.dtype.itemsize == 8
    finish = finish._replace(precision=np.dtype(np.float64 if wide else np.float32))
    out = np.empty(response.shape, finish.dtype)
    flat, pixels = response.reshape(-1), out.reshape(-1)
    arena = Arena.borrow()
    with np.errstate(over="ignore", invalid="ignore"):
        for start in builtins.range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            np.copyto(pixels[part], _finished(flat[part], finish, Program(arena)), "unsafe")
            arena.rewind()
    arena.give_back()
    return out


def _finished(flat: Array, finish: Finish, program: Program) -> Array:
    """Return a block of responses with everything done but the last conversion."""
    result = _record_whole_numbers(program, flat, finish) if flat.dtype.kind in "iu" else None
    if result is None:
        finish = finish._replace(finite=is_finite(flat[np.newaxis]))
        values = program.empty(flat.size, finish.precision)
        np.copyto(values, flat, "unsafe")
        result = record_real(program, values, finish)
    program.run()
    return result


def _record_whole_numbers(program: Program, flat: Array, finish: Finish) -> Array | None:
    """Record exact steps on integers; return None where the result is real or leaves 64 bits."""
    form = exact(np.ones((1, 1), np.int64), finish) if finish.to_integers else None
    if form is None:
        return None
    weight = int(form.weights[0, 0])
    bounds = sorted((int(flat.min()) * weight, int(flat.max()) * weight))
    if narrowest(*form.numerators(bounds[0], bounds[1])) is None:
        return None
    sums = program.empty(flat.size, np.int64)
    program.call(np.multiply, flat, np.int64(weight), sums)
    return record_exact(program, sums, form, (bounds[0], bounds[1]), finish.dtype)
