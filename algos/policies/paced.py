"""Smallest volume first, with requests of equal predicted length kept apart (svf_sps)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known
from algos.engine import bitset, queue
from algos.engine.actions import need
from algos.engine.relief import evict_latest, forget_blocked, try_start
from algos.engine.state import NEVER
from algos.papers import KONG
from algos.policies.list_order import SKIP
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined
from kvratio.problem.instance import IntArray

# Requests of one predicted length form a class. The static order is by (length, prompt, index), so a class is a run
# of ranks, and inside it the order is that of keys: its head is its first waiting rank. Classes with a waiting
# request stand in one of two queues: ready, by (key, index) of the head, or held back, by the epoch at which
# their credit allows the next start. Long runs of held-back requests are never looked at. The key is the volume, or
# with weights as parameters the one of `algos.policies.tuned`.
#
# Scratch for T places, T a power of two: the two queues, then these columns. A class is known by its place in the
# hash table of lengths.
LENGTH, CREDIT, HEAD, FIRST, PASSED, LISTED = range(6)
COLUMNS = 6
QUEUES = 2
WORDS_PER_CLASS = QUEUES * (1 + queue.ENTRY) + COLUMNS
#: queues hold whole numbers: steps per unit of a tuned key
STEPS = 2.0**40


def decide(v):
    """Run the list loop by volume over the classes that are not held back.

    Wake times: the next epoch at which the credit of a held-back class runs out, and the epoch at which a misfit may
    fit (jump rule).
    """
    s = v.st[0]
    size = _places(v)
    ready = queue.Queue(v.own, 0, size)
    held = queue.Queue(v.own, 1 + (1 + queue.ENTRY) * size, size)
    for k in range(s.n_arrived):
        i = v.arrived[k]
        v.req[i].a = v.req[i].estimate
        v.req[i].b = _class_of(v, v.req[i].estimate)
        _offer(v, ready, held, i)
    while need(v) > s.memory:
        _offer(v, ready, held, evict_latest(v))
    while queue.size(held) > 0 and queue.top_key(held) <= s.now:
        c = queue.top(held)
        _seek(v, ready, held, c, v.own[_column(v, FIRST) + c])
    forget_blocked(v)
    wake = _start_ready(v, ready, held)
    return min(wake, queue.top_key(held)) if queue.size(held) > 0 else wake


@inlined
def _start_ready(v, ready, held):
    """Start heads of ready classes by (volume, index) while they fit; with ``skip`` go on past misfits."""
    s = v.st[0]
    wake = NEVER
    passed = np.int64(0)
    while queue.size(ready) > 0:
        c = queue.top(ready)
        i = v.own[_column(v, HEAD) + c]
        retry = try_start(v, i)
        if retry == 0:
            credit = _column(v, CREDIT) + c
            v.own[credit] = max(v.own[credit], s.now * s.memory) + _volume(v, i)
        else:
            wake = min(wake, retry)
            if v.param[0] == 0.0:
                break
            if v.own[_column(v, PASSED) + c] == 0:
                v.own[_column(v, PASSED) + c] = 1
                v.own[_column(v, LISTED) + passed] = c
                passed += 1
        _seek(v, ready, held, c, v.req[i].rank + 1)
    # The classes of misfits have their first request as head again.
    for k in range(passed):
        c = v.own[_column(v, LISTED) + k]
        v.own[_column(v, PASSED) + c] = 0
        _seek(v, ready, held, c, v.own[_column(v, FIRST) + c])
    return wake


@inlined
def _offer(v, ready, held, i):
    """Request i of class ``r.b`` waits now: it may be the new head of its class."""
    c = v.req[i].b
    rank = v.req[i].rank
    first = _column(v, FIRST) + c
    v.own[first] = min(v.own[first], rank)
    queued = queue.contains(ready, c) or queue.contains(held, c)
    if not queued or rank < v.req[v.own[_column(v, HEAD) + c]].rank:
        _seek(v, ready, held, c, rank)


@compiled(**UNCOUNTED)
def _seek(v, ready, held, c, rank):
    """Make the first waiting request of class c from this rank on its head, and queue the class accordingly."""
    s = v.st[0]
    queue.remove(ready, c)
    queue.remove(held, c)
    rank = bitset.following(v.waiting, rank, len(v.order))
    if rank < 0:
        return
    i = v.order[rank]
    if v.req[i].estimate != v.own[_column(v, LENGTH) + c]:
        return
    v.own[_column(v, HEAD) + c] = i
    release = v.own[_column(v, CREDIT) + c] // s.memory
    if s.now < release:
        queue.push(held, c, release, 0)
    else:
        queue.push(ready, c, _key(v, i), i)


@inlined
def _class_of(v, length):
    """Return the place of a length in the hash table, entering it when it is new."""
    size = _places(v)
    at = _column(v, LENGTH)
    c = length & (size - 1)
    while v.own[at + c] != length:
        if v.own[at + c] == 0:
            v.own[at + c] = length
            v.own[_column(v, FIRST) + c] = NEVER
            break
        c = (c + 1) & (size - 1)
    return c


@inlined
def _places(v):
    return (len(v.own) - QUEUES) // WORDS_PER_CLASS


@inlined
def _column(v, name):
    """Return the first word of a column."""
    size = _places(v)
    return QUEUES + QUEUES * (1 + queue.ENTRY) * size + name * size


@inlined
def _key(v, i):
    """Return what ready classes are ordered by, from the first, clamped prediction of request i."""
    if len(v.param) == 1:
        return _volume(v, i)
    r = v.req[i]
    rest = v.param[1] * math.log(float(r.estimate)) + v.param[2] * math.log(float(r.prompt + r.estimate))
    return np.int64((math.log(float(_volume(v, i))) + rest) * STEPS)


@inlined
def _volume(v, i):
    """Believed volume of request i, from its first, clamped prediction."""
    r = v.req[i]
    return r.prompt * r.estimate + r.estimate * (r.estimate + 1) // 2


def scratch(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for twice as many places as there are predicted lengths, rounded up to a power of two."""
    places = 1 << int(2 * len(np.unique(known.estimate)) - 1).bit_length()
    return QUEUES + WORDS_PER_CLASS * places


def class_order(known: Known, params: Mapping[str, Any]) -> IntArray:
    """Return each request's position by (length, prompt, index), int64[n]."""
    position = np.empty(len(known.prompt), np.int64)
    position[np.lexsort((known.prompt, known.estimate))] = np.arange(len(position))
    return position


CARDS = (
    Card(
        id="svf_sps",
        title="Smallest volume first, staggered",
        family="list",
        information="prediction",
        evicts="if a prediction is too low",
        about="svf that starts requests of equal predicted length v/M rounds apart, the pace at which memory refills, "
        "so that they do not peak together. Other lengths are not held back. New here; nothing is proved.",
        reference="derived in docs/policies.md",
        source=f"This project; svf is from {KONG}",
        parameters=(SKIP,),
        decide=decide,
        key=class_order,
        scratch=scratch,
    ),
)
