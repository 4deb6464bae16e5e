"""Which algorithm sums the products: the cheapest that keeps the promise, and why.

The promise: integers times integers are exact, and a result depends on image and kernel alone,
never on bands, threads or what happens to it afterwards.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops import fourier, taps, toeplitz
from cnncli.ops.bands import Layout, Scratch
from cnncli.ops.dtypes import exact_dtype, is_finite, narrowest, real_dtype, value_range
from cnncli.ops.kernels import Kernel
from cnncli.ops.pixels import Epilogue, Exact, combine, converted, real_pixels

Array = npt.NDArray[Any]
Correlate = Callable[[Array, Scratch, tuple[int, int]], Array]
Finish = Callable[[list[Array], Scratch], Array]


# Nanoseconds a sample, one core: what a call on a value of so many bytes costs. Measured on an
# AMD EPYC and an Intel Xeon.
_CALL = {2: 0.06, 4: 0.10, 8: 0.25}
_PAD = 0.15  # padding and writing
_FLOAT_IMAGE = {4: 1.1, 8: 2.2}  # more for floats: a search for NaN, and small tiles


class Algorithm(NamedTuple):
    """A printable choice of algorithm.

    Parameters
    ----------
    engine
        ``taps``, ``toeplitz`` or ``fourier``.
    reason
        Why it was chosen.
    dtype
        Type of the sums.
    calls
        How many a band takes, tap by tap.
    """

    engine: str
    reason: str
    dtype: np.dtype[Any]
    calls: int | None = None

    def __str__(self) -> str:
        """Return one line."""
        calls = "" if self.calls is None else f"{self.calls} calls a band, "
        return f"{self.engine}: {self.reason} ({calls}{self.dtype})"


class Response(NamedTuple):
    """What kind of numbers a kernel makes of an image.

    Parameters
    ----------
    kernel
        Whole numbers over `divisor`, or floats.
    divisor
        The response is the sum of products divided by it; 1 for floats.
    dtype
        Type of the response.
    bounds
        Of the sums; None for float images.
    """

    kernel: Kernel
    divisor: int
    dtype: np.dtype[Any]
    bounds: tuple[Any, Any] | None

    @classmethod
    def of(cls, image: Array, kernel: Kernel, outside: float) -> "Response":
        """Return it: a float kernel over a small denominator acts on integers in whole numbers.

        It is divided once, where that is no slower than its floats.
        """
        real = real_dtype(image)
        if image.dtype.kind == "f" or outside != int(outside):
            return cls(kernel, 1, real, None)
        low, high = value_range(image)
        low, high = min(low, int(outside)), max(high, int(outside))
        if kernel.is_whole:
            bounds = kernel.bounds(low, high)
            return cls(kernel, 1, exact_dtype(image, *bounds), bounds)
        if kernel.whole is not None:
            whole, divisor = kernel.whole
            bounds = whole.bounds(low, high)
            sums = narrowest(*bounds)
            by_taps = _CALL[real.itemsize] * kernel.calls
            floats = min(toeplitz.nanoseconds(kernel.terms, real), by_taps)
            if sums and sums.itemsize <= 4 and _CALL[sums.itemsize] * whole.calls <= floats:
                return cls(whole, divisor, real, bounds)
        return cls(kernel, 1, real, kernel.bounds(low, high))

    @property
    def exact(self) -> bool:
        """Whether the sums are whole numbers."""
        return self.bounds is not None and self.kernel.is_whole


class Choice(NamedTuple):
    """What is done with each band.

    Parameters
    ----------
    padded
        Type of the padded band.
    correlate
        For each kernel what sums the products: takes the padded band, memory and the band.
    finish
        Takes those sums, which it may overwrite, and memory; returns pixels before the last cast.
    dtype
        Type of the pixels.
    cost
        Nanoseconds a sample.
    plan
        What ``-v`` says.
    divisor
        What responses are times the kernel's, where the sums are the result.
    tile
        Rows and columns of bands on a fixed grid; None where they may be any.
    """

    padded: np.dtype[Any]
    correlate: tuple[Correlate, ...]
    finish: Finish
    dtype: np.dtype[Any]
    cost: float
    plan: Algorithm
    divisor: int = 1
    tile: tuple[int, int] | None = None


def choose(kernel: Kernel, image: Array, layout: Layout, epilogue: Epilogue) -> Choice:
    """Return the cheapest way from an image to pixels.

    The image's values matter only where transforms would spread a NaN. For the range ``minmax``
    the result is sums, whose extremes are still to be found.
    """
    if kernel.partners:
        return _several(kernel, image, layout, epilogue)
    response = Response.of(image, kernel, layout.border.value)
    if response.divisor > 1:
        epilogue = epilogue.times(response.divisor)
        if epilogue.mode == "response":
            epilogue = Epilogue(response.dtype, "real", epilogue.scale)
    sums, finish, form = response.dtype, _as_they_are, None
    if response.exact and response.bounds is not None:
        sums = narrowest(*response.bounds) or np.dtype(np.int64)
        form = epilogue.exact(*response.bounds)
    dtype = epilogue.dtype
    if epilogue.mode in ("response", "minmax"):
        dtype = response.dtype if epilogue.mode == "response" else sums
    elif form is not None:
        sums, finish = form.sums, partial(_to_exact, form=form)
    else:
        precision = np.dtype(np.float64 if response.dtype.itemsize == 8 else np.float32)
        if response.bounds is not None and epilogue.rounds:
            epilogue = epilogue.within(response.bounds)
        finish = partial(_to_real, kernel=kernel, epilogue=epilogue, precision=precision)
    work = _cheapest(response, sums, image, layout)
    return work._replace(finish=finish, dtype=dtype, divisor=response.divisor)


def _as_they_are(sums: list[Array], scratch: Scratch) -> Array:  # noqa: ARG001 (a Finish)
    return sums[0]


def _to_exact(sums: list[Array], scratch: Scratch, *, form: Exact) -> Array:
    return form.apply(converted(sums[0], form.sums, scratch))  # a transform leaves floats


def _to_real(
    sums: list[Array], scratch: Scratch, *, kernel: Kernel, epilogue: Epilogue, precision: Any
) -> Array:
    response = sums[0]
    if kernel.partners:
        response = combine(kernel, [converted(each, precision, scratch) for each in sums])
    return real_pixels(response, epilogue, precision, scratch)


def _several(kernel: Kernel, image: Array, layout: Layout, epilogue: Epilogue) -> Choice:
    """Return the work of a filter of several kernels: each tap by tap, combined in real numbers."""
    responses = [Response.of(image, part, layout.border.value) for part in kernel.parts]
    wide = any(each.dtype.itemsize == 8 for each in responses)
    precision = np.dtype(np.float64 if wide else np.float32)
    sums, reason = precision, "direct sums"
    bounds = [each.bounds for each in responses if each.bounds and each.kernel in kernel.parts]
    if all(each.exact for each in responses) and len(bounds) == len(responses):
        lows, highs = zip(*bounds, strict=True)
        sums, reason = narrowest(min(lows), max(highs)) or precision, "exact integers"
    if epilogue.mode in ("response", "minmax"):
        epilogue = Epilogue(precision, "real")
    works = [_by_taps(each, sums, layout, reason) for each in kernel.parts]
    epilogue = epilogue._replace(nan=image.dtype.kind == "f")
    finish = partial(_to_real, kernel=kernel, epilogue=epilogue, precision=precision)
    plan = works[0].plan._replace(calls=sum(each.calls for each in kernel.parts))
    correlate = tuple(each.correlate[0] for each in works)
    cost = sum(each.cost for each in works)
    return Choice(sums, correlate, finish, epilogue.dtype, cost, plan)


def _cheapest(response: Response, sums: np.dtype[Any], image: Array, layout: Layout) -> Choice:
    """Return how to sum the products: by taps, Toeplitz products or transforms."""
    kernel = response.kernel
    cost = _CALL[sums.itemsize] * kernel.calls
    if response.exact:
        double = np.dtype(np.float64)
        largest = max(map(abs, value_range(image)))
        slow = fourier.nanoseconds(layout.size, layout.halo, double)
        if cost > slow and fourier.is_exact(kernel.weights, layout.halo, largest):
            return _by_fourier(kernel, double, layout, whole=True)
        return _by_taps(kernel, sums, layout, "exact integers")
    banded = toeplitz.nanoseconds(kernel.terms, sums)
    banded += _FLOAT_IMAGE[sums.itemsize] if image.dtype.kind == "f" else 0.0
    transformed = fourier.nanoseconds(layout.size, layout.halo, sums)
    if cost <= min(banded, transformed) or not is_finite(image):
        return _by_taps(kernel, sums, layout, "direct sums")
    if banded <= transformed:
        return _by_toeplitz(kernel, sums, layout)
    return _by_fourier(kernel, sums, layout, whole=False)


def _by_taps(kernel: Kernel, sums: np.dtype[Any], layout: Layout, reason: str) -> Choice:
    correlate = partial(taps.correlate_taps, kernel=kernel, steps=layout.steps)
    plan = Algorithm("taps", f"{kernel.size} kernel, {reason}", sums, calls=kernel.calls)
    cost = _CALL[sums.itemsize] * kernel.calls + _PAD
    return Choice(sums, (correlate,), _as_they_are, sums, cost, plan)


def _by_toeplitz(kernel: Kernel, sums: np.dtype[Any], layout: Layout) -> Choice:
    terms = kernel.terms or []
    matrices = toeplitz.matrices(kernel, layout.steps, sums)
    correlate = partial(toeplitz.correlate_toeplitz, matrices=matrices)
    sort = "separable" if len(terms) == 1 else f"a sum of {len(terms)} separable ones"
    plan = Algorithm("toeplitz", f"{kernel.size} kernel, {sort}", sums)
    cost = toeplitz.nanoseconds(terms, sums)
    tile = toeplitz.tile(layout.full, layout.halo, layout.channels)
    return Choice(sums, (correlate,), _as_they_are, sums, cost, plan, tile=tile)


def _by_fourier(kernel: Kernel, dtype: np.dtype[Any], layout: Layout, *, whole: bool) -> Choice:
    tall, wide = fourier.tile(layout.full, layout.halo)
    shape = tall + layout.halo[0], wide + layout.halo[1]
    spectrum = fourier.spectrum_of(kernel, layout.dilation, shape, dtype)
    options: dict[str, Any] = {"spectrum": spectrum, "width": shape[1], "channels": layout.channels}
    correlate = partial(fourier.correlate_fourier, **options, whole=whole)
    sort = "whole numbers, rounded to be exact" if whole else "not separable"
    plan = Algorithm("fourier", f"{kernel.size} kernel, {sort}", dtype)
    cost = fourier.nanoseconds(layout.full, layout.halo, dtype)
    return Choice(dtype, (correlate,), _as_they_are, dtype, cost, plan, tile=(tall, wide))
