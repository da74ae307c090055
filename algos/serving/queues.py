"""Queues of requests by stage, for the policies that advance stage by stage (WAIT and its relatives).

Stages form groups: a type (WAIT) or a segment (Nested WAIT). The first stage of a group is its entry, which has a row
of its own. The queues of the other stages, the interior, lie in a ring: when a whole interior moves by one stage, the
ring turns and no queue is touched. What a row says of its stage (`entry`, `group`) does not turn.
"""

from __future__ import annotations

from algos.engine import bitset
from kvratio.problem.compiled import inlined


@inlined
def row_of(v, i):
    """Return the row of the stage of decoding request i."""
    r = v.req[i]
    return v.base[r.kind] + r.offset


@inlined
def slot(v, row, ahead):
    """Return where the queue of a stage lies, after ``ahead`` more turns of its ring."""
    g = v.group[v.queue[row].group]
    start = g.first + 1
    if row < start:
        return row
    ring = g.stop - start
    at = row - start - g.shift - ahead
    return start + (at + ring if at < 0 else at)


@inlined
def append(v, i):
    """Put decoding request i at the end of the queue of its stage; at a boundary it becomes a survivor."""
    row = row_of(v, i)
    at = slot(v, row, 0)
    q = v.queue[at]
    r = v.req[i]
    r.behind, r.ahead = -1, q.tail
    if q.tail >= 0:
        v.req[q.tail].behind = i
    else:
        q.head = i
    q.tail = i
    _count_in(v, i, row, at)


@inlined
def join(v, i):
    """Put request i, whose prefill has ended, behind those who stay at its stage and before those who reach it now."""
    row = row_of(v, i)
    at = slot(v, row, 1)
    q = v.queue[at]
    r = v.req[i]
    r.ahead, r.behind = -1, q.head
    if q.head >= 0:
        v.req[q.head].ahead = i
    else:
        q.tail = i
    q.head = i
    _count_in(v, i, row, at)


@inlined
def moves_whole(v, i):
    """Whether request i joins a ring that turns at the end of this iteration."""
    row = row_of(v, i)
    g = v.group[v.queue[row].group]
    return row > g.first and g.whole == 1


@inlined
def _count_in(v, i, row, at):
    """Book that request i stands in the queue at a place, for the stage of a row."""
    r = v.req[i]
    q = v.queue[at]
    q.count += 1
    if q.count == 1:
        bitset.insert(v.ready, at)
    r.survivor = v.queue[row].entry
    g = v.group[v.queue[row].group]
    if row > g.first:
        g.interior += 1
        if q.count == g.bound + 1:
            g.over += 1
        r.left, r.right = -1, g.member
        if g.member >= 0:
            v.req[g.member].left = i
        g.member = i


@inlined
def remove(v, i):
    """Take decoding request i out of the queue of its stage."""
    row = row_of(v, i)
    at = slot(v, row, 0)
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
    g = v.group[v.queue[row].group]
    if row > g.first:
        g.interior -= 1
        if q.count == g.bound:
            g.over -= 1
        if r.left >= 0:
            v.req[r.left].right = r.right
        else:
            g.member = r.right
        if r.right >= 0:
            v.req[r.right].left = r.left


@inlined
def move_on(v, i):
    """Put decoding request i at the end of the queue of its next stage."""
    remove(v, i)
    v.req[i].offset += 1
    append(v, i)


@inlined
def stay(v):
    """Let no ring turn at the end of the iteration to come, until a policy says otherwise."""
    for k in range(len(v.group)):
        v.group[k].whole = 0


@inlined
def turn_rings(v):
    """Turn the rings of all groups whose whole interior has moved by a stage."""
    for k in range(len(v.group)):
        g = v.group[k]
        ring = g.stop - g.first - 1
        if g.whole == 1 and ring > 0:
            g.shift = g.shift + 1 if g.shift + 1 < ring else 0
        g.whole = 0
