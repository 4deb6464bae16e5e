"""Sums of shifted rows as a recorded list of NumPy calls on fixed buffers.

A tile of an image lies in one flat buffer, row after row, halo included. The neighbour `i` rows
down and `j` pixels to the right of every pixel is then one contiguous slice of that buffer, so a
tap costs one call for the whole tile. The calls are recorded once and replayed for every tile.

All sums work in the type of the buffer. Integers may wrap on the way: addition, subtraction and
multiplication are exact modulo 2**bits, so only the final sums have to fit the type.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import comb, isqrt, prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Tap = tuple[int, Any]  # offset in the flat buffer, weight


class Arena:
    """Memory for a tile's buffers that outlives them.

    A fresh page costs more than a filter spends on its bytes, so the block is kept for the next
    image: see :meth:`borrow`.
    """

    _idle: ClassVar[list["Arena"]] = []
    _MOST = 32 << 20  # bytes that an idle arena may keep

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self._used = 0

    @classmethod
    def borrow(cls) -> "Arena":
        """Lend an arena to one thread, until it is given back."""
        try:
            return cls._idle.pop()
        except IndexError:
            return cls()

    def give_back(self) -> None:
        """Wait for the next image; arrays made of this memory are lost."""
        self.rewind()
        self._idle.append(self)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Return an array of arbitrary contents that starts on a cache line."""
        kind = np.dtype(dtype)
        size = (shape if isinstance(shape, int) else prod(shape)) * kind.itemsize
        start, self._used = self._used, self._used + -(-size // 64) * 64
        if self._used > self._block.size:
            return np.empty(shape, kind)
        buffer: Array = self._block[start : start + size].view(kind).reshape(shape)
        return buffer

    @property
    def may_wait(self) -> bool:
        """Whether so much memory may be kept for the next image."""
        return self._used <= self._MOST

    def rewind(self) -> None:
        """Take all arrays back; next time there is room for as many in one block."""
        if self._block.size < self._used <= self._MOST:
            whole = np.empty(self._used + 64, np.uint8)
            self._block = whole[-whole.ctypes.data % 64 :][: self._used]
        self._used = 0


class Program:
    """Calls to be replayed.

    Parameters
    ----------
    arena
        Where buffers come from; memory of the program's own by default.

    Attributes
    ----------
    steps
        Functions with their arguments, in order.
    """

    def __init__(self, arena: Arena | None = None) -> None:
        self.steps: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._arena = arena or Arena()

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Return a buffer of arbitrary contents."""
        return self._arena.empty(shape, dtype)

    def zeros(self, shape: int | tuple[int, ...], dtype: Any) -> Array:
        """Return a buffer of zeros."""
        buffer = self.empty(shape, dtype)
        buffer.fill(0)
        return buffer

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Record a call; the last argument of a ufunc is where its result goes."""
        self.steps.append((function, arguments))

    def run(self) -> None:
        """Make the recorded calls."""
        for function, arguments in self.steps:
            function(*arguments)


def scalar(number: float, dtype: np.dtype[Any]) -> Any:
    """Return a number in a type; whole numbers wrap as the sums do."""
    if dtype.kind == "f":
        return dtype.type(number)
    return np.array(number, np.int64).astype(dtype)[()]


def one_dimension(
    program: Program, source: Array, n: int, step: int, weights: Array, *, spare: bool = False
) -> Array:
    """Record a 1-D correlation along `step`; return the `n` results.

    Boxes are summed by their factors, binomials by repeated pairs, anything else tap by tap.

    Parameters
    ----------
    program
        Takes the calls.
    source
        Flat, at least ``n + (len(weights) - 1) * step`` long.
    n
        Number of results.
    step
        Distance of neighbours in `source`.
    weights
        ``(k,)``.
    spare
        Whether `source` may be overwritten.
    """
    k = len(weights)
    if k > 2 and (weights == 1).all():
        return neighbours(program, source, n, step, k, np.add, spare=spare)
    if k > 2 and weights.dtype.kind == "i" and _is_binomial(weights):
        return _pair_sums(program, source, n, step, k, spare)
    weighted = [(i * step, w) for i, w in enumerate(weights.tolist())]
    return taps(program, source, n, weighted, spare=spare)


def _is_binomial(weights: Array) -> bool:
    k = len(weights)
    return bool(weights.tolist() == [comb(k - 1, i) for i in range(k)])


def _pair_sums(program: Program, source: Array, n: int, step: int, k: int, spare: bool) -> Array:
    """Record k - 1 sums of neighbours: [1 1] applied k - 1 times is a row of Pascal's triangle."""
    size = n + (k - 2) * step
    here = source if spare else program.empty(size, source.dtype)
    ahead = _may_read_ahead(source)
    total, other = (here, here) if ahead else (program.empty(size, source.dtype), here)
    for left in range(k - 2, -1, -1):
        m = n + left * step
        program.call(np.add, source[:m], source[step : step + m], total[:m])
        source, total, other = total, other, total
    return source[:n]


def _may_read_ahead(source: Array) -> bool:
    """Whether an operation in place may read elements ahead of those it writes.

    NumPy gets it right for all types, and fast for integers; float loops go one by one then.
    """
    return source.dtype.kind in "iu"


def neighbours(
    program: Program,
    source: Array,
    n: int,
    step: int,
    k: int,
    operation: np.ufunc,
    *,
    spare: bool = False,
) -> Array:
    """Record the reduction of k neighbours in about log2(k) calls.

    Parameters
    ----------
    program, source, n, step, spare
        As for :func:`one_dimension`.
    k
        Number of neighbours, at least 1.
    operation
        ``np.add``, ``np.maximum`` or ``np.minimum``.
    """
    if operation is np.add:
        return _box_sums(program, source, n, step, k, spare=spare)
    size = 1
    while size < k:  # windows of maxima may overlap, so that the last two need not fit together
        further = min(size, k - size)
        m = n + (k - size - further) * step
        total = program.empty(m, source.dtype)  # in place, reading ahead, they take thrice as long
        ahead = source[further * step : further * step + m]
        program.call(partial(operation, source[:m], ahead, out=total))
        source, size = total, size + further
    return source[:n]


def _box_sums(program: Program, source: Array, n: int, step: int, k: int, *, spare: bool) -> Array:
    """Record sums of k neighbours: of 15 as those of 3, of which 5 lie side by side.

    A prime number takes one sum more than the number before it: 3 as 2 + 1, 5 as 2 x 2 + 1.
    """
    factor = next((p for p in range(2, isqrt(k) + 1) if k % p == 0), k)
    if factor < k:
        m = n + (k - factor) * step
        parts = _box_sums(program, source, m, step, factor, spare=spare)
        return _box_sums(program, parts, n, factor * step, k // factor, spare=True)
    if k == 1:
        return source[:n]
    if k == 2:
        total = source[:n] if spare and _may_read_ahead(source) else program.empty(n, source.dtype)
        program.call(np.add, source[:n], source[step : step + n], total)
        return total
    total = _box_sums(program, source, n, step, k - 1, spare=False)
    last = (k - 1) * step
    program.call(np.add, total, source[last : last + n], total)
    return total


def taps(
    program: Program, source: Array, n: int, weighted: Sequence[Tap], *, spare: bool = False
) -> Array:
    """Record a sum of weighted slices; return its `n` results, which may be a view of `source`.

    Taps of weight 0 are skipped; taps of equal absolute weight are added and subtracted first and
    multiplied once, which folds mirrored kernels. The sum of two taps, or the last sum of four
    neighbours, goes into a `spare` source: one buffer fewer to move through the caches.
    """
    groups = _by_weight(weighted)
    if spare:
        groups = _four_last(groups)
    if not groups:
        total = program.empty(n, source.dtype)
        program.call(np.copyto, total, 0)
        return total
    if len(groups) == 1 and groups[0][0] == 1 and len(groups[0][1]) == 1:
        offset, sign = groups[0][1][0]
        if sign > 0:
            return source[offset : offset + n]
    total = program.empty(n, source.dtype)
    scratch = program.empty(n, source.dtype) if len(groups) > 1 else total
    last = len(groups) - 1
    total = _first_group(program, source, total, *groups[0], spare=spare and last == 0)
    for i, (weight, members) in enumerate(groups[1:], start=1):
        if weight == 1 and not _is_parallelogram(members):
            for offset, sign in members:
                ufunc = np.add if sign > 0 else np.subtract
                program.call(ufunc, total, source[offset : offset + n], total)
            continue
        sign, view = _group_sum(program, source, scratch, members, spare=spare and i == last)
        if weight != 1:
            program.call(np.multiply, view, scalar(weight, source.dtype), scratch)
            view = scratch
        program.call(np.add if sign > 0 else np.subtract, total, view, total)
    return total


def _by_weight(weighted: Sequence[Tap]) -> list[tuple[Any, list[tuple[int, int]]]]:
    """Group (offset, sign) by absolute weight: positive members first, then large groups."""
    groups: dict[Any, list[tuple[int, int]]] = {}
    for offset, weight in weighted:
        if weight:
            groups.setdefault(abs(weight), []).append((offset, 1 if weight > 0 else -1))
    for members in groups.values():
        members.sort(key=lambda member: -member[1])
    return sorted(groups.items(), key=lambda item: (-item[1][0][1], -len(item[1])))


def _four_last(
    groups: list[tuple[Any, list[tuple[int, int]]]],
) -> list[tuple[Any, list[tuple[int, int]]]]:
    """Move a group of four neighbours to the end, where no negation has to come first then."""
    fours = [i for i, (_, members) in enumerate(groups) if _is_parallelogram(members)]
    if not fours:
        return groups
    rest = groups[: fours[-1]] + groups[fours[-1] + 1 :]
    negated = bool(rest) and rest[0][0] == 1 and rest[0][1][0][1] < 0
    return groups if negated else [*rest, groups[fours[-1]]]


def _group_sum(
    program: Program,
    source: Array,
    target: Array,
    members: list[tuple[int, int]],
    *,
    spare: bool,
) -> tuple[int, Array]:
    """Record the sum of a group up to the sign of its first member; return sign and sum.

    A lone member is a view of the source; other sums lie in memory that may be overwritten.
    """
    n = target.size
    (offset, first), *rest = members
    if _is_parallelogram(members):
        places = [place for place, _ in members]
        return first, _parallelogram_sum(program, source, n, places, spare=spare)
    if spare and len(members) == 2 and _may_read_ahead(source):
        target = source[:n]
    view = source[offset : offset + n]
    for other, sign in rest:
        ufunc = np.add if sign == first else np.subtract
        program.call(ufunc, view, source[other : other + n], target)
        view = target
    return first, view


def _is_parallelogram(members: list[tuple[int, int]]) -> bool:
    """Whether four taps of one sign pair up at equal distances, as four neighbours do."""
    signs = {sign for _, sign in members}
    if len(members) != 4 or len(signs) != 1:
        return False
    a, b, c, d = sorted(offset for offset, _ in members)
    return a + d == b + c


def _parallelogram_sum(
    program: Program, source: Array, n: int, offsets: list[int], *, spare: bool
) -> Array:
    """Record the sum of four taps in two calls: of pairs, then of pairs of pairs."""
    a, b, c, _ = sorted(offsets)
    m = n + c - a
    ahead = _may_read_ahead(source)
    pairs = source[:m] if spare and ahead else program.empty(m, source.dtype)
    program.call(np.add, source[a : a + m], source[b : b + m], pairs)
    total = pairs[:n] if ahead else source[:n] if spare else program.empty(n, source.dtype)
    program.call(np.add, pairs[:n], pairs[c - a : c - a + n], total)
    return total


def _first_group(
    program: Program,
    source: Array,
    total: Array,
    weight: Any,
    members: list[tuple[int, int]],
    *,
    spare: bool,
) -> Array:
    """Record the weighted sum of a group; return where it is, which may be overwritten."""
    sign, view = _group_sum(program, source, total, members, spare=spare)
    total = total if len(members) == 1 else view
    if weight != 1:
        program.call(np.multiply, view, scalar(sign * weight, total.dtype), total)
    elif sign < 0:
        program.call(np.negative, view, total)
    elif view is not total:
        program.call(np.copyto, total, view)
    return total
