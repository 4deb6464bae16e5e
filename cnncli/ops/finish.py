"""The last steps from a response to the output, recorded for a tile.

:func:`~cnncli.ops.ranges.to_pixels` says what they mean, for whole arrays; these are the same
operations in the same order, in the narrowest integers that hold them.
"""

from fractions import Fraction
from functools import partial
from math import gcd
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.program import Program, scalar

Array = npt.NDArray[Any]

_INTEGERS = (np.uint16, np.int16, np.uint32, np.int32, np.int64)


_FLOAT32: np.dtype[Any] = np.dtype(np.float32)


class Finish(NamedTuple):
    """What becomes of a response ``r``.

    Parameters
    ----------
    dtype
        Type of the output.
    mode
        ``response``: r itself. ``real``: r / scale + bias. ``clip``: that, rounded half up and
        clipped to the range of `dtype`. ``abs``: the same with the absolute value. ``minmax``:
        stretched from black to white; stands for a ``clip`` whose numbers :meth:`stretched` knows.
    scale, bias
        Exact fractions.
    origin
        Subtracted from a real response first (the start of a ``minmax`` stretch).
    precision
        Type of real values: float32 or float64.
    finite
        Whether all responses are known to be finite.
    bounds
        Of the response, where they are known: they may show that nothing needs clipping.
    """

    dtype: np.dtype[Any]
    mode: Literal["response", "real", "clip", "abs", "minmax"] = "response"
    scale: Fraction = Fraction(1)
    bias: Fraction = Fraction(0)
    origin: float = 0.0
    precision: np.dtype[Any] = _FLOAT32
    finite: bool = False
    bounds: tuple[float, float] | None = None

    @property
    def needs_clipping(self) -> bool:
        """Whether rounded values may lie outside the range of `dtype`, errors of 1 % included."""
        if self.bounds is None:
            return True
        ends = [float((Fraction(end) / self.scale) + self.bias) for end in self.bounds]
        low, high = min(ends), max(ends)
        if self.mode == "abs":
            low, high = 0.0, max(-low, high)
        info = np.iinfo(self.dtype)
        return low < info.min - 0.49 or high > info.max + 0.49

    def stretched(self, low: float, high: float) -> "Finish":
        """Return the finish that maps `low` to black and `high` to white.

        A negative scale turns it round. Whole numbers stay exact; a flat image becomes black.
        """
        white = np.iinfo(self.dtype).max if self.dtype.kind in "iu" else 1
        mode: Literal["clip", "real"] = "clip" if self.to_integers else "real"
        if not np.isfinite([low, high]).all():
            low, high = 0, white
        reach = Fraction(high) - Fraction(low)
        scale = Fraction(reach or 1, white if self.scale > 0 else -white)
        start = low if self.scale > 0 else high
        if isinstance(low, int):
            return self._replace(mode=mode, scale=scale, bias=-Fraction(start) / scale)
        return self._replace(mode=mode, scale=scale, bias=Fraction(0), origin=float(start))

    @property
    def to_integers(self) -> bool:
        """Whether the output is rounded."""
        return self.mode in ("clip", "abs", "minmax") and self.dtype.kind in "iu"


class Exact(NamedTuple):
    """Rounded division in whole numbers: ``floor((sum(w * x) + addend) / divisor + 1/2)``.

    Half up is ``floor((m + floor(q / 2)) / q)`` for a numerator m and a divisor q: for even q by
    definition; for odd q, m + q/2 is never whole and has the same floor as m + (q - 1)/2.

    Parameters
    ----------
    weights
        The kernel times the numerator of 1/scale.
    addend, divisor
        Bias and scale over one denominator.
    absolute
        Whether the quotient's absolute value is rounded instead.
    """

    weights: Array
    addend: int
    divisor: int
    absolute: bool

    def numerators(self, low: int, high: int) -> tuple[int, int]:
        """Return bounds of the divisor and of all values before it divides, from those of sums."""
        least, most = low + self.addend, high + self.addend
        if self.absolute:
            least, most = min(least, 0), max(abs(least), abs(most))
        half = self.divisor // 2
        return least, max(most + half, self.divisor)


def exact(weights: Array, finish: Finish) -> Exact | None:
    """Return the whole-number form of a finish, or None if its numbers leave 64 bits."""
    factor = 1 / finish.scale
    divisor = factor.denominator * finish.bias.denominator
    multiplier, addend = int(factor * divisor), int(finish.bias * divisor)
    reach = max(-int(weights.min()), int(weights.max())) * abs(multiplier)
    if max(reach, abs(addend), divisor) >= 2**62:
        return None
    scaled = weights * multiplier
    common = gcd(int(np.gcd.reduce(scaled, axis=None)), addend, divisor)
    return Exact(scaled // common, addend // common, divisor // common, finish.mode == "abs")


def narrowest(low: int, high: int) -> np.dtype[Any] | None:
    """Return the first of uint16, int16, uint32, int32, int64 that holds [low, high], or None."""
    for kind in _INTEGERS:
        info = np.iinfo(kind)
        if info.min <= low and high <= info.max:
            return np.dtype(kind)
    return None


def record_exact(
    program: Program, sums: Array, form: Exact, bounds: tuple[int, int], kind: Any
) -> Array:
    """Record the steps from integer sums to pixels of integer type `kind`, before the last cast.

    Parameters
    ----------
    program
        Takes the calls.
    sums
        Flat sums of products, which are overwritten.
    form
        What to compute.
    bounds
        Of the sums.
    kind
        Integer type of the pixels.
    """
    sums = _as_integers(program, sums, form, bounds)
    one: Any = sums.dtype.type
    low, high = bounds[0] + form.addend, bounds[1] + form.addend
    half = form.divisor // 2
    if form.absolute and low < 0:
        if form.addend:
            program.call(np.add, sums, scalar(form.addend, sums.dtype), sums)
        program.call(np.absolute, sums, sums)
        low, high, add = 0, max(-low, high), half
    else:
        add = form.addend + half
    if add:
        program.call(np.add, sums, scalar(add, sums.dtype), sums)
    if form.divisor > 1:
        shift = form.divisor.bit_length() - 1
        if form.divisor == 1 << shift:
            program.call(np.right_shift, sums, one(shift), sums)
        else:
            program.call(np.floor_divide, sums, one(form.divisor), sums)
    info = np.iinfo(kind)
    if (low + half) // form.divisor < info.min or (high + half) // form.divisor > info.max:
        limits = np.iinfo(sums.dtype)
        floor, top = one(max(info.min, limits.min)), one(min(info.max, limits.max))
        program.call(partial(sums.clip, floor, top, out=sums))
    return sums


def _as_integers(program: Program, sums: Array, form: Exact, bounds: tuple[int, int]) -> Array:
    """Record the conversion of whole numbers that a transform left in floats."""
    if sums.dtype.kind != "f":
        return sums
    whole = program.empty(sums.size, narrowest(*form.numerators(*bounds)))
    program.call(np.copyto, whole, sums, "unsafe")
    return whole


def record_real(program: Program, response: Array, finish: Finish) -> Array:
    """Record the steps from a response to real values or, in floats, to pixels before the cast.

    Parameters
    ----------
    program
        Takes the calls.
    response
        Flat; numbers of another type than `finish.precision` are converted first, others are
        overwritten.
    finish
        What to compute; `finish.dtype` alone decides whether to round.
    """
    value = _as_real(program, response, finish.precision)
    one: Any = value.dtype.type
    if finish.origin:
        program.call(np.subtract, value, one(finish.origin), value)
    _record_division(program, value, finish.scale)
    if finish.bias:
        program.call(np.add, value, one(finish.bias), value)
    if finish.mode == "abs":
        program.call(np.absolute, value, value)
    if finish.to_integers:
        _record_rounding(program, value, finish)
    return value


def _as_real(program: Program, response: Array, precision: np.dtype[Any]) -> Array:
    if response.dtype == precision:
        return response
    value = program.empty(response.size, precision)
    program.call(np.copyto, value, response, "unsafe")
    return value


def _record_division(program: Program, value: Array, scale: Fraction) -> None:
    """Record the division by a fraction, rounded as seldom as its numbers allow."""
    one: Any = value.dtype.type
    top, bottom = scale.numerator, scale.denominator
    if max(abs(top), bottom) >= 2**24:
        program.call(np.multiply, value, one(float(1 / scale)), value)
        return
    if bottom != 1:
        program.call(np.multiply, value, one(bottom), value)
    if top != 1:
        program.call(np.divide, value, one(top), value)


def _record_rounding(program: Program, value: Array, finish: Finish) -> None:
    """Record clipping and floor(x + 1/2); NaN becomes the lowest value, black, at some cost."""
    one: Any = value.dtype.type
    info = np.iinfo(finish.dtype)
    top = one(info.max)
    if int(top) > info.max:
        top = np.nextafter(top, one(0))
    if not finish.finite:
        program.call(np.fmax, value, one(info.min), value)
        program.call(np.fmin, value, top, value)
    elif finish.needs_clipping:
        program.call(partial(value.clip, one(info.min), top, out=value))
    program.call(np.add, value, one(0.5), value)
    if info.min < 0:
        program.call(np.floor, value, value)  # the cast truncates: enough where nothing is negative
