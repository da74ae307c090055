"""Sums that are exact beyond int64: split words for integers, one denominator at a time for fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

#: fractions with at most this many distinct denominators are added exactly
EXACT_DENOMINATORS = 48
#: otherwise the sum over each denominator is rounded down to a multiple of 2**-ROUNDING_BITS
ROUNDING_BITS = 40
#: values below this leave room for one addition in int64
SAFE = 2**62
_LOW = 2**31 - 1


class DirectedSum(NamedTuple):
    """A sum of fractions: exact when ``bits`` is 0, else rounded down at denominator ``2**bits`` per distinct term."""

    value: Fraction
    bits: int


def exact_sum(values: npt.NDArray) -> int:
    """Return the sum of integers as a Python int; int64 input may add up to far more than int64."""
    if values.dtype == object:
        return int(sum(values.tolist()))
    return (int((values >> 31).sum()) << 31) + int((values & _LOW).sum())


def exact_dot(counts: IntArray, values: IntArray) -> int:
    """Return sum of counts * values as a Python int, for 0 <= counts and sum(counts) < 2**31."""
    return (int((counts * (values >> 31)).sum()) << 31) + int((counts * (values & _LOW)).sum())


def sum_fractions(numerators: npt.NDArray, denominators: npt.NDArray) -> DirectedSum:
    """Add numerators[i] / denominators[i] >= 0, exactly for few distinct denominators, else rounded down.

    Parameters
    ----------
    numerators, denominators : int64 or object arrays of equal length
        Nonnegative numerators, positive denominators.

    Returns
    -------
    DirectedSum
        Numerators over one denominator are added first, so the result does not depend on the order of the terms.
    """
    if len(denominators) == 0:
        return DirectedSum(Fraction(0), 0)
    distinct, group = np.unique(denominators, return_inverse=True)
    if numerators.dtype == object or distinct.dtype == object:
        totals = [0] * len(distinct)
        for k, value in zip(group.tolist(), numerators.tolist(), strict=True):
            totals[k] += value
    else:
        high = np.zeros(len(distinct), np.int64)
        low = np.zeros(len(distinct), np.int64)
        np.add.at(high, group, numerators >> 31)
        np.add.at(low, group, numerators & _LOW)
        totals = [(h << 31) + x for h, x in zip(high.tolist(), low.tolist(), strict=True)]
    pairs = zip(totals, distinct.tolist(), strict=True)
    if len(distinct) <= EXACT_DENOMINATORS:
        return DirectedSum(sum((Fraction(t, d) for t, d in pairs), Fraction(0)), 0)
    scaled = sum((t << ROUNDING_BITS) // d for t, d in pairs)
    return DirectedSum(Fraction(scaled, 1 << ROUNDING_BITS), ROUNDING_BITS)


def ceil(value: Fraction) -> int:
    """Return the least integer that is not below a fraction."""
    return -((-value.numerator) // value.denominator)
