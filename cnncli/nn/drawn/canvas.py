"""The sheet that signs are drawn on, twice as fine as what they become, and its dice."""

from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 56  # px: of the square sheet
INK = 36  # px: longest side of a sign on it
PIXELS = torch.arange(SIDE) + 0.5  # where the middle of each row and column is


@dataclass(frozen=True, slots=True)
class Dice:
    """Random numbers for a number of signs, from one generator.

    Parameters
    ----------
    generator
        Where they come from.
    count
        Of signs.
    """

    generator: torch.Generator
    count: int

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """Return float32 ``(count, *shape)``, even between two bounds."""
        return torch.rand(self.count, *shape, generator=self.generator) * (high - low) + low

    def chance(self, share: float, *shape: int) -> Tensor:
        """Return bool ``(count, *shape)``, of which about a share is true."""
        return torch.rand(self.count, *shape, generator=self.generator) < share

    def normal(self, *shape: int) -> Tensor:
        """Return float32 ``(count, *shape)`` of mean 0 and variance 1."""
        return torch.randn(self.count, *shape, generator=self.generator)

    def whole(self, low: int, high: int) -> Tensor:
        """Return int64 ``(count,)`` from `low` to below `high`."""
        return torch.randint(low, high, (self.count,), generator=self.generator)

    def of(self, count: int) -> "Dice":
        """Return the same for another number of signs."""
        return Dice(self.generator, count)
