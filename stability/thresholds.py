"""Thresholds of WAIT and Nested WAIT: the least integers that keep the pipeline ahead of the arrivals.

Conditions from Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320); how integers are chosen is
derived here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from stability.batch_time import AnyClock, per_type, pieces
from stability.buffer import safety_buffer, theta
from stability.conditions import Condition, NoThresholds, require
from stability.fluid import equilibrium
from stability.mix import FloatArray, IntArray, Mix, columns, tokens_of_memory, types_of
from stability.segments import Segments, segments

#: seconds for which Nested WAIT's buffer must last when the mix does not say how long it arrives
HORIZON = 3600.0
#: a product p n within this of a whole number counts as that number: shares are quotients of rounded rates
_WHOLE = 1e-9
_INSTEAD = "wait_capped realises thresholds below one"


def wait_interval(types: Mix, clock: AnyClock, memory: float) -> tuple[float, float]:
    """Return the times t, in seconds, for which the real thresholds n_j = r_j t satisfy WAIT's conditions.

    Returns
    -------
    (float, float)
        dT* and C/R; empty (first above second) when the mix is overloaded.
    """
    fluid = equilibrium(types, clock, memory)
    assert fluid.memory is not None
    return fluid.dT, fluid.memory / fluid.R


def wait_batch(types: Mix, thresholds: npt.ArrayLike, clock: AnyClock) -> tuple[float, float]:
    """Return tokens M(n) and seconds D(n) of WAIT's full batch: n_j requests in every stage of every type."""
    prompt, output, _ = columns(types_of(types))
    n = _one_per("type", thresholds, len(prompt))
    total = n @ per_type(prompt, output)
    work = pieces(clock)
    return float(total[0]), float((work[:, 0] + work[:, 1:] @ total).max())


def conditions_wait(
    types: Mix, thresholds: npt.ArrayLike, clock: AnyClock, memory: float, strict: bool = False
) -> tuple[Condition, ...]:
    """Return WAIT's conditions: D(n) <= n_j / r_j for every type, and M* <= M(n) <= C.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
    thresholds : array of m numbers
    clock : Clock or RooflineClock
    memory : float
        C in tokens.
    strict : bool
        The strict inequalities, under which latency stays bounded.
    """
    mix = types_of(types)
    n = _one_per("type", thresholds, len(mix))
    tokens, seconds = wait_batch(mix, n, clock)
    keep = "<" if strict else "<="
    pace = [
        Condition(f"D(n) {keep} n_{j}/r_{j}", seconds, float(n[j] / kind.rate), "s", strict)
        for j, kind in enumerate(mix)
    ]
    return (
        *pace,
        Condition(f"M* {keep} M(n)", equilibrium(mix, clock).M, tokens, "tokens", strict),
        Condition(f"M(n) {keep} C", tokens, tokens_of_memory(memory), "tokens", strict),
    )


def thresholds_wait(
    types: Mix, clock: AnyClock, memory: float, margin: float = 0.05, groups: npt.ArrayLike | None = None
) -> IntArray:
    """Return the least integer thresholds of WAIT.

    Starting at 1, ``n_j = max(n_j, floor(r_j (1 + margin) D(n)) + 1)`` until nothing changes. The map is monotone, so
    every other solution is at least as large in every type; smaller thresholds give lower latency.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
    clock : Clock or RooflineClock
    memory : float
        C in tokens.
    margin : float
        Share by which n_j / r_j exceeds D(n), >= 0.
    groups : int array, shape (m,), optional
        Group 0, 1, .. of each type: types of a group share a threshold. Its batch is then the mean one over its types,
        so M(n) is a mean, and the peak may be larger. Default: each type its own.

    Returns
    -------
    int64[m], or one for each group

    Raises
    ------
    NoThresholds
        A `BadParameter` that names the violated inequality and by how much.
    """
    mix, limit, spare = types_of(types), tokens_of_memory(memory), 1 + _checked_margin(margin)
    prompt, output, rate = columns(mix)
    batch, work = per_type(prompt, output), pieces(clock)
    if groups is not None:
        batch, rate = _grouped(batch, rate, np.asarray(groups, dtype=np.int64))
    if equilibrium(mix, clock).slack <= 0:
        raise NoThresholds(f"no integer thresholds: {equilibrium(mix, clock).reason}")
    n = np.ones(len(rate))
    while True:
        total = n @ batch
        if total[0] > limit:
            over = Condition("M(n) <= C", float(total[0]), limit, "tokens")
            why = f"{spare:g} D(n) < n_j/r_j needs more memory" if (n > 1).any() else "already n = 1 does not fit"
            raise NoThresholds(f"no integer thresholds for WAIT with {len(rate)} types: {why}, {over}; {_INSTEAD}")
        seconds = float((work[:, 0] + work[:, 1:] @ total).max())
        more = np.maximum(n, np.floor(rate * spare * seconds) + 1)
        if (more == n).all():
            return n.astype(np.int64)
        n = more


def _grouped(batch: FloatArray, rate: FloatArray, groups: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean batch and the rate of each group of types."""
    total = np.bincount(groups, weights=rate).astype(np.float64)
    if (total <= 0).any():
        raise BadParameter(f"group {int(total.argmin())} has no type: number groups 0, 1, .. without gaps")
    weighted = np.stack([np.bincount(groups, weights=rate * column) for column in batch.T], axis=1)
    return weighted / total[:, None], total


@dataclass(frozen=True, eq=False)
class NestedPlan:
    """Thresholds of Nested WAIT with what they rest on.

    Attributes
    ----------
    thresholds : int64[L]
    segments : Segments
    batch_tokens, batch_seconds : float
        M(n) and D(n).
    buffer : float
        Tokens for the boundary queues.
    horizon, delta : float
        No overflow within ``horizon`` seconds with probability >= 1 - delta.
    """

    thresholds: IntArray
    segments: Segments
    batch_tokens: float
    batch_seconds: float
    buffer: float
    horizon: float
    delta: float

    @property
    def memory_needed(self) -> float:
        """M(n) and the buffer, in tokens."""
        return self.batch_tokens + self.buffer


def conditions_nested(
    parts: Segments,
    thresholds: npt.ArrayLike,
    clock: AnyClock,
    memory: float,
    delta: float = 0.01,
    horizon: float = HORIZON,
    margin: float = 0.0,
) -> tuple[Condition, ...]:
    """Return the conditions of Nested WAIT, for integer or real thresholds (of `wait_capped`: B_k / width_k).

    ``(1 + margin) D(n) < n_1 / Lambda_1``, ``p_k < n_k / n_{k-1}``, and ``M(n) + buffer <= C``. Where a boundary queue
    grows for ever, the buffer has no value and only M(n) is compared.
    """
    n = _one_per("segment", thresholds, len(parts))
    limit = tokens_of_memory(memory)
    label = "D(n) < n_1/Lambda_1" if margin == 0 else f"{1 + margin:g} D(n) < n_1/Lambda_1"
    pace = Condition(label, (1 + margin) * parts.seconds(n, clock), float(n[0] / parts.rate[0]), "s", strict=True)
    flow = [
        Condition(f"p_{k + 1} < n_{k + 1}/n_{k}", float(parts.share[k]), float(n[k] / n[k - 1]), strict=True)
        for k in range(1, len(parts))
    ]
    tokens = parts.tokens(n)
    if all(condition.holds for condition in flow):
        room = Condition("M(n) + buffer <= C", tokens + safety_buffer(n, parts, clock, horizon, delta), limit, "tokens")
    else:
        room = Condition("M(n) <= C", tokens, limit, "tokens")
    return (pace, *flow, room)


def plan_nested(
    types: Mix,
    clock: AnyClock,
    memory: float,
    cuts: Sequence[int] | IntArray | None = None,
    margin: float = 0.05,
    delta: float = 0.01,
    horizon: float | None = None,
) -> NestedPlan:
    """Return the first thresholds of Nested WAIT that satisfy its conditions; see `thresholds_nested`."""
    parts = segments(types, cuts)
    limit, margin = tokens_of_memory(memory), _checked_margin(margin)
    time = horizon_of(types) if horizon is None else horizon
    what = f"no integer thresholds for Nested WAIT with {len(parts)} segments ({_INSTEAD})"
    closest: tuple[Condition, ...] = ()
    first = 1
    while True:
        n = _nested_from(first, parts.share)
        tokens = parts.tokens(n)
        if tokens > limit and closest:
            require(closest, what)
        conditions = conditions_nested(parts, n, clock, limit, delta, time, margin)
        if all(condition.holds for condition in conditions):
            return NestedPlan(
                n, parts, tokens, parts.seconds(n, clock), safety_buffer(n, parts, clock, time, delta), time, delta
            )
        if tokens > limit:
            require(conditions, what)
        closest = _closer(closest, conditions)
        first += 1


def thresholds_nested(
    types: Mix,
    clock: AnyClock,
    memory: float,
    cuts: Sequence[int] | IntArray | None = None,
    margin: float = 0.05,
    delta: float = 0.01,
    horizon: float | None = None,
) -> IntArray:
    """Return integer thresholds of Nested WAIT.

    For n_1 = 1, 2, ...: ``n_k = floor(p_k n_{k-1}) + 1``; the first n_1 with ``(1 + margin) D(n) < n_1 / Lambda_1`` and
    room for M(n) and the safety buffer is taken.

    Parameters
    ----------
    types : rows (prompt, output, rate), `Requests` or `Workload`
    clock : Clock or RooflineClock
    memory : float
        C in tokens.
    cuts : sequence of int, optional
        See `segments`. Default: one per distinct output.
    margin : float
        Spare share of time, >= 0.
    delta : float
        Accepted probability of an overflow within the horizon.
    horizon : float, optional
        Seconds. Default: the last arrival of `Requests`, else `HORIZON`.

    Returns
    -------
    int64[L]
        One per segment of ``segments(types, cuts)``.

    Raises
    ------
    NoThresholds
        A `BadParameter` that names the violated inequality and by how much.
    """
    return plan_nested(types, clock, memory, cuts, margin, delta, horizon).thresholds


def horizon_of(types: Mix) -> float:
    """Return for how long requests arrive, in seconds: the last arrival of `Requests`, else `HORIZON`."""
    return types.last_arrival if isinstance(types, Requests) else HORIZON


def _nested_from(first: int, share: FloatArray) -> IntArray:
    n = [first]
    for p in share[1:]:
        n.append(math.floor(p * n[-1] + _WHOLE) + 1)
    return np.array(n, dtype=np.int64)


def _closer(known: tuple[Condition, ...], new: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Of two failed attempts, keep the one whose first violation is relatively smaller, for the message."""

    def miss(conditions: tuple[Condition, ...]) -> float:
        return max((c.left - c.right) / max(abs(c.right), 1e-300) for c in conditions)

    return new if not known or miss(new) < miss(known) else known


def _one_per(what: str, thresholds: npt.ArrayLike, count: int) -> FloatArray:
    n = np.asarray(thresholds, dtype=np.float64)
    if n.shape != (count,) or not (np.isfinite(n) & (n > 0)).all():
        raise BadParameter(f"thresholds {thresholds!r}: give {count} numbers above 0, one per {what}")
    return n


def _checked_margin(margin: float) -> float:
    if not (isinstance(margin, (int, float, np.number)) and math.isfinite(margin) and margin >= 0):
        raise BadParameter(f"margin is {margin!r}: give a share >= 0, such as 0.05")
    return float(margin)


__all__ = [
    "HORIZON",
    "NestedPlan",
    "conditions_nested",
    "conditions_wait",
    "horizon_of",
    "plan_nested",
    "safety_buffer",
    "theta",
    "thresholds_nested",
    "thresholds_wait",
    "wait_batch",
    "wait_interval",
]
