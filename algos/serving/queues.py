"""Queues of requests by stage, for the policies that advance stage by stage (WAIT and its relatives)."""

from __future__ import annotations

from algos.engine import bitset
from kvratio.problem.compiled import inlined


@inlined
def place(v, i):
    """Number of the queue in which decoding request i stands."""
    r = v.req[i]
    return v.base[r.kind] + r.offset


@inlined
def append(v, i):
    """Put decoding request i at the end of the queue of its stage; at a boundary it becomes a survivor."""
    at = place(v, i)
    q = v.queue[at]
    r = v.req[i]
    r.behind = -1
    r.ahead = q.tail
    if q.count > 0:
        v.req[q.tail].behind = i
    else:
        q.head = i
        r.ahead = -1
        bitset.insert(v.ready, at)
    q.tail = i
    q.count += 1
    r.survivor = q.entry
    if q.entry == 0:
        v.group[q.group].interior += 1


@inlined
def remove(v, i):
    """Take decoding request i out of the queue of its stage."""
    at = place(v, i)
    q = v.queue[at]
    r = v.req[i]
    if r.ahead >= 0:
        v.req[r.ahead].behind = r.behind
    else:
        q.head = r.behind
    if r.behind >= 0:
        v.req[r.behind].ahead = r.ahead
    else:
        q.tail = r.ahead
    q.count -= 1
    if q.count == 0:
        bitset.discard(v.ready, at)
    if q.entry == 0:
        v.group[q.group].interior -= 1


@inlined
def move_on(v, i):
    """Put decoding request i at the end of the queue of its next stage."""
    at = place(v, i)
    q, following = v.queue[at], v.queue[at + 1]
    r = v.req[i]
    if q.count > 1 or following.count > 0 or q.group != following.group or q.entry == 1:
        remove(v, i)
        r.offset += 1
        append(v, i)
        return
    # Alone from an empty queue's neighbour: the usual case, and two thirds of the work saved.
    q.count = 0
    bitset.discard(v.ready, at)
    following.head, following.tail, following.count = i, i, 1
    bitset.insert(v.ready, at + 1)
    r.offset += 1
