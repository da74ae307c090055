"""Shortest predicted remaining time, with limited preemption (trail)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.engine import queue
from algos.engine.actions import age, evict, need, next_use, start
from algos.engine.state import NEVER
from algos.papers import SHAHOUT
from kvratio.problem.compiled import inlined

# r.a is the remaining time max(est - age, 1) of a request as it was when it was last queued or set aside. It does not
# change while a request waits. Scratch: the queue of waiting requests by (remaining, index), then the list of the
# s.u requests set aside: evicted at this epoch, from the last on, and not to be started again at it.


def decide(v):
    """Run the requests past the share C of their prediction, and the shortest remaining of the others that fit.

    Wake times: the next epoch after setting a request aside, for it may have been the first misfit and may hold less
    now. Otherwise none: what runs only comes nearer to its end while what waits stays, so the first misfit is the
    same request at the next epoch, and demand only grows.
    """
    s = v.st[0]
    waiting = queue.Queue(v.own, 0, s.n)
    for k in range(s.n_arrived):
        _wait(v, waiting, v.arrived[k])
    s.u = 0
    if need(v) > s.memory:
        _thin_protected(v, waiting)
    while need(v) > s.memory:
        _set_aside(v, _last_unprotected(v))
    _exchange(v, waiting)
    for k in range(s.u):
        _wait(v, waiting, v.own[_aside(v) + k])
    return s.now + 1 if s.u > 0 else NEVER


@inlined
def _exchange(v, waiting):
    """Set aside the last and start the first until the longest prefix by (remaining, index) that fits runs."""
    s = v.st[0]
    while queue.size(waiting) > 0:
        i = queue.top(waiting)
        # The request set aside last is the first misfit: nobody behind it starts.
        if s.u > 0 and not _comes_before(v, i, v.own[_aside(v) + s.u - 1]):
            break
        use = next_use(v, i)
        while need(v) + use > s.memory:
            j = _last_unprotected(v)
            if j < 0:
                break
            v.req[j].a = _remaining(v, j)
            if _comes_before(v, j, i):
                break
            _set_aside(v, j)
        if need(v) + use > s.memory:
            break
        queue.remove(waiting, i)
        start(v, i)


@inlined
def _thin_protected(v, waiting):
    """Evict the latest started of the protected while they alone overflow the next round; these may start again."""
    s = v.st[0]
    while True:
        demand = np.int64(0)
        latest = np.int64(-1)
        begin = np.int64(-1)
        for k in range(s.running):
            i = v.run[k]
            if _is_protected(v, i):
                r = v.req[i]
                demand += next_use(v, i)
                began = r.start + r.kept
                if began > begin or (began == begin and i > latest):
                    latest, begin = i, began
        if demand <= s.memory:
            break
        evict(v, latest)
        _wait(v, waiting, latest)


@inlined
def _last_unprotected(v):
    """Running request with the largest (remaining, index) among those not protected, or -1."""
    best = np.int64(-1)
    most = np.int64(-1)
    for k in range(v.st[0].running):
        i = v.run[k]
        if not _is_protected(v, i):
            left = _remaining(v, i)
            if left > most or (left == most and i > best):
                best, most = i, left
    return best


@inlined
def _is_protected(v, i):
    return age(v, i) >= v.param[0] * v.req[i].estimate


@inlined
def _remaining(v, i):
    return max(v.req[i].estimate - age(v, i), 1)


@inlined
def _comes_before(v, i, j):
    first, second = v.req[i].a, v.req[j].a
    return first < second or (first == second and i < j)


@inlined
def _set_aside(v, i):
    s = v.st[0]
    v.req[i].a = _remaining(v, i)
    v.own[_aside(v) + s.u] = i
    s.u += 1
    evict(v, i)


@inlined
def _aside(v):
    """First word of the list of those set aside."""
    n = v.st[0].n
    return 1 + n + queue.ENTRY * n


@inlined
def _wait(v, waiting, i):
    """Queue request i by what remains under the tokens it has kept."""
    r = v.req[i]
    r.a = max(r.estimate - r.kept, 1)
    queue.push(waiting, i, r.a, 0)


def scratch(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for the queue and for a list of as many as can run."""
    return queue.words_needed(n) + min(n, memory)


CARDS = (
    Card(
        id="trail",
        title="TRAIL",
        family="engine",
        information="prediction",
        evicts="yes",
        about="Shortest predicted remaining time first, admitted by the memory of the next round; a request that is "
        "past the share C of its prediction is not preempted. The paper refines the prediction with age; here it is "
        "constant.",
        reference="2410.01035",
        source=SHAHOUT,
        parameters=(Parameter("C", 0.8, "share of its prediction from which a request is protected", low=0.0),),
        decide=decide,
        scratch=scratch,
    ),
)
