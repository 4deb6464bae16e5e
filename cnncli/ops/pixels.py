"""From sums of products to pixels: scale, bias, range and one rounding, half up, at the end."""

import builtins
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from cnncli.errors import UsageError
from cnncli.ops.bands import Scratch, in_type
from cnncli.ops.dtypes import integer_range, narrowest
from cnncli.ops.factors import nearest_fraction
from cnncli.ops.kernels import COMBINATIONS, Kernel

Array = npt.NDArray[Any]
Number = float | Fraction
RangeMode = Literal["auto", "clip", "abs", "offset", "minmax", "raw"]
RANGE_MODES: tuple[str, ...] = get_args(RangeMode)
_BLOCK = 1 << 18  # responses converted at a time, so that memory stays small


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


def resolve_range(name: str, kernel: npt.ArrayLike | Kernel) -> tuple[RangeMode, str]:
    """Return what ``auto`` means for a kernel, and the reason in a few words.

    ``auto`` takes ``abs`` where the weights sum to 0, so that both signs of an edge are seen,
    else ``clip``.

    Examples
    --------
    >>> resolve_range("auto", [[-1, 0, 1]])
    ('abs', 'the kernel sums to 0')
    """
    mode = parse_range(name)
    if mode != "auto":
        return mode, "as asked"
    kernel = Kernel.of(kernel)
    if kernel.combine:
        return "clip", "an edge strength is never negative"
    if kernel.sum:
        return "clip", f"the kernel sums to {kernel.sum:g}"
    return "abs", "the kernel sums to 0"


class Epilogue(NamedTuple):
    """What becomes of a response ``r``.

    Parameters
    ----------
    dtype
        Type of the output.
    mode
        ``response``: r itself. ``real``: r / scale + bias. ``clip``: that, rounded half up and
        clipped to the range of `dtype`, if that is an integer type. ``abs``: the same with the
        absolute value.
        ``minmax``: stretched from black to white; stands for a ``clip`` whose numbers
        :meth:`stretched` knows.
    scale, bias
        Exact fractions.
    origin
        Subtracted from a real response first (the start of a ``minmax`` stretch).
    clips
        Whether real values may lie outside the range of pixels.
    nan
        Whether there may be NaN, which becomes the lowest pixel, black.
    """

    dtype: np.dtype[Any]
    mode: Literal["response", "real", "clip", "abs", "minmax"] = "response"
    scale: Fraction = Fraction(1)
    bias: Fraction = Fraction(0)
    origin: float = 0.0
    clips: bool = True
    nan: bool = True

    @classmethod
    def of(cls, dtype: npt.DTypeLike, mode: str, scale: Number = 1, bias: Number = 0) -> Self:
        """Return what turns a response into pixels of a type.

        Raises
        ------
        UsageError
            If the mode is unknown or still ``auto``, or the type holds no pixels.
        """
        kind, name = np.dtype(dtype), parse_range(mode)
        if kind.kind not in "iuf" or kind.itemsize > 8:
            raise UsageError(f"pixels of type {kind} are not possible; use integers or floats")
        divisor = scale if isinstance(scale, Fraction) else nearest_fraction(scale)
        addend = bias if isinstance(bias, Fraction) else nearest_fraction(bias)
        if name == "auto":
            raise UsageError("range auto needs the kernel; resolve it with resolve_range first")
        if name == "raw":
            return cls(np.dtype(np.float32), "real", divisor, addend)
        if name == "offset":  # the middle of the range: 128 for uint8, 32768 for uint16
            middle = (integer_range(kind)[1] + 1) // 2 if kind.kind in "iu" else Fraction(1, 2)
            return cls(kind, "clip", divisor, addend + middle)
        return cls(kind, name, divisor, addend)

    @property
    def rounds(self) -> bool:
        """Whether the output is rounded."""
        return self.mode in ("clip", "abs", "minmax") and self.dtype.kind in "iu"

    def times(self, divisor: int | Fraction) -> "Epilogue":
        """Return the epilogue for responses that are `divisor` times as large."""
        return self._replace(scale=self.scale * divisor)

    def stretched(self, low: float, high: float) -> "Epilogue":
        """Return the epilogue that maps `low` to black and `high` to white.

        A negative scale turns it round. Whole numbers stay exact; a flat image becomes black.
        """
        white = np.iinfo(self.dtype).max if self.dtype.kind in "iu" else 1
        mode: Literal["clip", "real"] = "clip" if self.rounds else "real"
        if not np.isfinite([low, high]).all():
            low, high = 0, white
        reach = Fraction(high) - Fraction(low)
        scale = Fraction(reach or 1, white if self.scale > 0 else -white)
        start = low if self.scale > 0 else high
        if isinstance(low, int):
            return self._replace(mode=mode, scale=scale, bias=-Fraction(start) / scale)
        return self._replace(mode=mode, scale=scale, bias=Fraction(0), origin=float(start))

    def within(self, bounds: tuple[float, float]) -> "Epilogue":
        """Return the epilogue for finite sums in bounds: it clips where they leave the pixels."""
        ends = sorted(float(end) / float(self.scale) + float(self.bias) for end in bounds)
        if self.mode == "abs":
            ends = [0.0, max(-ends[0], ends[1])]
        least, most = integer_range(self.dtype)
        clips = ends[0] < least - 0.49 or ends[1] > most + 0.49
        return self._replace(nan=False, clips=clips)

    def exact(self, low: int, high: int) -> "Exact | None":
        """Return the whole-number form for sums in [low, high], or None where there is none."""
        if not self.rounds or self.origin:
            return None
        multiplier, addend, divisor = 1, self.bias.numerator, 1
        if self.scale != 1 or self.bias.denominator != 1:
            multiplier, addend, divisor = _over_one_denominator(self.scale, self.bias)
        least, most = sorted((low * multiplier + addend, high * multiplier + addend))
        absolute = self.mode == "abs" and least < 0
        top = max(-least, most) if absolute else most
        sums = narrowest(min(least, 0), max(top + divisor // 2, divisor))
        if sums is None:
            return None
        return Exact(multiplier, addend, divisor, absolute, least, most, self.dtype, sums)


@lru_cache(maxsize=64)  # fractions take longer than a small image
def _over_one_denominator(scale: Fraction, bias: Fraction) -> tuple[int, int, int]:
    """Return the whole numbers ``m, a, q`` with ``r / scale + bias = (m * r + a) / q``."""
    factor = 1 / scale
    divisor = factor.denominator * bias.denominator
    multiplier, addend = int(factor * divisor), int(bias * divisor)
    common = gcd(multiplier, addend, divisor)
    return multiplier // common, addend // common, divisor // common


RESPONSE = Epilogue(np.dtype(np.float64))  # the type is the response's own


class Exact(NamedTuple):
    """Rounded division in whole numbers: ``floor((m * sum + addend) / divisor + 1/2)``.

    Half up is ``floor((n + floor(q / 2)) / q)`` for a numerator n and a divisor q: for even q by
    definition; for odd q, n + q/2 is never whole and has the same floor as n + (q - 1)/2.

    Parameters
    ----------
    multiplier, addend, divisor
        Bias and scale over one denominator.
    absolute
        Whether the quotient's absolute value is rounded instead.
    low, high
        Bounds of the numerator.
    dtype
        Of the pixels.
    sums
        The narrowest type that holds the divisor and all values before it divides.
    """

    multiplier: int
    addend: int
    divisor: int
    absolute: bool
    low: int
    high: int
    dtype: np.dtype[Any]
    sums: np.dtype[Any]

    def apply(self, sums: Array) -> Array:
        """Return sums, which are overwritten, as pixels before their last conversion."""
        one, half, add = sums.dtype.type, self.divisor // 2, self.addend
        low, high = self.low, self.high
        if self.multiplier != 1:
            np.multiply(sums, in_type(self.multiplier, sums.dtype), out=sums)
        if self.absolute:
            if add:
                np.add(sums, in_type(add, sums.dtype), out=sums)
            np.absolute(sums, out=sums)
            low, high, add = 0, max(-low, high), 0
        if add + half:
            np.add(sums, in_type(add + half, sums.dtype), out=sums)
        if self.divisor > 1:
            shift = self.divisor.bit_length() - 1
            if self.divisor == 1 << shift:
                np.right_shift(sums, one(shift), out=sums)
            else:
                np.floor_divide(sums, one(self.divisor), out=sums)
        (least, most), limits = integer_range(self.dtype), integer_range(sums.dtype)
        if (low + half) // self.divisor < least or (high + half) // self.divisor > most:
            sums.clip(one(max(least, limits[0])), one(min(most, limits[1])), out=sums)
        return sums


def real_pixels(response: Array, epilogue: Epilogue, precision: Any, scratch: Scratch) -> Array:
    """Return responses, which may be overwritten, as real values or pixels, not yet converted."""
    value = converted(response, precision, scratch)
    one = value.dtype.type
    if epilogue.origin:
        np.subtract(value, one(epilogue.origin), out=value)
    divide(value, epilogue.scale)
    if epilogue.bias:
        np.add(value, one(epilogue.bias), out=value)
    if epilogue.mode == "abs":
        np.absolute(value, out=value)
    if epilogue.rounds:
        least, most = integer_range(epilogue.dtype)
        if epilogue.clips:
            top = one(most)
            value.clip(one(least), np.nextafter(top, one(0)) if int(top) > most else top, out=value)
        if epilogue.nan:
            np.copyto(value, one(least), where=np.isnan(value))
        np.add(value, one(0.5), out=value)
        if least < 0:
            np.floor(value, out=value)  # the cast truncates: enough where nothing is negative
    return value


def converted(response: Array, dtype: Any, scratch: Scratch) -> Array:
    """Return responses as numbers of a type."""
    if response.dtype == dtype:
        return response
    value = scratch.empty(response.shape, dtype)
    np.copyto(value, response, "unsafe")
    return value


def combine(kernel: Kernel, responses: list[Array]) -> Array:
    """Divide real responses by their kernels' scales and make one of them; all are overwritten."""
    for response, part in zip(responses, kernel.parts, strict=True):
        divide(response, Fraction(part.scale))
    return COMBINATIONS[kernel.combine or ""](responses)


def divide(value: Array, scale: Fraction) -> None:
    """Divide real numbers in place by a fraction, rounded as seldom as its numbers allow."""
    one = value.dtype.type
    top, bottom = scale.numerator, scale.denominator
    if max(abs(top), bottom) >= 2**24:
        np.multiply(value, one(float(1 / scale)), out=value)
        return
    if bottom != 1:
        np.multiply(value, one(bottom), out=value)
    if top != 1:
        np.divide(value, one(top), out=value)


def extremes(values: npt.ArrayLike) -> tuple[Any, Any]:
    """Return the smallest and the largest value that is a number."""
    return np.fmin.reduce(values, axis=None).item(), np.fmax.reduce(values, axis=None).item()


def to_pixels(
    response: Array,
    dtype: npt.DTypeLike,
    *,
    range: str = "clip",  # noqa: A002 (the name of the command's option)
    scale: Number = 1,
    bias: Number = 0,
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
    epilogue = Epilogue.of(dtype, range, scale, bias)
    if epilogue.mode == "minmax":
        epilogue = epilogue.stretched(*extremes(response))
    out = np.empty(response.shape, epilogue.dtype)
    flat, pixels, scratch = response.reshape(-1), out.reshape(-1), Scratch()
    with np.errstate(over="ignore", invalid="ignore"):
        for start in builtins.range(0, flat.size, _BLOCK):
            part = slice(start, start + _BLOCK)
            np.copyto(pixels[part], _finished(flat[part], epilogue, scratch), "unsafe")
            scratch.reset()
    return out


def _finished(response: Array, epilogue: Epilogue, scratch: Scratch) -> Array:
    """Return a block of responses, which stay as they are, as pixels before the last conversion."""
    form = None
    if response.dtype.kind in "iu":
        form = epilogue.exact(int(response.min()), int(response.max()))
    precision = np.dtype(np.float64 if response.dtype.itemsize == 8 else np.float32)
    values = scratch.empty(response.shape, precision if form is None else np.int64)
    np.copyto(values, response, "unsafe")
    return real_pixels(values, epilogue, precision, scratch) if form is None else form.apply(values)
