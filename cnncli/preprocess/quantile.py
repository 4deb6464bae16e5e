"""Quantiles by sorting: as ``numpy.quantile``, without its import of ``numpy.ma``.

Values of small pictures repeat, and there NumPy's partial sorting takes ten times as long.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantile(values: NDArray[Any], part: float = 0.5) -> NDArray[Any]:
    """Return the value below which a part of the last axis lies; 0.5 is the lower median.

    Parameters
    ----------
    values
        ``(..., n)``, n at least 1.
    part
        Between 0 and 1.

    Examples
    --------
    >>> float(quantile(np.array([5, 1, 4, 2, 3])))
    3.0
    """
    rank = int(part * (values.shape[-1] - 1))
    return np.asarray(np.sort(values, axis=-1)[..., rank])
