"""Learning rates as plain functions of the step: nothing to save, nothing to restore."""

from math import cos, pi

from cnncli.config import ScheduleName

_WARM_UP = 0.3  # share of the steps that rise
_START, _END = 1 / 25, 1e-4  # of the peak; shape and numbers of L. Smith, N. Topin, 2018


def learning_rate(schedule: ScheduleName, step: int, total: int, peak: float) -> float:
    """Return the learning rate of one step.

    Parameters
    ----------
    schedule
        ``"constant"``; ``"linear"``: down from the first step; or ``"one-cycle"``: half a cosine
        up, half a cosine down.
    step, total
        Number of the step from 0, and how many there are.
    peak
        The highest rate.

    Examples
    --------
    >>> [round(learning_rate("one-cycle", step, 11, 1.0), 4) for step in (0, 3, 10)]
    [0.04, 1.0, 0.0001]
    """
    if schedule == "constant":
        return peak
    if schedule == "linear":
        return peak * (1 - step / total)
    last = max(1, total - 1)
    turn = _WARM_UP * last
    if step <= turn:
        return _between(_START, 1.0, step / turn) * peak
    return _between(1.0, _END, min(1.0, (step - turn) / (last - turn))) * peak


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + cos(pi * share)) / 2
