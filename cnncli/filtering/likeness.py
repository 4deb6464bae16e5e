"""Which named kernel another kernel resembles most."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.ops import FILTERS
from cnncli.ops.kernels import NamedKernel


@dataclass(frozen=True, slots=True)
class Likeness:
    """The named kernel that is nearest to another one.

    Parameters
    ----------
    name
        Of the named kernel.
    turned
        Quarter turns, counter-clockwise, that it was turned by.
    negated
        Whether its sign is changed.
    similarity
        Cosine between the two, from 0 to 1: 1 is the same but for its strength.
    edge
        Whether the named kernel sums to 0: it answers to changes, not to brightness.
    """

    name: str
    turned: int
    negated: bool
    similarity: float
    edge: bool

    def __str__(self) -> str:
        """Return the name with what was done to it, such as ``-sobel_x turned 90°``."""
        turned = f" turned {90 * self.turned}°" if self.turned else ""
        return f"{'-' if self.negated else ''}{self.name}{turned}"


def most_like(kernel: NDArray[Any]) -> Likeness | None:
    """Return the likeness of a kernel to the named kernels of its size, or None without any.

    Parameters
    ----------
    kernel
        ``(kh, kw)``; not turned itself, so that the answer says how the named one lies in it.

    Examples
    --------
    >>> str(most_like(np.array([[2, 4, 2], [0, 0, 0], [-2, -4, -2]])))
    '-sobel_y'
    """
    best: Likeness | None = None
    for turned in range(4):  # outermost: of two equal ones the name that needs no turn wins
        for named in FILTERS.values():
            if not isinstance(named, NamedKernel):
                continue
            found = _compared(kernel, named, turned)
            if found and (best is None or found.similarity > best.similarity + 1e-9):
                best = found
    return best


def _compared(kernel: NDArray[Any], named: NamedKernel, turned: int) -> Likeness | None:
    weights = np.rot90(named.weights, turned)
    size = float(np.linalg.norm(kernel) * np.linalg.norm(weights))
    if weights.shape != kernel.shape or not size:
        return None
    cosine = float((kernel * weights).sum()) / size
    return Likeness(named.name, turned, cosine < 0, abs(cosine), not named.weights.sum())
