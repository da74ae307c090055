"""From seconds to rounds, exactly: arrival = floor(seconds / round_seconds) in integers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter

IntArray = npt.NDArray[np.int64]


def round_length(round_seconds: float | str | Decimal | Fraction) -> Fraction:
    """Return the length of a round as the decimal that was written: 0.03 means 3/100, not the nearest double.

    Raises
    ------
    BadParameter
        Unless it is a finite number above 0.
    """
    try:
        exact = (
            round_seconds
            if isinstance(round_seconds, Fraction)
            else Fraction(str(round_seconds if isinstance(round_seconds, (str, Decimal)) else float(round_seconds)))
        )
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        exact = Fraction(0)
    if exact <= 0:
        raise BadParameter(f"round_seconds is {round_seconds!r}: give the seconds of one round, above 0")
    return exact


def rounds_of(nanoseconds: IntArray, length: Fraction) -> IntArray:
    """Return floor(time / length), int64[n].

    Parameters
    ----------
    nanoseconds : int64[n]
        Times >= 0.
    length : Fraction
        Seconds of one round.
    """
    ratio = length * 10**9
    largest = int(nanoseconds.max()) if len(nanoseconds) else 0
    if largest * ratio.denominator < 2**63 and ratio.numerator < 2**63:
        return nanoseconds * ratio.denominator // ratio.numerator
    exact = [int(time) * ratio.denominator // ratio.numerator for time in nanoseconds]
    if max(exact) >= 2**63:
        raise BadParameter(f"round_seconds is {float(length)!r}: arrivals would leave int64; give longer rounds")
    return np.array(exact, dtype=np.int64)
