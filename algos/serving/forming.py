"""Forming a batch from queues by stage: who enters, what is dropped or evicted where the memory does not suffice."""

from __future__ import annotations

import numpy as np

from algos.engine import bitset
from algos.serving import queues
from algos.serving.actions import admit, decode, evict, footprint, need, survive
from algos.serving.state import AGAIN, NEVER
from kvratio.problem.compiled import inlined

# The candidates for admission are kept in v.own, their number in s.u.


@inlined
def is_flushing(v, wanted):
    """Whether no further request will arrive, in a run that serves the rest."""
    s = v.st[0]
    return wanted and s.closed == 1 and s.released == s.known


@inlined
def propose(v, first_rank, count):
    """Make candidates of the first ``count`` waiting requests from a rank on."""
    s = v.st[0]
    rank = first_rank - 1
    for _ in range(count):
        rank = bitset.following(v.waiting, rank + 1, len(v.order))
        v.own[s.u] = v.order[rank]
        s.u += 1


@inlined
def decode_entry(v, first, count):
    """Let the first ``count`` survivors at a boundary decode."""
    i = v.queue[first].head
    for _ in range(min(count, v.queue[first].count)):
        decode(v, i)
        i = v.req[i].behind


@inlined
def decode_interior(v, k, count):
    """Let the first ``count`` of every queue in the interior of a group decode; `NEVER` means all."""
    g = v.group[k]
    last = g.stop - 1
    if count < NEVER and g.over > 0:
        _decode_queues(v, g.first + 1, g.stop, count)
        return
    if last == g.first:
        return
    g.whole = 1
    s = v.st[0]
    # Rows of a type begin at stage 0 of its own, those of segments at that of all.
    last_stage = last - g.first if s.grouped else last
    i = g.member
    while i >= 0:
        if v.req[i].offset != last_stage:
            v.chosen[s.decodes] = i
            s.decodes += 1
        i = v.req[i].right
    # These go on to the next group, in their order.
    i = v.queue[queues.slot(v, last, 0)].head
    while i >= 0:
        decode(v, i)
        i = v.req[i].behind


@inlined
def _decode_queues(v, first, stop, count):
    """Let the first ``count`` of every queue in first .. stop-1 decode."""
    size = len(v.queue)
    at = bitset.following(v.ready, first, size)
    while 0 <= at < stop:
        i = v.queue[at].head
        for _ in range(min(count, v.queue[at].count)):
            decode(v, i)
            i = v.req[i].behind
        at = bitset.following(v.ready, at + 1, size)


@inlined
def admit_candidates(v):
    """Admit the candidates, without the latest arrivals where the memory does not suffice."""
    s = v.st[0]
    used = s.used
    for k in range(s.u):
        used += need(v, v.own[k])
    if used > s.memory:
        _sort_candidates(v)
    while used > s.memory and s.u > 0:
        s.u -= 1
        used -= need(v, v.own[s.u])
    for k in range(s.u):
        admit(v, v.own[k])


@inlined
def _sort_candidates(v):
    for k in range(1, v.st[0].u):
        i = v.own[k]
        at = k
        while at > 0 and v.own[at - 1] > i:
            v.own[at] = v.own[at - 1]
            at -= 1
        v.own[at] = i


@inlined
def make_room(v):
    """Evict the residents admitted last while the survivors that were chosen do not fit; return the hook's answer."""
    s = v.st[0]
    used = s.used
    i = s.newest
    while used > s.memory:
        used -= footprint(v, i)
        evict(v, i)
        v.req[i].a = 1
        survive(v, i)
        i = v.req[i].before
    if s.victims == 0:
        return NEVER
    kept = np.int64(0)
    for k in range(s.decodes):
        if v.req[v.chosen[k]].a == 0:
            v.chosen[kept] = v.chosen[k]
            kept += 1
    s.decodes = kept
    for k in range(s.victims):
        v.req[v.victims[k]].a = 0
    return AGAIN if kept == 0 and s.prefills == 0 else NEVER
