"""Filters on a row of numbers."""

from typing import Any

from numpy.typing import NDArray

from cnncli.errors import KernelError, ShapeError, UsageError
from cnncli.filtering.settings import Settings
from cnncli.ops import Kernel, convolve1d, correlate1d
from cnncli.ops.kernel_text import parse_kernel


def parse_signal(text: str) -> NDArray[Any]:
    """Read one row of numbers, such as ``"1,0,2,3,1,0,1"``, as an array ``(N,)``.

    Raises
    ------
    KernelError
        If there are several rows or :func:`parse_kernel` cannot read it.
    """
    try:
        matrix = parse_kernel(text)
    except KernelError as error:
        what = str(error).partition("; ")[0].replace("kernel", "signal")
        raise KernelError(f"{what}; write one row, as 1,0,2,3,1,0,1") from None
    if matrix.shape[0] != 1:
        raise KernelError(f"signal has {matrix.shape[0]} rows; give one row, as 1,0,2,3,1,0,1")
    row: NDArray[Any] = matrix[0]
    return row


def filter_signal(
    signal: NDArray[Any], steps: tuple[Kernel, ...], settings: Settings
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
            stride=settings.stride[1],
            dilation=settings.dilation[1],
        )
    divisor = steps[-1].divisor(settings.scale)
    if divisor != 1:
        signal = signal / float(divisor)
    if settings.bias:
        whole = settings.bias.is_integer() and signal.dtype.kind == "i"
        signal = signal + (int(settings.bias) if whole else settings.bias)
    return signal


def _row(step: Kernel) -> NDArray[Any]:
    if step.partners or step.shape[0] != 1:
        raise ShapeError(
            f"{step.name} has a kernel of {step.shape[0]}x{step.shape[1]} and a signal "
            'needs one row; give --kernel "1,0,-1"'
        )
    row: NDArray[Any] = step.weights[0]
    return row
