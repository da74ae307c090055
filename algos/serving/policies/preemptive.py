"""Shortest predicted remaining output first, with preemption (srpt, trail)."""

from __future__ import annotations

import numpy as np

from algos.card import Parameter
from algos.engine import queue
from algos.papers import SHAHOUT
from algos.serving.actions import admit, decode_all, emitted, evict, footprint, need
from algos.serving.cards import MAX_BATCH, ServingCard
from algos.serving.state import DECODING, NEVER
from kvratio.problem.compiled import inlined

# Scratch: the queue of waiting requests by (remaining, index), then the residents that may be preempted, in that
# order as it was at the last decision, with their number first. r.a is 1 for those in this list.


def decide_trail(v):
    """Keep the residents past a share of their prediction; run the longest prefix of the others that fits."""
    return _decide(v, v.param[1], True)


def decide_srpt(v):
    """Run the longest prefix by (predicted remaining, index) that fits, and the residents behind it that fit too."""
    return _decide(v, np.inf, False)


@inlined
def _decide(v, share, strict):
    """Run the longest prefix by (predicted remaining, index) that fits; evict the residents behind it.

    ``strict`` evicts all of them; otherwise only newcomers stop at the first misfit, and a resident is evicted where
    it does not fit beside those before it.

    Between events a resident only comes nearer to its end while what waits stays, and memory only fills: the prefix
    remains the same.
    """
    s = v.st[0]
    limit = np.int64(v.param[0])
    waiting = queue.Queue(v.own, 0, len(v.req))
    for k in range(s.joiners):
        i = v.joiners[k]
        queue.push(waiting, i, _remaining(v, i), 0)
    s.joiners = 0
    first = 1 + len(v.req) * (1 + queue.ENTRY)
    count = _mend(v, first, share)
    kept = s.residents - count
    used = s.used
    for k in range(1, count + 1):
        used -= footprint(v, v.own[first + k])
    k = 1
    open_door = True
    while k <= count or (open_door and queue.size(waiting) > 0):
        i = v.own[first + k] if k <= count else np.int64(-1)
        j = queue.top(waiting) if open_door else np.int64(-1)
        newcomer = i < 0 or (j >= 0 and _comes_before(v, j, i))
        use = need(v, j) if newcomer else footprint(v, i)
        if kept >= limit or used + use > s.memory:
            open_door = False
            if strict:
                break
            if not newcomer:
                evict(v, i)
                k += 1
            continue
        kept, used = kept + 1, used + use
        if newcomer:
            queue.remove(waiting, j)
            admit(v, j)
        else:
            k += 1
    while k <= count:
        evict(v, v.own[first + k])
        k += 1
    decode_all(v)
    return NEVER


@inlined
def _remaining(v, i):
    return max(v.req[i].estimate - emitted(v, i), 1)


@inlined
def _comes_before(v, i, j):
    first, second = _remaining(v, i), _remaining(v, j)
    return first < second or (first == second and i < j)


@inlined
def _mend(v, first, share):
    """Bring the list of residents that may be preempted up to date; return their number."""
    s = v.st[0]
    for k in range(1, v.own[first] + 1):
        v.req[v.own[first + k]].a = 0
    known = v.own[first]
    count = np.int64(0)
    for k in range(1, known + 1):
        i = v.own[first + k]
        if v.req[i].status == DECODING and v.req[i].a == 0 and emitted(v, i) < share * v.req[i].estimate:
            v.req[i].a = 1
            count += 1
            v.own[first + count] = i
    i = s.oldest
    while i >= 0:
        if v.req[i].a == 0 and emitted(v, i) < share * v.req[i].estimate:
            v.req[i].a = 1
            count += 1
            v.own[first + count] = i
        i = v.req[i].after
    v.own[first] = count
    for k in range(2, count + 1):
        i = v.own[first + k]
        at = k
        while at > 1 and _comes_before(v, i, v.own[first + at - 1]):
            v.own[first + at] = v.own[first + at - 1]
            at -= 1
        v.own[first + at] = i
    return count


def scratch(n: int) -> int:
    """Return the words for the queue and the list."""
    return queue.words_needed(n) + 1 + n


CARDS = (
    ServingCard(
        id="trail",
        title="TRAIL, limited preemption",
        information="prediction",
        about="Shortest predicted remaining output first, by the memory of the moment; a resident that is past the "
        "given share of its prediction is not preempted. Preemption is eviction; residents behind the first that does "
        "not fit go, whether or not that makes room for it.",
        reference="2410.01035",
        source=SHAHOUT,
        eviction="recompute",
        allowed_evictions=("recompute", "restart"),
        parameters=(
            MAX_BATCH,
            Parameter("protected", 0.8, "share of its prediction from which a resident is kept", low=0.0),
        ),
        decide=decide_trail,
        scratch=scratch,
        tell=True,
    ),
    ServingCard(
        id="srpt",
        title="Shortest predicted remaining output first",
        information="prediction",
        about="Shortest predicted remaining output first, by the memory of the moment: newcomers stop at the first "
        "that does not fit, and a resident is evicted where it does not fit beside those before it.",
        reference="derived",
        source="limited preemption of arXiv 2410.01035 without its limit",
        eviction="recompute",
        allowed_evictions=("recompute", "restart"),
        parameters=(MAX_BATCH,),
        decide=decide_srpt,
        scratch=scratch,
        tell=True,
    ),
)
