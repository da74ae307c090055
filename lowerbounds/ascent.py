"""Projected subgradient ascent on the prices of memory: for instances too large for the LP, too small to skip it."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from lowerbounds import dual
from lowerbounds.classes import Classes

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: steps without gain after which the step length is divided by 1.5 and the best prices are taken up again
PATIENCE = 10


def memory_used(classes: Classes, starts: IntArray, rounds: int) -> IntArray:
    """Return the memory used in rounds 1 .. ``rounds`` when all of class c start at ``starts[c]``, int64[rounds]."""
    first = np.minimum(starts, rounds)
    stop = np.minimum(starts + classes.output, rounds)
    active = np.zeros(rounds + 1, np.int64)
    base = np.zeros(rounds + 1, np.int64)
    for at, sign in ((first, 1), (stop, -1)):
        np.add.at(active, at, sign * classes.count)
        np.add.at(base, at, sign * classes.count * (classes.prompt - starts))
    numbers = np.arange(1, rounds + 1, dtype=np.int64)
    return np.cumsum(base[:-1]) + numbers * np.cumsum(active[:-1])


def ascend(
    classes: Classes, rates: FloatArray, upper: int, iterations: int, deadline: float, theta: float = 1.0
) -> dual.DualValue:
    """Improve prices by Polyak steps theta (U - D) / |g|^2 and return the best dual value found, exact.

    Parameters
    ----------
    classes : Classes
    rates : float64[T]
        Starting prices per round, >= 0.
    upper : int
        A known total completion time U.
    iterations : int
        Largest number of steps (a work limit: answers repeat).
    deadline : float
        ``time.monotonic()`` after which no step begins.
    """
    best = dual.evaluate(classes, dual.integer_prices(rates, classes))
    best_rates, best_starts = rates, best.best_start
    current, starts = rates, best.best_start
    idle = 0
    value = best.value
    for _ in range(iterations):
        if best.lower >= upper or time.monotonic() > deadline:
            break
        slope = (memory_used(classes, starts, len(rates)) - classes.memory).astype(np.float64)
        slope[(current <= 0) & (slope < 0)] = 0.0
        norm = float(slope @ slope)
        if norm == 0.0:
            break
        current = np.maximum(0.0, current + theta * max(upper - value, 0.5) / norm * slope)
        try:
            found = dual.evaluate(classes, dual.integer_prices(current, classes))
        except dual.PricesTooLarge:
            break
        value, starts = found.value, found.best_start
        if found.numerator * best.prices.denominator > best.numerator * found.prices.denominator:
            best, best_rates, best_starts, idle = found, current, starts, 0
            continue
        idle += 1
        if idle >= PATIENCE:
            theta /= 1.5
            current, starts, value, idle = best_rates, best_starts, best.value, 0
    return best
