"""Policies that know an interval [l, u] around each output (a_max, a_min)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Guarantee, Known, Parameter
from algos.engine import queue
from algos.engine.actions import age, evict, need, start_in_order
from algos.engine.relief import evict_latest, forget_blocked, try_start
from algos.engine.state import NEVER
from algos.papers import CHEN
from algos.policies.list_order import SKIP
from kvratio.problem.compiled import inlined
from kvratio.problem.instance import Instance, IntArray


def decide_upper(v):
    """Run the list loop with the upper end of its interval as every request's believed length."""
    s = v.st[0]
    given = v.param[1]
    for k in range(s.n_arrived):
        r = v.req[v.arrived[k]]
        r.a = r.high if np.isnan(given) else max(1, min(int(given), s.memory - r.prompt))
    while need(v) > s.memory:
        evict_latest(v)
    return start_in_order(v, int(v.param[0]))


def decide_lower(v):
    """Protect what has proved long: evict the smallest proven length, start the smallest that fits with it.

    ``r.a`` is the proven length lb as it was when the request was last started. While it runs, the length proven
    is max(lb, age), and in the future-peak check it counts as ending after max(lb, age + 1) tokens, which is how
    the ledger treats a request past its believed end. Waiting requests are queued by (lb, index).

    Wake times: the epoch at which the first misfit may fit (jump rule). Evictions come with the engine's overflow
    epochs only.
    """
    s = v.st[0]
    q = queue.Queue(v.own, 0, s.n)
    for k in range(s.n_arrived):
        i = v.arrived[k]
        r = v.req[i]
        r.a = r.low if np.isnan(v.param[0]) else max(1, min(int(v.param[0]), s.memory - r.prompt))
        queue.push(q, i, r.a, 0)
    while need(v) > s.memory:
        i = _least_proven(v)
        r = v.req[i]
        r.a = max(r.a, age(v, i))
        evict(v, i)
        queue.push(q, i, r.a, 0)
    forget_blocked(v)
    while queue.size(q) > 0:
        i = queue.top(q)
        retry = try_start(v, i)
        if retry > 0:
            return retry
        queue.remove(q, i)
    return NEVER


@inlined
def _least_proven(v):
    """Running request with the smallest (proven length, -index)."""
    best = np.int64(-1)
    least = NEVER
    for k in range(v.st[0].running):
        i = v.run[k]
        proven = max(v.req[i].a, age(v, i))
        if proven < least or (proven == least and i > best):
            best, least = i, proven
    return best


def _ends(inst: Instance, params: Mapping[str, Any], name: str, column: IntArray) -> IntArray:
    """Return one end of the intervals: the one number given for all, or the instance's, clamped into [1, M - s]."""
    given = params.get(name)
    return inst.clamp(column if given is None else np.full(inst.n, given, np.int64))


def _promise_kept(inst: Instance, params: Mapping[str, Any]) -> bool:
    upper = _ends(inst, params, "upper", inst.predicted_high)
    lower = _ends(inst, params, "lower", inst.predicted_low)
    inside = bool(((lower <= inst.output) & (inst.output <= upper)).all())
    return inst.is_batch and inst.equal_prompts and inside


A_MAX_GUARANTEE = Guarantee(
    text="(u/l)(1 + u/l)/2, uncertain reading",
    # The fractions are known from secondary sources only: printed, never asserted.
    ratio=lambda inst, params: None,
    holds=_promise_kept,
    hypotheses="batch, equal prompts, l <= o <= u for every request",
    reference="2508.14544",
)
A_MIN_GUARANTEE = Guarantee(
    text="O(log(u/l))",
    ratio=lambda inst, params: None,
    holds=_promise_kept,
    hypotheses="batch, equal prompts, l <= o <= u for every request, memory large against all peaks",
    reference="2508.14544",
)


def upper_ends(known: Known, params: Mapping[str, Any]) -> Any:
    """Upper end of each request's interval, or the one number given for all, clamped into [1, M - s], int64[n]."""
    if params["upper"] is None:
        return known.high
    return np.clip(np.full(len(known.prompt), params["upper"], np.int64), 1, known.memory - known.prompt)


# Whole numbers up to 2^53 reach the compiled hook exactly.
CARDS = (
    Card(
        id="a_max",
        title="Shortest upper end first",
        family="interval",
        information="interval",
        evicts="only if an output exceeds its interval",
        about="Shortest first with the upper end of each interval as the length: safe, and wasteful when intervals "
        "are wide. A request that ends early frees its memory at once.",
        reference="2508.14544",
        source=CHEN,
        parameters=(
            SKIP,
            Parameter(
                "upper", None, "one upper end for all; none: the instance's", low=-(2**53), high=2**53, whole=True
            ),
        ),
        guarantee=A_MAX_GUARANTEE,
        decide=decide_upper,
        key=upper_ends,
    ),
    Card(
        id="a_min",
        title="Shortest proven length first",
        family="interval",
        information="interval",
        evicts="yes",
        about="Believes the lower end of each interval until a request has outlived it; evicts what has proved least. "
        "Evicted tokens are void under restart, the knowledge gained stays.",
        reference="2508.14544",
        source=CHEN,
        parameters=(
            Parameter(
                "lower", None, "one lower end for all; none: the instance's", low=-(2**53), high=2**53, whole=True
            ),
        ),
        guarantee=A_MIN_GUARANTEE,
        decide=decide_lower,
        scratch=lambda n, memory, params, known: queue.words_needed(n),
    ),
)
