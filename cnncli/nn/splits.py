"""Pictures with their labels in memory, and honest splits of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnncli.errors import DataError


@dataclass(frozen=True, slots=True)
class Split:
    """Pictures and labels of one part of a data set.

    Parameters
    ----------
    images
        uint8, ``(N, C, H, W)``.
    labels
        int64, ``(N,)``.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor | slice) -> "Split":
        """Return the pictures at the positions `index`, in that order."""
        return Split(self.images[index], self.labels[index])


def stratified(labels: Tensor, fraction: float, seed: int, least: int = 1) -> tuple[Tensor, Tensor]:
    """Part positions in two so that every class is held out in the same share.

    Parameters
    ----------
    labels
        int64, ``(N,)``.
    fraction
        Share of each class to hold out, in (0, 1).
    seed
        Chooses which ones.
    least
        Pictures of each class that are kept whatever the share is.

    Returns
    -------
    kept, held
        Sorted positions; of a class with ``n > least`` pictures, ``max(1, round(fraction * n))``
        are held out, and at least `least` are kept. A class with no more than that is kept.

    Examples
    --------
    >>> kept, held = stratified(torch.tensor([0] * 10 + [1] * 20), 0.1, seed=0)
    >>> len(kept), len(held)
    (27, 3)
    """
    generator = torch.Generator().manual_seed(seed)
    kept, held = [], []
    for label in torch.unique(labels):  # sorted, so the draw is the same everywhere
        members = torch.nonzero(labels == label).flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        most = max(0, len(members) - least)
        count = min(max(1, round(fraction * len(members))), most)
        held.append(members[:count])
        kept.append(members[count:])
    return torch.cat(kept).sort().values, torch.cat(held).sort().values


def require_classes(split: Split, source: str, classes: Sequence[str]) -> None:
    """Refuse training data that cannot teach a difference.

    Parameters
    ----------
    split
        The training part.
    source
        Its name, for the message.
    classes
        Names of the classes.

    Raises
    ------
    DataError
        If fewer than two classes are there, or a class has no two pictures.
    """
    present, counts = torch.unique(split.labels, return_counts=True)
    if len(present) < 2:
        raise DataError(
            f"{source} has pictures of {len(present)} class; "
            "a classifier needs two or more, one sub-folder each"
        )
    if single := [classes[int(label)] for label in present[counts < 2]]:
        raise DataError(
            f"{source} has only one picture of {', '.join(single)[:200]}; "
            "add pictures or remove the class"
        )
