"""Length classes admitted in proportion, so that those that run together are mixed (mixed)."""

from __future__ import annotations

import numpy as np

from algos.card import Card, Parameter
from algos.engine import bitset
from algos.engine.actions import evict, latest_started, need, room, start
from algos.engine.state import NEVER
from algos.papers import AO_CONGESTION
from kvratio.problem.compiled import inlined

# Scratch: the classes met so far by length, in four columns of room n each: length class, requests that have arrived,
# those that are not waiting, and the smallest rank. Scalar u: how many classes.
CLASS, ARRIVED, TAKEN, FIRST = range(4)


@inlined
def place_of(own, n, count, kind):
    """Place of a class among the first ``count``, or where it belongs."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if own[CLASS * n + middle] < kind:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def meet(own, n, count, kind, rank):
    """Count a request that arrives; return the number of classes then."""
    k = place_of(own, n, count, kind)
    if k == count or own[CLASS * n + k] != kind:
        for column in range(4):
            for j in range(count, k, -1):
                own[column * n + j] = own[column * n + j - 1]
        own[CLASS * n + k], own[ARRIVED * n + k], own[TAKEN * n + k], own[FIRST * n + k] = kind, 0, 0, rank
        count += 1
    own[ARRIVED * n + k] += 1
    own[FIRST * n + k] = min(own[FIRST * n + k], rank)
    return count


@inlined
def next_class(own, n, count):
    """Place of the class whose turn it is, or -1: the least (taken + 1/2) / arrived, ties to the shorter length."""
    best = -1
    for k in range(count):
        taken, arrived = own[TAKEN * n + k], own[ARRIVED * n + k]
        if taken == arrived:
            continue
        if best < 0 or (2 * taken + 1) * own[ARRIVED * n + best] < (2 * own[TAKEN * n + best] + 1) * arrived:
            best = k
    return best


def decide(v):
    """Evict the newest while the next round overflows; then start from the class whose turn it is while it fits."""
    s = v.st[0]
    n, width = len(v.req), np.int64(v.param[0])
    for k in range(s.n_arrived):
        r = v.req[v.arrived[k]]
        s.u = meet(v.own, n, s.u, (r.estimate - 1) // width, r.rank)
    while need(v) > s.memory:
        i = latest_started(v)
        v.own[TAKEN * n + place_of(v.own, n, s.u, (v.req[i].estimate - 1) // width)] -= 1
        evict(v, i)
    k = next_class(v.own, n, s.u)
    while k >= 0:
        i = v.order[bitset.following(v.waiting, v.own[FIRST * n + k], len(v.order))]
        if not room(v, i):
            break
        start(v, i)
        v.own[TAKEN * n + k] += 1
        k = next_class(v.own, n, s.u)
    return NEVER


CARDS = (
    Card(
        id="mixed",
        title="Length classes in rotation",
        family="engine",
        information="prediction",
        evicts="yes",
        about="As vllm_fcfs, but classes of predicted length take turns in proportion to their arrivals: lengths "
        "without a common divisor that run together keep each other from falling into step. No help for equal lengths.",
        reference="2606.15555",
        source=AO_CONGESTION,
        parameters=(Parameter("width", 1, "lengths in a class", low=1, high=float(2**53), whole=True),),
        key=lambda known, params: known.estimate,
        scratch=lambda n, memory, params, known: 4 * n,
        decide=decide,
    ),
)
