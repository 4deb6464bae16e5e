"""What a kernel is made of: whole numbers over a denominator, products of a column and a row."""

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import comb, lcm
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Groups = list[tuple[Any, list[tuple[int, int, int]]]]

_LARGEST_DENOMINATOR = 10**6


@lru_cache(maxsize=1024)
def nearest_fraction(number: float) -> Fraction:
    """Return the simple fraction that a float was written as, or else its exact binary value.

    A number that no fraction with a denominator up to a million matches to double precision is
    taken as it is.

    Examples
    --------
    >>> nearest_fraction(0.1)
    Fraction(1, 10)
    """
    simple = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
    return simple if float(simple) == float(number) else Fraction(number)


def over_one_denominator(kernel: Array) -> tuple[Array, int] | None:
    """Return whole-number weights and a divisor that make up a float kernel, or None.

    Examples
    --------
    >>> over_one_denominator(np.array([[0.25, 1 / 3]]))
    (array([[3, 4]]), 12)
    """
    if kernel.dtype.kind == "i":
        return kernel, 1
    denominator = 1
    for weight in np.unique(kernel).tolist():
        denominator = lcm(denominator, nearest_fraction(weight).denominator)
        if denominator > _LARGEST_DENOMINATOR:
            return None
    if np.abs(kernel).max() * denominator >= 2**53:
        return None
    return np.rint(kernel * denominator).astype(np.int64), denominator


def column_and_row(kernel: Array) -> tuple[Array, Array] | None:
    """Return the factors of a kernel that is a column times a row, or None.

    Whole numbers factor exactly into whole numbers, or not at all. Floats may miss the product by
    one part in 2**24 of the largest weight, the rounding of float32.

    Examples
    --------
    >>> column_and_row(np.array([[2, 4], [-3, -6]]))
    (array([ 2, -3]), array([1, 2]))
    """
    if not kernel.any():
        return None
    if kernel.dtype.kind == "f":
        terms = sum_of_products(kernel, most=1)
        return terms[0] if terms else None
    i, j = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    row = kernel[i] // np.gcd.reduce(kernel[i])
    row *= -1 if (row < 0).sum() > (row > 0).sum() else 1  # the column carries the sign
    column = kernel[:, j] // row[j]
    return (column, row) if np.array_equal(np.outer(column, row), kernel) else None


def sum_of_products(kernel: Array, most: int) -> list[tuple[Array, Array]] | None:
    """Return at most `most` (column, row) pairs whose products add up to the kernel, or None.

    The cross of the largest weight is taken off, again and again, until the rest falls below
    float32's rounding: elimination with complete pivoting, far cheaper than singular values and
    the same on every machine.
    """
    rest = kernel.astype(np.float64)
    limit = np.abs(rest).max() * 2.0**-24
    terms: list[tuple[Array, Array]] = []
    while (size := np.abs(rest)).max() > limit:
        if len(terms) == most:
            return None
        i, j = np.unravel_index(size.argmax(), size.shape)
        column, row = rest[:, j].copy(), rest[i] / rest[i, j]
        terms.append((column, row))
        rest -= np.outer(column, row)
    return terms or None


class Pass(NamedTuple):
    """Sums of products along a line, or over a whole kernel.

    Parameters
    ----------
    kind
        ``box``: neighbours are added up; ``binomial``: a row of Pascal's triangle; ``taps``; after
        a column and a row ``plus``: weighted pixels are added to the sums, or ``minus``: the sums
        are subtracted from them.
    size
        Number of taps along a line.
    down
        Whether that is a column.
    groups
        Sizes of weights, and (row, column, sign) of their taps: groups with a positive tap and
        large groups first, positive taps first.
    """

    kind: str
    size: int
    down: bool
    groups: Groups


def count_calls(passes: Iterable[Pass]) -> int:
    """Return how many calls the sums of a band take.

    >>> count_calls([as_pass(np.ones((1, 15)))])
    5
    """
    calls, sizes = 0, list[int]()
    for each in passes:
        if each.kind == "box":
            sizes.append(each.size)
        elif each.kind == "binomial":
            calls += each.size - 1
        else:  # a tap costs a sum, the first one none; plus and minus are sums with what was before
            calls -= each.kind == "taps" and len(each.groups) > 0
            for weight, members in each.groups:
                calls += len(members) + (weight != 1)
    while sizes:  # a box of 15 is three of 3 in one of 5; a prime is one more than the number below
        k, p = sizes.pop(), 2
        while k % p and p < k:
            p += 1
        calls += p == k
        sizes += [] if k == 1 else [k - 1] if p == k else [p, k // p]
    return calls


def as_pass(weights: Array) -> Pass:
    """Return the sums that weights ``(kh, kw)`` stand for.

    >>> as_pass(np.array([[-1, 0, 1]])).groups
    [(1, [(0, 2, 1), (0, 0, -1)])]
    """
    k, line = weights.size, weights.ravel().tolist() if 1 in weights.shape else []
    pascal = weights.dtype.kind == "i" and k > 2 and line == list(map(comb, [k - 1] * k, range(k)))
    kind = "box" if set(line) == {1} else "binomial" if pascal else "taps"
    groups: dict[Any, list[tuple[int, int, int]]] = {}
    for i, j in np.argwhere(weights).tolist():
        weight = weights[i, j].item()
        groups.setdefault(abs(weight), []).append((i, j, 1 if weight > 0 else -1))
    order = list[tuple[int, int, int, Any]]()
    for weight, members in groups.items():
        members.sort(key=itemgetter(2), reverse=True)
        order.append((-members[0][2], -len(members), len(order), weight))
    ordered: Groups = []
    for _, _, _, weight in sorted(order):
        ordered.append((weight, groups[weight]))
    return Pass(kind, k, weights.shape[0] > 1, ordered)
