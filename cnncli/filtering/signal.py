"""Filters on a row of numbers."""

from typing import Any

from numpy.typing import NDArray

from cnncli.errors import ShapeError, UsageError
from cnncli.filtering.settings import Settings, Step, option_pair
from cnncli.ops import convolve1d, correlate1d, resolve_scale


def filter_signal(
    signal: NDArray[Any], steps: tuple[Step, ...], settings: Settings
) -> NDArray[Any]:
    """Return the responses of a signal, one filter after another.

    Parameters
    ----------
    signal
        ``(N,)``.
    steps
        Filters with kernels of one row.
    settings
        As for pictures; the responses stay numbers, so that there is no range to choose.

    Returns
    -------
    ndarray
        Whole numbers where signal, kernel, scale and bias are whole.

    Raises
    ------
    ShapeError
        If a kernel has several rows, or is longer than the signal with the border ``valid``.
    UsageError
        If a range is asked for.
    """
    if settings.range not in ("auto", "raw"):
        raise UsageError(f"--range {settings.range} is for pictures; leave it out with --signal")
    slide = convolve1d if settings.op == "convolve" else correlate1d
    for step in steps:
        signal = slide(
            signal,
            _row(step),
            border=settings.border,
            stride=option_pair(settings.stride, "stride")[1],
            dilation=option_pair(settings.dilation, "dilation")[1],
        )
    divisor = resolve_scale(settings.scale, steps[-1].kernel)
    if divisor != 1:
        signal = signal / float(divisor)
    if settings.bias:
        whole = settings.bias.is_integer() and signal.dtype.kind == "i"
        signal = signal + (int(settings.bias) if whole else settings.bias)
    return signal


def _row(step: Step) -> NDArray[Any]:
    weights = step.parts()[0][0]
    if len(step.parts()) > 1 or weights.shape[0] != 1:
        raise ShapeError(
            f"{step.label} has a kernel of {weights.shape[0]}x{weights.shape[1]} and a signal "
            'needs one row; give --kernel "1,0,-1"'
        )
    row: NDArray[Any] = weights[0]
    return row
