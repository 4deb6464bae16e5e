"""Sums of shifted copies of a padded band: exact for integers, and the same for every banding.

The band lies in one flat buffer, row after row, border included. The neighbour `i` rows down and
`j` pixels to the right of every pixel is then one contiguous slice of that buffer, so that a tap
costs one call for the whole band. Channels stay interleaved.

All sums work in the type of the buffer. Integers may wrap on the way: addition, subtraction and
multiplication are exact modulo 2**bits, so only the final sums have to fit the type.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cnncli.ops.bands import Scratch, in_type
from cnncli.ops.factors import Groups
from cnncli.ops.kernels import Kernel

Array = npt.NDArray[Any]


def correlate_taps(
    padded: Array,
    scratch: Scratch,
    shape: tuple[int, int],
    *,
    kernel: Kernel,
    steps: tuple[int, int],
) -> Array:
    """Return the sums of products of a band, flat, in rows as long as those of `padded`.

    A column times a row takes a vertical pass, then a horizontal one, and a third if the middle
    has something on top (half the time of ``unsharp``); anything else goes tap by tap.

    Parameters
    ----------
    padded
        ``(rows + halo, samples + halo)``, contiguous.
    scratch
        Gives memory.
    shape
        Rows and samples of the band.
    kernel
        What slides.
    steps
        Rows and samples between taps.
    """
    flat, line = padded.reshape(-1), padded.shape[1]
    down, right = steps[0] * line, steps[1]
    final, sums = (shape[0] - 1) * line + shape[1], flat
    for i, each in enumerate(kernel.passes):
        ahead = kernel.passes[1].size - 1 if i == 0 and len(kernel.passes) > 1 else 0
        n, step = final + ahead * right, down if each.down else right
        if each.kind == "box":
            sums = box_sums(sums, n, step, each.size, scratch)
        elif each.kind == "binomial":
            sums = _pairs(sums, n, step, each.size, scratch)
        elif each.kind == "taps":
            sums = _weighted(sums, n, (down, right), each.groups, scratch)
        else:
            pixels = _weighted(flat, n, (down, right), each.groups, scratch)
            add = np.add if each.kind == "plus" else np.subtract
            sums = add(pixels, sums[:n], out=scratch.empty(n, flat.dtype))
    return sums


def _weighted(
    source: Array, n: int, steps: tuple[int, int], groups: Groups, scratch: Scratch
) -> Array:
    """Return `n` weighted sums in memory of their own.

    Taps of equal absolute weight are added and subtracted first and multiplied once.
    """
    down, right = steps
    total = scratch.empty(n, source.dtype)
    so_far: Array | None = None
    for weight, members in groups:
        taps = [(source[i * down + j * right :][:n], sign) for i, j, sign in members]
        if so_far is None:
            so_far = _group_sum(taps, taps[0][1] * weight, total)
        elif weight == 1:
            for view, sign in taps:
                so_far = (np.add if sign > 0 else np.subtract)(so_far, view, total)
        else:
            part = _group_sum(taps, weight, scratch.empty(n, source.dtype))
            so_far = (np.add if taps[0][1] > 0 else np.subtract)(so_far, part, total)
    if so_far is not total:  # a kernel of zeros, or a lone one
        np.copyto(total, 0 if so_far is None else so_far)
    return total


def _group_sum(taps: list[tuple[Array, int]], weight: Any, out: Array) -> Array:
    """Return taps added up, up to the sign of the first, times a weight; a lone tap as it is."""
    (total, first), *rest = taps
    for view, sign in rest:
        total = (np.add if sign == first else np.subtract)(total, view, out)
    return total if weight == 1 else np.multiply(total, in_type(weight, out.dtype), out)


def _pairs(source: Array, n: int, step: int, k: int, scratch: Scratch) -> Array:
    """Return k - 1 sums of neighbours: [1 1] applied k - 1 times is a row of Pascal's triangle."""
    # Integers may be overwritten while they are read ahead; floats would go one by one.
    turns = 2 if source.dtype.kind == "f" else 1
    memory = scratch.empty((turns, n + (k - 2) * step), source.dtype)
    for left in range(k - 2, -1, -1):
        m = n + left * step
        source = np.add(source[:m], source[step : step + m], out=memory[left % turns, :m])
    return source


def box_sums(source: Array, n: int, step: int, k: int, scratch: Scratch) -> Array:
    """Return sums of k neighbours: of 15 as those of 3, of which 5 lie side by side.

    A prime number takes one sum more than the number before it: 3 as 2 + 1, 5 as 2 x 2 + 1.
    """
    if k == 1:
        return source[:n]
    if k < 4:
        pairs = np.add(source[:n], source[step:][:n], out=scratch.empty(n, source.dtype))
        return pairs if k == 2 else np.add(pairs, source[2 * step :][:n], out=pairs)
    factor = next(p for p in range(2, k + 1) if k % p == 0)
    if factor < k:
        parts = box_sums(source, n + (k - factor) * step, step, factor, scratch)
        return box_sums(parts, n, factor * step, k // factor, scratch)
    total, last = box_sums(source, n, step, k - 1, scratch), (k - 1) * step
    return np.add(total, source[last : last + n], out=total)
