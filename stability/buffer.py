"""The safety buffer of Nested WAIT: room for survivors that wait at the boundary between two segments.

Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320): a boundary queue gains Binomial(n_{k-1}, p_k)
survivors in an iteration and loses n_k when it holds that many; its tail decays like exp(-theta_k x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.batch_time import AnyClock, shortest_iteration
from stability.mix import FloatArray, IntArray
from stability.segments import Segments


def theta(n_k: float, n_prev: float, p: float) -> float:
    """Return the decay rate of a boundary queue: the positive root x of (1 - p + p e^x)^n_prev = e^(x n_k).

    Parameters
    ----------
    n_k, n_prev : float
        Thresholds of the segment and of the one before it.
    p : float
        Share of requests that survive into the segment, 0 < p <= 1.

    Returns
    -------
    float
        At least ``8 (n_k - n_prev p) / n_prev``; inf for n_k >= n_prev, where the queue is bounded for sure.

    Raises
    ------
    BadParameter
        n_k <= p n_prev: the queue grows for ever, and there is no positive root.
    """
    if not (0 < p <= 1):
        raise BadParameter(
            f"theta: p is {p!r}: give the share of survivors, above 0 and at most 1 (0: merge the segment)"
        )
    if not (math.isfinite(n_k) and math.isfinite(n_prev) and n_k > 0 and n_prev > 0):
        raise BadParameter(f"theta: thresholds {n_k!r} and {n_prev!r}: give positive numbers")
    if n_k <= p * n_prev:
        raise BadParameter(
            f"theta: n_k = {n_k:g} is not above p n_prev = {p * n_prev:g}: the boundary queue grows for ever"
        )
    if n_k >= n_prev:
        return math.inf
    from scipy.optimize import brentq  # slow to import

    def excess(x: float) -> float:
        # the logarithm of left over right, written so that neither small nor large x loses digits
        return (n_prev - n_k) * x + n_prev * math.log1p((1 - p) * math.expm1(-x))

    # excess is convex, 0 at 0 and negative up to the root; the bound below comes from Hoeffding's lemma, the one above
    # from 1 - p + p e^x >= p e^x
    low = 4 * (n_k - n_prev * p) / n_prev
    high = -n_prev * math.log(p) / (n_prev - n_k)
    return float(brentq(excess, low, max(high, low) * (1 + 1e-9), xtol=1e-15, rtol=8.9e-16))


def thetas(thresholds: Sequence[float] | FloatArray | IntArray, parts: Segments) -> FloatArray:
    """Return theta_k of each segment, float64[L]; the first is inf, since new requests wait without memory."""
    n = np.asarray(thresholds, dtype=np.float64)
    rest = [theta(float(n[k]), float(n[k - 1]), float(parts.share[k])) for k in range(1, len(parts))]
    return np.array([math.inf, *rest])


def safety_buffer(
    thresholds: Sequence[float] | FloatArray | IntArray,
    parts: Segments,
    clock: AnyClock,
    horizon: float,
    delta: float = 0.01,
) -> float:
    """Return the memory that boundary queues may need beside M(n), in tokens.

    ``sum over k >= 2 of (l_k + r_{k-1}) (n_k + ln(L (1 + T/d0) / delta) / theta_k)``; without the logarithm where
    n_k >= n_{k-1}.

    Parameters
    ----------
    thresholds : sequence of L numbers
    parts : Segments
    clock : Clock or RooflineClock
        ``d0`` is the least time of an iteration, so that T/d0 bounds their number.
    horizon : float
        T in seconds.
    delta : float
        Probability of an overflow within the horizon, 0 < delta < 1.
    """
    if not (isinstance(delta, (int, float)) and 0 < delta < 1):
        raise BadParameter(f"delta is {delta!r}: give a probability above 0 and below 1")
    if not (math.isfinite(horizon) and horizon >= 0):
        raise BadParameter(f"horizon is {horizon!r}: give seconds, 0 or more")
    least = shortest_iteration(clock)
    if least == 0:
        raise BadParameter(
            "safety_buffer: iterations may take no time (d0 = 0), so their number has no bound: give d0 > 0"
        )
    if len(thresholds) != len(parts):
        raise BadParameter(f"{len(thresholds)} thresholds for {len(parts)} segments: give one per segment")
    log = math.log(len(parts) * (1 + horizon / least) / delta)
    n = np.asarray(thresholds, dtype=np.float64)
    waiting = n + log / thetas(n, parts)
    return float((parts.entry_tokens[1:] * waiting[1:]).sum())
