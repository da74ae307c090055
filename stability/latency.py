"""Latency of WAIT and Nested WAIT in theory.

With one type, Poisson arrivals and threshold n, WAIT forms a batch at every n-th arrival and each batch takes the same
time D, so the start queue is E_n/D/1 (derived).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.batch_time import AnyClock
from stability.mix import FloatArray, IntArray, Mix, columns, types_of
from stability.segments import segments
from stability.thresholds import wait_batch


def mean_wait(n: int, rate: float, seconds: float) -> float:
    """Return the mean wait of batches in the queue E_n/D/1, in seconds.

    Batches of n Poisson arrivals start service one after the other and take ``seconds`` each. The Lindley recursion
    W' = max(0, W + D - (time of n arrivals)) has the same stationary law as M/D/n, where the k-th customer always gets
    the server of the (k-n)-th; its mean follows from the n roots of z^n = e^(a (z-1)) in the unit disc, a = rate D
    (C. D. Crommelin, "Delay probability formulae when the holding times are constant", 1932).

    Parameters
    ----------
    n : int
        Arrivals per batch.
    rate : float
        Arrivals per second.
    seconds : float
        D.

    Raises
    ------
    BadParameter
        rate D >= n: the queue grows for ever.
    """
    if n < 1 or not (rate > 0 and seconds >= 0):
        raise BadParameter(
            f"mean_wait: n {n!r}, rate {rate!r}, seconds {seconds!r}: give n >= 1, rate > 0, seconds >= 0"
        )
    a = rate * seconds
    if a >= n:
        raise BadParameter(f"mean_wait: rate x D = {a:.6g} is not below n = {n}: the queue grows for ever")
    queue = (a * a - n * (n - 1)) / (2 * (n - a))
    queue += sum(_inverse_gap(n, k, a) for k in range(1, n))
    return max(0.0, queue / rate)


def _inverse_gap(n: int, k: int, a: float) -> float:
    """Return the real part of 1 / (1 - z) for the k-th root of z^n = e^(a (z-1)); complex pairs cancel their rest."""
    turn = cmath.exp(2j * math.pi * k / n)
    z = turn * math.exp(-a / n)
    for _ in range(200):  # Newton: the map is analytic and starts near its root; a handful of steps suffices
        image = turn * cmath.exp(a * (z - 1) / n)
        step = (z - image) / (1 - a / n * image)
        z -= step
        if abs(step) <= 1e-16:
            break
    return (1 / (1 - z)).real


def latency_wait(types: Mix, threshold: int, clock: AnyClock) -> float:
    """Return the mean latency of WAIT for one type with Poisson arrivals, in seconds.

    ``o n/r + (n-1)/(2r) + W + D``: o more batches, the wait for the batch to fill, the wait for its start, its time.

    Parameters
    ----------
    types : one row (prompt, output, rate)
    threshold : int
        n.
    clock : Clock or RooflineClock

    Raises
    ------
    BadParameter
        More than one type, or a batch that takes n/r seconds or longer.
    """
    mix = types_of(types)
    if len(mix) != 1:
        raise BadParameter(f"latency_wait: {len(mix)} types: the formula is for one; see latency_guide")
    _, output, rate = mix[0]
    _, seconds = wait_batch(mix, [threshold], clock)
    fill = output * threshold / rate + (threshold - 1) / (2 * rate)
    return fill + mean_wait(threshold, rate, seconds) + seconds


def latency_guide(types: Mix, thresholds: Sequence[float] | IntArray) -> FloatArray:
    """Return (o_j + 1) n_j / r_j, float64[m] seconds: the rule of thumb for WAIT with any number of types."""
    _, output, rate = columns(types_of(types))
    return (output + 1) * np.asarray(thresholds, dtype=np.float64) / rate


def latency_nested(
    types: Mix, thresholds: Sequence[float] | IntArray, cuts: Sequence[int] | IntArray | None = None
) -> FloatArray:
    """Return the guide to the latency of each type under Nested WAIT, float64[m] seconds (within about 10 %).

    Sum over the segments that the type reaches of its passes there times n_k / Lambda_k.
    """
    mix = types_of(types)
    _, output, _ = columns(mix)
    parts = segments(types, cuts)
    n = np.asarray(thresholds, dtype=np.float64)
    if n.shape != (len(parts),):
        raise BadParameter(f"{n.size} thresholds for {len(parts)} segments: give one per segment")
    before = np.concatenate(([0], parts.cuts[:-1]))
    passes = np.clip(output[:, None], before, parts.cuts) - before
    passes[:, 0] += 1
    return passes @ (n / parts.rate)
