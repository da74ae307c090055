"""Batches in the order of the smallest sum of lengths over squared size, run as a list (sorted_f)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.batches import order, table
from algos.card import Card, Guarantee, Known, Parameter
from algos.engine import queue
from algos.engine.actions import first_waiting, need, next_waiting
from algos.engine.relief import evict_latest, forget_blocked, try_start
from algos.engine.state import NEVER
from algos.papers import WANG
from algos.policies.list_order import SKIP
from kvratio.problem.compiled import inlined
from kvratio.problem.instance import Instance

# r.b is a request's position in the order. The order is worked out only as far as the list loop looks: the members
# left in `algos.batches` come after all positions given so far, s.u of them. Scratch: the queue of waiting requests
# with a position, by (position, index); the requests passed over by a skipping loop; the members.


def decide(v):
    """Run the list loop in the order of `algos.batches`, begun anew whenever requests arrive.

    Wake times: the epoch at which a misfit may fit (jump rule).
    """
    s = v.st[0]
    line = queue.Queue(v.own, 0, s.n)
    sets = table.Batches(v.own, 1 + s.n + queue.ENTRY * s.n + s.n, s.n)
    for k in range(s.n_arrived):
        v.req[v.arrived[k]].a = v.req[v.arrived[k]].estimate
    if s.n_arrived > 0:
        _begin_order(v, line, sets)
    while need(v) > s.memory:
        i = evict_latest(v)
        queue.push(line, i, v.req[i].b, i)
    forget_blocked(v)
    passed = _passed(v)
    count = np.int64(0)
    wake = NEVER
    while True:
        i = _next(v, line, sets)
        if i < 0:
            break
        retry = try_start(v, i)
        if retry > 0:
            wake = min(wake, retry)
            if v.param[0] == 0.0:
                break
            v.own[passed + count] = i
            count += 1
        queue.remove(line, i)
    for k in range(count):
        i = v.own[passed + k]
        queue.push(line, i, v.req[i].b, i)
    return wake


@inlined
def _begin_order(v, line, sets):
    """Enter all that wait, by (length, index), which is the static order."""
    s = v.st[0]
    table.begin(sets)
    queue.clear(line)
    i = first_waiting(v)
    count = np.int64(0)
    while i >= 0:
        table.enter(sets, i, v.req[i].prompt, v.req[i].estimate)
        count += 1
        i = next_waiting(v, i)
    table.seal(sets)
    s.u = 0
    s.v = 1 if count <= v.param[1] else 0


@inlined
def _next(v, line, sets):
    """First waiting request by (position, index), or -1; takes out one more set when it may hold that request."""
    s = v.st[0]
    # An evicted request keeps the position of an older order, which may come after positions not yet given.
    while table.left(sets) > 0 and (queue.size(line) == 0 or queue.top_key(line) >= s.u):
        size = order.extract(sets, s.memory, s.v == 1)
        for x in range(size):
            i = table.found(sets, x)
            v.req[i].b = s.u
            queue.push(line, i, s.u, i)
            s.u += 1
    return queue.top(line)


@inlined
def _passed(v):
    """First word of the list of those passed over."""
    n = v.st[0].n
    return 1 + n + queue.ENTRY * n


def scratch(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for the queue, the list of those passed over, and the members."""
    return queue.words_needed(n) + n + table.words_needed(n)


def _exact_batch(inst: Instance, params: Mapping[str, Any]) -> bool:
    exact = bool((inst.clamp(inst.predicted) == inst.output).all())
    return inst.is_batch and exact and not params.get("skip", False)


GUARANTEE = Guarantee(
    text="48",
    ratio=lambda inst, params: 48.0,
    holds=_exact_batch,
    hypotheses="batch, exact lengths; uncertain: perhaps only for large memory",
    reference="2508.06133",
)

# 2^62 subsets is as far as the search over subsets can count.
EXACT_LIMIT = Parameter(
    "exact_limit",
    12,
    "with more requests to order, sets are found by local search; the time for the exact search doubles with each",
    low=0,
    high=62,
    whole=True,
)

CARDS = (
    Card(
        id="sorted_f",
        title="Sorted-F",
        family="list",
        information="prediction",
        evicts="if a prediction is too low",
        about="Takes out, again and again, the set that fits together with the smallest sum of lengths over squared "
        "size, and runs the list in that order. Sees prompts and lengths together, where shortest first sees one.",
        reference="2508.06133",
        source=WANG,
        parameters=(SKIP, EXACT_LIMIT),
        guarantee=GUARANTEE,
        decide=decide,
        key=lambda known, params: known.estimate,
        scratch=scratch,
    ),
)
