"""What the engine decided to do with a kernel and an image, and why."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A printable choice of algorithm.

    Parameters
    ----------
    engine
        Short name of the algorithm.
    reason
        Why it was chosen.
    details
        Sizes and types that matter, for people who tune.
    """

    engine: str
    reason: str
    details: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.engine}: {self.reason}" + (f" ({self.details})" if self.details else "")
