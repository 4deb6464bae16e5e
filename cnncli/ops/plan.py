"""The planner: looks at kernel and image, and picks the cheapest algorithm that keeps the promise.

The promise: integers times integers are exact, and a result depends on image and kernel alone,
never on tile size, threads or what happens to it afterwards.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cnncli.ops.dtypes import is_finite, response_range, result_dtype, value_range
from cnncli.ops.engines import Engine, Taps, calls
from cnncli.ops.factors import over_one_denominator, sum_of_products
from cnncli.ops.finish import narrowest
from cnncli.ops.fourier import Fourier, is_exact, nanoseconds
from cnncli.ops.running import Running
from cnncli.ops.toeplitz import Toeplitz

Array = npt.NDArray[Any]


class Plan(NamedTuple):
    """A printable choice of algorithm.

    Parameters
    ----------
    engine
        ``taps``, ``toeplitz`` or ``fourier``.
    reason
        Why it was chosen.
    details
        Passes, types and threads, for people who tune.
    """

    engine: str
    reason: str
    details: str = ""

    def by(self, threads: int) -> "Plan":
        """Return the plan with the number of threads in its details."""
        return self._replace(details=f"{self.details}, {threads} thread{'s' * (threads > 1)}")

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.engine}: {self.reason}" + (f" ({self.details})" if self.details else "")


class Response(NamedTuple):
    """How a kernel's response to an image is computed.

    Parameters
    ----------
    kernel
        int64 weights over `divisor`, or float64.
    divisor
        The response is the sum of products divided by it; 1 for floats.
    dtype
        Type of the response.
    bounds
        Of an integer kernel's sums; None where they are floats.
    """

    kernel: Array
    divisor: int
    dtype: np.dtype[Any]
    bounds: tuple[int, int] | None

    @property
    def exact(self) -> bool:
        """Whether the sums are whole numbers."""
        return self.bounds is not None


# Nanoseconds a sample, one core: what a call on a value of so many bytes costs, and what a
# separable term costs, fixed and for each tap. Measured on an AMD EPYC and an Intel Xeon.
_CALL = {2: 0.06, 4: 0.10, 8: 0.25}
_LOAD = 0.15  # of a tile of bytes, halo included
_RUNNING, _ROW = 5, 400  # calls that running sums are worth, and what each row costs in all
_SHARED = 0.7  # of a core's time goes into several threads' sums
_TOEPLITZ = {4: (0.4, 0.018), 8: (0.8, 0.036)}
_FLOAT_IMAGE = {
    4: 1.1,
    8: 2.2,
}  # more for floats: a search for NaN, and small tiles of wide samples


def understand(image: Array, kernel: Array, outside: float) -> Response:
    """Return what kind of numbers a kernel makes of an image.

    A float kernel whose weights share a small denominator is applied to integers as whole numbers
    and divided once, where that is no slower than its floats.
    """
    dtype = result_dtype(image, kernel, outside)
    whole = over_one_denominator(kernel)
    if image.dtype.kind == "f" or outside != int(outside) or whole is None:
        return Response(kernel, 1, dtype, None)
    weights, divisor = whole
    low, high = value_range(image)
    low, high = min(low, int(outside)), max(high, int(outside))
    bounds = response_range(weights, low, high)
    if kernel.dtype.kind == "f" and not _pays_in_integers(kernel, weights, dtype, bounds):
        return Response(kernel, 1, dtype, None)
    return Response(weights, divisor, dtype, bounds)


def _pays_in_integers(
    kernel: Array, weights: Array, dtype: np.dtype[Any], bounds: tuple[int, int]
) -> bool:
    """Whether whole numbers of at most 32 bits are no slower than the floats they stand for."""
    sums = narrowest(*bounds)
    if sums is None or sums.itemsize > 4:
        return False
    others = min(_toeplitz_cost(sum_of_products(kernel, most=4), dtype), _taps_cost(kernel, dtype))
    return _taps_cost(weights, sums) <= others


def choose(
    image: Array,
    response: Response,
    sums: np.dtype[Any],
    dilation: tuple[int, int],
    threads: int,
) -> Engine:
    """Return the cheapest engine.

    Parameters
    ----------
    image
        Its values decide whether transforms may be used: they would spread a NaN.
    response
        From :func:`understand`.
    sums
        Type that holds the sums and what is done with them.
    dilation
        Rows and columns between taps.
    threads
        That may work at once.
    """
    kernel = response.kernel
    taps = Taps((kernel,), sums, dilation)
    cost = _taps_cost(kernel, sums)
    size = image.shape[0], image.shape[1]
    if response.exact:
        double = np.dtype(np.float64)
        largest = max(map(abs, value_range(image)))
        if cost > nanoseconds(size, taps.halo, double) and is_exact(kernel, taps.halo, largest):
            return Fourier(kernel, double, dilation, whole=True)
        return _running(image, taps, threads) or taps
    terms = sum_of_products(kernel, most=4)
    banded = _toeplitz_cost(terms, sums)
    banded += _FLOAT_IMAGE[sums.itemsize] if image.dtype.kind == "f" else 0.0
    transformed = nanoseconds(size, taps.halo, sums)
    if cost <= min(banded, transformed) or not is_finite(image):
        return taps
    if banded <= transformed and terms is not None:
        return Toeplitz(tuple(terms), sums, dilation)
    return Fourier(kernel, sums, dilation)


def _running(image: Array, taps: Taps, threads: int) -> Running | None:
    """Return the engine of running sums where it is faster than sums tap by tap."""
    engine = Running.of(taps.kernels[0], taps.dtype, taps.dilation)
    if engine is None:
        return None
    crew = min(threads, image.size // taps.alone)
    shared = _SHARED * crew if crew > 1 else 1.0
    each = _CALL[taps.dtype.itemsize]
    line = image.size // image.shape[0]
    across = calls(engine.row[None], taps.dtype)
    cost = _RUNNING * each + _ROW / line + each * across
    return engine if cost < (_LOAD + _taps_cost(taps.kernels[0], taps.dtype)) / shared else None


def _taps_cost(kernel: Array, sums: np.dtype[Any]) -> float:
    return _CALL[sums.itemsize] * calls(kernel, sums)


def _toeplitz_cost(terms: list[tuple[Array, Array]] | None, sums: np.dtype[Any]) -> float:
    if terms is None:
        return float("inf")
    fixed, each = _TOEPLITZ[sums.itemsize]
    return len(terms) * (fixed + each * sum(map(len, terms[0])))


def explain(engine: Engine, response: Response) -> Plan:
    """Return the engine's name, the reason for it and its figures in words."""
    kh, kw = response.kernel.shape
    if isinstance(engine, Fourier):
        sort = "whole numbers, rounded to be exact" if engine.whole else "not separable"
        return Plan("fourier", f"{kh}x{kw} kernel, {sort}", str(engine.dtype))
    if isinstance(engine, Toeplitz):
        rank = len(engine.terms)
        words = "separable" if rank == 1 else f"a sum of {rank} separable ones"
        return Plan("toeplitz", f"{kh}x{kw} kernel, {words}", str(engine.dtype))
    if isinstance(engine, Running):
        count = f"{calls(engine.row[None], engine.dtype)} calls a tile, {engine.dtype}"
        return Plan("running", f"{kh}x{kw} kernel, rows all alike", count)
    taps = engine if isinstance(engine, Taps) else Taps((response.kernel,), response.dtype, (1, 1))
    total = sum(calls(kernel, taps.dtype) for kernel in taps.kernels)
    sort = "exact integers" if response.exact else "direct sums"
    count = f"{total} call{'s' if total != 1 else ''} a tile"
    return Plan("taps", f"{kh}x{kw} kernel, {sort}", f"{count}, {taps.dtype}")
