"""Looking ahead: whether all residents and a candidate fit until their believed ends.

The believed number of passes left, max(p - s, 0), orders the residents. The order changes little between decisions,
so it is kept in the policy's scratch and mended: ``own[0]`` residents at ``own[1:]``, most left first.
"""

from __future__ import annotations

from algos.serving.actions import emitted, rounded
from algos.serving.state import DECODING, PREFILLING
from kvratio.problem.compiled import inlined


def words_needed(n: int) -> int:
    """Return the length of the scratch for n requests."""
    return n + 1


@inlined
def left(v, i, limit):
    """Passes that request i is believed to need after the next one: by its prediction, or by one limit for all."""
    r = v.req[i]
    believed = r.estimate if limit < 0 else limit
    stage = emitted(v, i) + (1 if r.status == DECODING else 0)
    return max(believed - stage, 0)


@inlined
def present(v, i):
    """Tokens that request i holds at its next pass, not rounded."""
    r = v.req[i]
    return r.prompt + emitted(v, i) + (1 if r.status == DECODING else 0)


@inlined
def mend(v, limit):
    """Bring the order of residents up to date."""
    s = v.st[0]
    count = 0
    for k in range(1, v.own[0] + 1):
        i = v.own[k]
        if v.req[i].status == PREFILLING or v.req[i].status == DECODING:
            count += 1
            v.own[count] = i
        else:
            v.req[i].a = 0
    if count < s.residents:
        i = s.oldest
        while i >= 0:
            if v.req[i].a == 0:
                v.req[i].a = 1
                count += 1
                v.own[count] = i
            i = v.req[i].after
    v.own[0] = count
    for k in range(2, count + 1):
        _sink(v, k, limit)


@inlined
def include(v, i, limit):
    """Put a request that has just been admitted into the order."""
    v.own[0] += 1
    v.own[v.own[0]] = i
    v.req[i].a = 1
    _sink(v, v.own[0], limit)


@inlined
def _sink(v, k, limit):
    """Move entry k to the front past those that have less left."""
    i = v.own[k]
    mine = left(v, i, limit)
    while k > 1 and left(v, v.own[k - 1], limit) < mine:
        v.own[k] = v.own[k - 1]
        k -= 1
    v.own[k] = i


@inlined
def fits_until_end(v, i, limit):
    """Whether the memory holds at every believed end, if waiting request i is admitted now."""
    s = v.st[0]
    mine, tokens = left(v, i, limit), present(v, i)
    total, count = 0, 0
    placed = False
    for k in range(1, v.own[0] + 1):
        j = v.own[k]
        then = left(v, j, limit)
        if not placed and mine > then:
            placed = True
            total, count = total + tokens, count + 1
            if _load(v, i, k - 1, total, count, mine) > s.memory:
                return False
        total, count = total + present(v, j), count + 1
        if _load(v, i if placed else -1, k, total, count, then) > s.memory:
            return False
    return placed or _load(v, i, v.own[0], total + tokens, count + 1, mine) <= s.memory


@inlined
def _load(v, i, last, total, count, later):
    """Memory after ``later`` passes of the first ``last`` in the order, and of candidate i unless it is -1."""
    if v.st[0].block == 1:
        return total + count * later
    load = rounded(v, present(v, i) + later) if i >= 0 else 0
    for k in range(1, last + 1):
        load += rounded(v, present(v, v.own[k]) + later)
    return load
