"""Which named kernel another kernel resembles most."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.ops import FILTERS, Kernel


@dataclass(frozen=True, slots=True)
class Likeness:
    """The named kernel that is nearest to another one; the fields are keys of ``--json``.

    Parameters
    ----------
    like
        Name of the named kernel; None where there is none of the size.
    turned
        Degrees, counter-clockwise, that it was turned by.
    negated
        Whether its sign is changed.
    similarity
        Cosine between the two, from 0 to 1: 1 is the same but for its strength.
    edge
        Whether the named kernel sums to 0: it answers to changes, not to brightness.
    """

    like: str | None = None
    turned: int = 0
    negated: bool = False
    similarity: float = 0.0
    edge: bool = False

    def __str__(self) -> str:
        """Return the name with what was done to it, such as ``-sobel_x turned 90°``."""
        turned = f" turned {self.turned}°" if self.turned else ""
        return f"{'-' if self.negated else ''}{self.like}{turned}"


def most_like(kernel: NDArray[Any]) -> Likeness:
    """Return the likeness of a kernel to the named kernels of its size.

    Parameters
    ----------
    kernel
        ``(kh, kw)``; not turned itself, so that the answer says how the named one lies in it.

    Examples
    --------
    >>> str(most_like(np.array([[2, 4, 2], [0, 0, 0], [-2, -4, -2]])))
    '-sobel_y'
    """
    strength = float(np.linalg.norm(kernel))
    poses = _poses(kernel.shape)
    if not poses or not strength:
        return Likeness()
    cosines = np.stack([unit for _, _, unit in poses]) @ (kernel.ravel() / strength)
    # Of equal ones the first: the name that needs no turn.
    first = int((abs(cosines) > abs(cosines).max() - 1e-9).argmax())
    (named, turned, _), cosine = poses[first], float(cosines[first])
    return Likeness(named.name, 90 * turned, cosine < 0, abs(cosine), not named.weights.sum())


@cache
def _poses(shape: tuple[int, ...]) -> list[tuple[Kernel, int, NDArray[np.float64]]]:
    """Return the named kernels that have a shape when turned, those without a turn first.

    Each with its quarter turns, and as a vector of length 1.
    """
    return [
        (named, turned, weights.ravel() / np.linalg.norm(weights))
        for turned in range(4)
        for named in FILTERS.values()
        if not named.partners
        for weights in [np.rot90(named.weights, turned)]
        if weights.shape == shape
    ]
