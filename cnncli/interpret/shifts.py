"""How much a picture's features change when the picture moves a little."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnncli.ops import correlate2d, max_pool2d


def shift_changes(image: npt.ArrayLike, kernel: npt.ArrayLike, sizes: Sequence[int]) -> list[float]:
    """Move a picture by one column and say how much its pooled responses change.

    Parameters
    ----------
    image
        ``(H, W)``.
    kernel
        ``(kh, kw)``.
    sizes
        Edges of the pooling windows; 1 pools nothing.

    Returns
    -------
    list of float
        For each size ``sum |pooled - moved pooled| / sum |pooled|`` of the absolute responses:
        0 where the move changes nothing.

    Examples
    --------
    >>> shift_changes([[0, 0, 0, 9, 0, 0, 0, 0, 0]] * 2, [[1]], [1, 2])
    [2.0, 0.0]
    """
    response = np.abs(correlate2d(image, kernel)).astype(np.float64)
    still, moved = response[:, 1:], response[:, :-1]
    changes = []
    for size in sizes:
        one, two = (max_pool2d(each, size, edge="drop") for each in (still, moved))
        changes.append(float(np.abs(one - two).sum() / max(np.abs(one).sum(), 1e-12)))
    return changes
