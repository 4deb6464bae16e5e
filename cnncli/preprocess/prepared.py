"""What a network is shown of a picture."""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as a network is shown it.

    Parameters
    ----------
    pixels
        uint8 ``(height, width, channels)``.
    warnings
        What is doubtful about the picture itself, each ``<word>: <explanation>``.
    box
        Left, top, right, bottom of what was read, in pixels of the picture; None for all of it.
    evidence
        What in the picture speaks for this being the digit, as a logarithm of odds.
    clear
        What in it speaks for there being one, likewise; infinite where nothing was searched.
    runner_up
        The evidence of the next likeliest; minus infinity if there is none.
    """

    pixels: NDArray[np.uint8]
    warnings: tuple[str, ...] = ()
    box: Box | None = None
    evidence: float = 0.0
    clear: float = inf
    runner_up: float = -inf

    @property
    def blank(self) -> bool:
        """Whether nothing was found in the picture."""
        return any(warning.startswith("blank:") for warning in self.warnings)
