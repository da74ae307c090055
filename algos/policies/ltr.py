"""Learning to rank: the order of predictions, with promotion of those that have waited long (ltr)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.engine import bitset, queue
from algos.engine.actions import evict, first_waiting, need, room, start
from algos.engine.state import NEVER
from algos.papers import FU
from kvratio.problem.compiled import inlined

# r.a is 1 + the epoch of promotion, 0 for a request that is not promoted; r.b the rounds it has run since promotion,
# up to its running attempt. The static order is by (score, index). Scratch: waiting requests that are not promoted, by
# the epoch since which they wait; waiting promoted ones by (promotion, index); the ranks of running ones that are
# not promoted.


def decide(v):
    """Evict the last in order while the next round overflows, then start in order while one more round fits.

    Wake times: the next epoch at which a waiting request has waited long enough to be promoted. The end of a
    promotion needs none: it only changes who is evicted first, so it is looked at when somebody has to be.
    """
    s = v.st[0]
    patient, promoted = _queue(v, 0), _queue(v, 1)
    plain = v.own[2 * (1 + s.n + queue.ENTRY * s.n) :]
    if s.u == 0:
        bitset.clear_all(plain, s.n)
        s.u = 1
    for k in range(s.n_ended):
        bitset.discard(plain, v.req[v.ended[k]].rank)
    for k in range(s.n_arrived):
        queue.push(patient, v.arrived[k], s.now, 0)
    starvation = np.int64(v.param[0])
    while queue.size(patient) > 0 and queue.top_key(patient) + starvation <= s.now:
        i = queue.pop(patient)
        v.req[i].a, v.req[i].b = s.now + 1, 0
        queue.push(promoted, i, s.now + 1, 0)
    if need(v) > s.memory:
        _demote(v, plain)
    while need(v) > s.memory:
        _evict_last(v, patient, promoted, plain)
    while True:
        i = queue.top(promoted)
        if i < 0:
            i = first_waiting(v)
        if i < 0 or not room(v, i):
            break
        queue.remove(promoted, i)
        queue.remove(patient, i)
        start(v, i)
        if v.req[i].a == 0:
            bitset.insert(plain, v.req[i].rank)
    return queue.top_key(patient) + starvation if queue.size(patient) > 0 else NEVER


@inlined
def _queue(v, number):
    n = v.st[0].n
    return queue.Queue(v.own, number * (1 + n + queue.ENTRY * n), n)


@inlined
def _demote(v, plain):
    """End the promotion of running requests that have run ``quantum`` rounds under it."""
    s = v.st[0]
    if np.isnan(v.param[1]):
        return
    for k in range(s.running):
        i = v.run[k]
        r = v.req[i]
        if r.a > 0 and r.b + s.now - (r.start + r.kept) >= np.int64(v.param[1]):
            r.a = 0
            bitset.insert(plain, r.rank)


@inlined
def _evict_last(v, patient, promoted, plain):
    """Evict the running request that is last by (promotion, index), the promoted first, then (score, index)."""
    s = v.st[0]
    rank = bitset.last(plain)
    if rank >= 0:
        i = v.order[rank]
        bitset.discard(plain, rank)
        evict(v, i)
        queue.push(patient, i, s.now, 0)
        return
    i = np.int64(-1)
    for k in range(s.running):
        j = v.run[k]
        if i < 0 or v.req[j].a > v.req[i].a or (v.req[j].a == v.req[i].a and j > i):
            i = j
    r = v.req[i]
    r.b += s.now - (r.start + r.kept)
    evict(v, i)
    queue.push(promoted, i, r.a, 0)


def scratch(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for the two queues and the set of ranks."""
    return 2 * queue.words_needed(n) + bitset.words_needed(n)


CARDS = (
    Card(
        id="ltr",
        title="Learning to rank",
        family="engine",
        information="prediction",
        evicts="yes",
        about="Uses the order of predictions only: lowest score first, admitted by the memory of the next round. Who "
        "has waited long is promoted to the front. With a finite quantum two requests can evict each other for ever, "
        "which ends at the round limit.",
        reference="2408.15792",
        source=FU,
        parameters=(
            Parameter(
                "starvation", 256, "rounds of waiting after which promotion comes", low=1, high=2**53, whole=True
            ),
            Parameter(
                "quantum",
                None,
                "rounds of running after which a promotion ends; none: at completion",
                low=1,
                high=2**53,
                whole=True,
            ),
        ),
        decide=decide,
        key=lambda known, params: known.estimate,
        scratch=scratch,
    ),
)
