"""Slow and obvious: loops over pixels in Python's own integers and floats."""

from typing import Any

import numpy as np
import numpy.typing as npt


def outside(index: int, size: int, mode: str) -> int | None:
    """Return the pixel that stands at a position outside the picture, None for a constant."""
    if 0 <= index < size:
        return index
    if mode == "constant":
        return None
    if mode == "edge":
        return min(max(index, 0), size - 1)
    if mode == "wrap":
        return index % size
    if mode == "symmetric":
        place = index % (2 * size)
        return place if place < size else 2 * size - 1 - place
    if size == 1:
        return 0
    place = index % (2 * size - 2)
    return place if place < size else 2 * size - 2 - place


def correlate_loops(
    image: npt.NDArray[Any],
    kernel: npt.NDArray[Any],
    *,
    mode: str = "valid",
    value: float = 0,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
) -> npt.NDArray[Any]:
    """Correlate one channel with arbitrary-precision numbers: dtype object."""
    pixels, weights = image.tolist(), kernel.tolist()
    (height, width), (kh, kw) = image.shape, kernel.shape
    pads = [0 if mode == "valid" else d * (k - 1) for k, d in zip((kh, kw), dilation, strict=True)]
    sizes = [
        (n + p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip((height, width), pads, dilation, (kh, kw), stride, strict=True)
    ]
    out = np.empty(sizes, object)
    for y, x in np.ndindex(*sizes):
        total = 0
        for i, j in np.ndindex(kh, kw):
            row = outside(y * stride[0] - pads[0] // 2 + i * dilation[0], height, mode)
            column = outside(x * stride[1] - pads[1] // 2 + j * dilation[1], width, mode)
            there = value if row is None or column is None else pixels[row][column]
            total += weights[i][j] * there
        out[y, x] = total
    return out
