"""FastServe's multi-level feedback queue (fastserve_mlfq)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.engine import bitset, queue
from algos.engine.actions import evict, need, next_use, start
from algos.engine.state import NEVER, RUNNING
from algos.papers import WU
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# r.a level, r.b entered, r.c rounds of the quantum used before the running attempt, r.d epoch of its expiry.
#
# B is the longest prefix, by (level, entered, index), of all present whose next round fits. It is never listed: the
# running requests stand in a queue with the last on top, the waiting ones in a queue with the first on top, and
# whatever is out of place changes sides. A third queue holds the one timed event of each request: the expiry of its
# quantum while it runs, the epoch at which it starves while it waits.
#
# A starving request has the key (0, t, index) at every epoch t until it runs again. Such requests form a set.
ORDERS, WAITS, TIMERS = 0, 1, 2
QUEUES = 3


def decide(v):
    """Let the longest prefix of the feedback queue that fits run, and nothing else.

    Wake times: the next expiry of a quantum, the next epoch at which somebody starves; and the next epoch if
    somebody starves where others have just arrived, for then these overtake. Between these the order of those
    present is fixed and the first misfit stays one, since demand only grows.
    """
    s = v.st[0]
    starving = v.own[QUEUES * (1 + s.n + queue.ENTRY * s.n) :]
    if s.u == 0:
        bitset.clear_all(starving, s.n)
        s.u = 1
    for k in range(s.n_ended):
        queue.remove(_queue(v, ORDERS), s.n - 1 - v.ended[k])
        queue.remove(_queue(v, TIMERS), v.ended[k])
    for k in range(s.n_arrived):
        i = v.arrived[k]
        v.req[i].a = _joining_level(v, v.req[i].prompt)
        v.req[i].b = s.now
        _wait(v, i)
    while queue.size(_queue(v, TIMERS)) > 0 and queue.top_key(_queue(v, TIMERS)) <= s.now:
        _expire(v, starving, queue.pop(_queue(v, TIMERS)))
    _exchange(v, starving)
    wake = queue.top_key(_queue(v, TIMERS)) if queue.size(_queue(v, TIMERS)) > 0 else NEVER
    return s.now + 1 if s.n_arrived > 0 and bitset.first(starving) >= 0 else wake


@inlined
def _exchange(v, starving):
    """Evict the last and start the first until exactly the longest prefix that fits runs."""
    s = v.st[0]
    while need(v) > s.memory:
        _suspend(v, _last_running(v))
    while True:
        i = _first_waiting(v, starving)
        if i < 0:
            break
        starved = bitset.contains(starving, i)
        use = next_use(v, i)
        while need(v) + use > s.memory and _runs_after(v, i, starved):
            _suspend(v, _last_running(v))
        if need(v) + use > s.memory:
            break
        if starved:
            bitset.discard(starving, i)
            v.req[i].a, v.req[i].b, v.req[i].c = 0, s.now, 0
        _resume(v, i)


@inlined
def _queue(v, number):
    n = v.st[0].n
    return queue.Queue(v.own, number * (1 + n + queue.ENTRY * n), n)


@inlined
def _expire(v, starving, i):
    """A quantum is used up, or a request has waited too long."""
    s = v.st[0]
    r = v.req[i]
    if r.status == RUNNING:
        r.a, r.b, r.c = r.a + 1, s.now, 0
        _schedule(v, i)
    else:
        queue.remove(_queue(v, WAITS), i)
        bitset.insert(starving, i)


@inlined
def _first_waiting(v, starving):
    """First request to wait by (level, entered, index), or -1."""
    i = queue.top(_queue(v, WAITS))
    z = bitset.first(starving)
    if i < 0:
        return z
    now = v.st[0].now
    level, entered = v.req[i].a, v.req[i].b
    # A starving request has level 0 and has entered now.
    overtaken = level > 0 or (entered == now and z < i)
    return z if z >= 0 and overtaken else i


@inlined
def _last_running(v):
    """Running request with the largest (level, entered, index), or -1."""
    q = _queue(v, ORDERS)
    return v.st[0].n - 1 - queue.top(q) if queue.size(q) > 0 else np.int64(-1)


@inlined
def _runs_after(v, i, starved):
    """Whether the last running request comes after waiting request i."""
    j = _last_running(v)
    if j < 0:
        return False
    last = v.req[j]
    level = np.int64(0) if starved else v.req[i].a
    entered = v.st[0].now if starved else v.req[i].b
    if level != last.a:
        return level < last.a
    if entered != last.b:
        return entered < last.b
    return i < j


@inlined
def _resume(v, i):
    queue.remove(_queue(v, WAITS), i)
    start(v, i)
    _schedule(v, i)


@compiled(**UNCOUNTED)
def _schedule(v, i):
    """Enter running request i into the order and its expiry into the timers."""
    s = v.st[0]
    r = v.req[i]
    r.d = s.now + _quantum(v, r.a) - r.c
    queue.push(_queue(v, ORDERS), s.n - 1 - i, -r.a, -r.b)
    queue.push(_queue(v, TIMERS), i, r.d, 0)


@compiled(**UNCOUNTED)
def _suspend(v, i):
    s = v.st[0]
    r = v.req[i]
    queue.remove(_queue(v, ORDERS), s.n - 1 - i)
    r.c = _quantum(v, r.a) - (r.d - s.now)
    evict(v, i)
    _wait(v, i)


@compiled(**UNCOUNTED)
def _wait(v, i):
    """Enter waiting request i into the order and the epoch at which it starves into the timers."""
    r = v.req[i]
    queue.push(_queue(v, WAITS), i, r.a, r.b)
    queue.push(_queue(v, TIMERS), i, v.st[0].now + np.int64(v.param[2]), 0)


@inlined
def _quantum(v, level):
    """Rounds that a level grants, base * 2^level, or `NEVER` where that is later."""
    base = np.int64(v.param[0])
    return base << level if level < 62 and base <= NEVER >> level else NEVER


@inlined
def _joining_level(v, prompt):
    """Smallest level whose quantum covers the prefill."""
    level = np.int64(0)
    if not np.isnan(v.param[1]):
        rounds = np.ceil(prompt / v.param[1])
        while _quantum(v, level) < rounds and level < 62:
            level += 1
    return level


def scratch(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for the three queues and the set of the starving."""
    return QUEUES * queue.words_needed(n) + bitset.words_needed(n)


CARDS = (
    Card(
        id="fastserve_mlfq",
        title="FastServe's feedback queue",
        family="engine",
        information="none",
        evicts="yes",
        eviction="swap",
        allowed_evictions=("swap", "recompute"),
        about="A request sinks a level whenever it has used up its level's quantum; the longest prefix of the queue "
        "that fits runs, the rest is swapped out. Restart is refused: a preempted request would lose all. May beat the "
        "best schedule without kills, so only lower bounds that allow this are valid beside it.",
        reference="2305.05920",
        source=WU,
        parameters=(
            Parameter("base", 1, "quantum of level 0 in rounds; each level doubles it", low=1, high=2**53, whole=True),
            Parameter(
                "prefill_rate",
                None,
                "prompt tokens a round: new requests join the level whose quantum covers their prompt; none: level 0",
                low=0.0,
                above=True,
            ),
            Parameter(
                "starvation",
                1000,
                "rounds without running after which level 0 is granted",
                low=1,
                high=2**53,
                whole=True,
            ),
        ),
        decide=decide,
        scratch=scratch,
    ),
)
