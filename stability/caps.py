"""Segment caps of `wait_capped`: real thresholds below one, realised as a number of requests per segment.

Thresholds fall from segment to segment a little slower than the survivors, n_k = n_{k-1} min(p_k + eta, 0.99), as in
the public experiments of arXiv 2504.11320.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.batch_time import AnyClock, batch_seconds, pieces
from stability.conditions import Condition, NoThresholds
from stability.mix import FloatArray, IntArray, Mix, tokens_of_memory
from stability.segments import Segments, segments

#: by which thresholds are raised until their caps keep up with the load
STEP = 0.02
#: a segment never gets more than this share of the one before it
MOST_KEPT = 0.99


@dataclass(frozen=True, eq=False)
class Caps:
    """Caps with the real thresholds behind them.

    Attributes
    ----------
    caps : int64[L]
        B_k = max(1, round(n_k width_k)): requests of a segment.
    wanted : float64[L]
        n_k before rounding.
    segments : Segments
    """

    caps: IntArray
    wanted: FloatArray
    segments: Segments

    @property
    def thresholds(self) -> FloatArray:
        """B_k / width_k, float64[L]: the thresholds that the caps realise, for `conditions_nested`."""
        return np.asarray(self.caps / self.segments.width, dtype=np.float64)


def caps_from_tokens(
    types: Mix, tokens: float, cuts: Sequence[int] | IntArray | None = None, eta: float = 0.05
) -> Caps:
    """Return caps that together admit a budget of passes (tokens computed, a prefill counting one) per iteration.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
    tokens : float
        ``sum n_k width_k``.
    cuts : sequence of int, optional
        See `segments`.
    eta : float
        Spare share of survivors, >= 0.
    """
    if not (isinstance(tokens, (int, float, np.number)) and math.isfinite(tokens) and tokens > 0):
        raise BadParameter(f"tokens is {tokens!r}: give a positive number of passes per iteration")
    parts = segments(types, cuts)
    ratio = _ratios(parts, eta)
    return _caps(parts, ratio * (tokens / float(ratio @ parts.width)))


def caps_for_load(
    types: Mix,
    clock: AnyClock,
    memory: float,
    cuts: Sequence[int] | IntArray | None = None,
    eta: float = 0.05,
    margin: float = 0.05,
) -> Caps:
    """Return the caps of the least real thresholds with (1 + margin) D(n) <= n_k / Lambda_k that still hold as caps.

    Rounding can take the cap of any segment below its threshold, and where only some turns read a prompt the mean turn
    of a roofline clock is longer than the turn with the mean prompt. So thresholds are raised by `STEP` until the caps
    keep up.

    Raises
    ------
    NoThresholds
        When no thresholds keep up with the arrivals, or when M(n) of the least ones exceeds C; says by how much.
    """
    if not (math.isfinite(margin) and margin >= 0):
        raise BadParameter(f"margin is {margin!r}: give a share >= 0, such as 0.05")
    parts, limit = segments(types, cuts), tokens_of_memory(memory)
    ratio, work = _ratios(parts, eta), pieces(clock)
    per_first = work[:, 1:] @ (ratio @ parts.batch)  # seconds that a unit of n_1 adds to a batch
    spare = 1 / ((1 + margin) * float(parts.rate[0])) - per_first
    if (spare <= 0).any():
        pace = Condition(
            "(1+margin) D(n) < n_1/Lambda_1 per unit of n_1",
            float(per_first.max()),
            float(1 / ((1 + margin) * parts.rate[0])),
            "s",
        )
        raise NoThresholds(f"no thresholds for wait_capped with {len(parts)} segments: {pace}")
    first = float((work[:, 0] / spare).max())
    while True:
        found = _caps(parts, ratio * first)
        room = Condition("M(n) <= C", parts.tokens(found.thresholds), limit, "tokens")
        if not room.holds:
            raise NoThresholds(f"no thresholds for wait_capped with {len(parts)} segments: {room}")
        if (1 + margin) * _mean_turn(found, clock) <= float((found.thresholds / parts.rate).min()):
            return found
        first *= 1 + STEP


def _mean_turn(found: Caps, clock: AnyClock) -> float:
    """Return the mean seconds of a turn with full caps: the first segment takes whole requests, some turns one more."""
    n, parts = found.thresholds, found.segments
    cached, prompt, decodes = (n @ parts.batch).tolist()
    whole, more = math.floor(n[0]), n[0] - math.floor(n[0])
    each = prompt / float(n[0])
    return float(
        (1 - more) * batch_seconds(clock, cached, whole * each, decodes)
        + more * batch_seconds(clock, cached, (whole + 1) * each, decodes)
    )


def _ratios(parts: Segments, eta: float) -> FloatArray:
    """Return n_k / n_1, float64[L]."""
    if not (isinstance(eta, (int, float, np.number)) and math.isfinite(eta) and eta >= 0):
        raise BadParameter(f"eta is {eta!r}: give a share >= 0, such as 0.05")
    kept = np.minimum(parts.share + eta, MOST_KEPT)
    kept[0] = 1.0
    return np.asarray(np.cumprod(kept), dtype=np.float64)


def _caps(parts: Segments, wanted: FloatArray) -> Caps:
    caps = np.maximum(1, np.floor(wanted * parts.width + 0.5)).astype(np.int64)
    return Caps(caps, wanted, parts)
