"""The event loop: jumps from decision epoch to decision epoch, keeps the truth, judges every action."""

from __future__ import annotations

from numba import types

from algos.engine import actions, bitset, heap, ledger
from algos.engine.state import DONE, HOOK_TYPE, NEVER, RUNNING, TRUTH_TYPE, UNRELEASED, VIEW_TYPE, WAITING
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# Places in Truth.totals.
ATTEMPTS, EVICTIONS, WASTED_ROUNDS, WASTED_TOKEN_ROUNDS, RECOMPUTED, EPOCHS, RELEASED, HEAP = range(8)

# What run() returns beside actions' codes of forbidden actions.
FINE, OVER_MEMORY, STUCK, ROUND_LIMIT, BACKWARDS = 0, 11, 12, 13, 14


@compiled(signature=types.void(VIEW_TYPE, TRUTH_TYPE, types.int64, types.int64, types.int64), **UNCOUNTED)
def prepare(v, truth, memory, keeps, coins):
    """Blank the view and the books before a run; the order of ranks must be in ``v.order``."""
    n = len(truth.prompt)
    s = v.st[0]
    s.now, s.memory, s.n, s.released, s.unfinished = 0, memory, n, 0, 0
    s.running, s.offset, s.n_ended, s.n_arrived, s.n_actions, s.keeps = 0, 0, 0, 0, 0, keeps
    s.first, s.last, s.over_offset, s.over_count, s.surprise = 0, 0, 0, 0, 1
    s.blocked, s.retry, s.error, s.culprit, s.coins = -1, 0, 0, -1, coins
    s.u, s.v, s.w, s.x, s.y, s.z = 0, 0, 0, 0, 0, 0
    bitset.clear_all(v.waiting, n)
    bitset.clear_all(v.active, n)
    for k in range(n):
        r = v.req[k]
        r.prompt, r.arrival, r.estimate, r.low, r.high, r.output = -1, -1, -1, -1, -1, -1
        r.start, r.kept, r.cap, r.end, r.slot, r.status = -1, 0, NEVER, -1, -1, UNRELEASED
        r.a, r.b, r.c, r.d = 0, 0, 0, 0
        truth.first_start[k] = -1
    for rank in range(n):
        v.req[v.order[rank]].rank = rank
    for k in range(len(v.own)):
        v.own[k] = 0
    for k in range(len(truth.totals)):
        truth.totals[k] = 0


@inlined
def _log(truth, i, stop, completed):
    """Count one attempt of at least one round, and write it down where asked."""
    t = truth.totals
    if t[ATTEMPTS] < len(truth.log):
        row = truth.log[t[ATTEMPTS]]
        row[0], row[1], row[2], row[3] = i, truth.began[i], stop, completed
    t[ATTEMPTS] += 1
    if truth.first_start[i] < 0:
        truth.first_start[i] = truth.began[i]


@inlined
def _lose(v, truth, i):
    """Book an attempt that ended now without completing."""
    s = v.st[0]
    length = s.now - truth.began[i]
    if length == 0:
        return
    _log(truth, i, s.now, 0)
    t = truth.totals
    t[EVICTIONS] += 1
    if s.keeps == 1:
        before = v.req[i].kept - length
        if before > 0:
            t[RECOMPUTED] += truth.prompt[i] + before
    else:
        t[WASTED_ROUNDS] += length
        t[WASTED_TOKEN_ROUNDS] += truth.prompt[i] * length + length * (length + 1) // 2


@inlined
def _complete(v, truth, i):
    s = v.st[0]
    r = v.req[i]
    actions.leave(v, i)
    r.status = DONE
    r.output = truth.output[i]
    s.unfinished -= 1
    truth.completion[i] = s.now
    truth.start[i] = truth.began[i]
    _log(truth, i, s.now, 1)
    if r.kept > 0:
        truth.totals[RECOMPUTED] += truth.prompt[i] + r.kept


@inlined
def _expire(v, truth, i):
    """A cap was reached: the attempt ends, its request waits."""
    s = v.st[0]
    r = v.req[i]
    actions.leave(v, i)
    s.surprise = 1
    r.status = WAITING
    if s.keeps == 1:
        r.kept = s.now - r.start
    bitset.insert(v.waiting, r.rank)
    _lose(v, truth, i)


@inlined
def _ends(v, truth):
    """Steps 1 and 3 of an epoch: completions first, then caps."""
    s = v.st[0]
    t = truth.totals
    s.n_ended = 0
    while t[HEAP] > 0 and truth.heap_time[0] <= s.now:
        i = truth.heap_request[0]
        heap.remove(truth.heap_time, truth.heap_request, truth.heap_slot, t[HEAP], i)
        t[HEAP] -= 1
        v.ended[s.n_ended] = i
        s.n_ended += 1
        if v.req[i].start + truth.output[i] == s.now:
            _complete(v, truth, i)
    ledger.outlive(v)
    for k in range(s.n_ended):
        if v.req[v.ended[k]].status == RUNNING:
            _expire(v, truth, v.ended[k])


@inlined
def _arrivals(v, truth):
    """Step 2: copy what the policy may know of the requests that arrive now."""
    s = v.st[0]
    s.n_arrived = 0
    while s.released < len(truth.by_arrival):
        i = truth.by_arrival[s.released]
        if truth.arrival[i] > s.now:
            break
        r = v.req[i]
        r.prompt, r.arrival = truth.prompt[i], truth.arrival[i]
        r.estimate, r.low, r.high, r.output = truth.estimate[i], truth.low[i], truth.high[i], truth.reveal[i]
        r.status = WAITING
        bitset.insert(v.waiting, r.rank)
        v.arrived[s.n_arrived] = i
        s.n_arrived += 1
        s.released += 1
        s.unfinished += 1


@inlined
def _replay(v, truth):
    """Carry the hook's actions into the engine's books."""
    s = v.st[0]
    t = truth.totals
    for k in range(s.n_actions):
        action = v.actions[k]
        if action >= 0:
            truth.began[action] = s.now
            _schedule_end(v, truth, action)
        else:
            i = ~action
            if truth.heap_slot[i] >= 0:
                heap.remove(truth.heap_time, truth.heap_request, truth.heap_slot, t[HEAP], i)
                t[HEAP] -= 1
                _lose(v, truth, i)
    s.n_actions = 0


@inlined
def _schedule_end(v, truth, i):
    r = v.req[i]
    if r.status != RUNNING:
        return  # evicted again in the same epoch: an attempt of no rounds
    now = v.st[0].now
    end = now + truth.output[i] - r.kept
    if r.cap < end - now:
        end = now + r.cap
    if truth.heap_slot[i] < 0:
        size = truth.totals[HEAP]
        heap.push(truth.heap_time, truth.heap_request, truth.heap_slot, size, end, i)
        truth.totals[HEAP] = size + 1


@compiled(signature=types.int64(HOOK_TYPE, VIEW_TYPE, TRUTH_TYPE, types.int64), **UNCOUNTED)
def run_one(hook, v, truth, round_limit):
    """Run one prepared instance to its end.

    Returns
    -------
    int64
        `FINE`, or a code of what went wrong; ``now``, ``error`` and ``culprit`` of the scalars say where.
    """
    s = v.st[0]
    t = truth.totals
    n = len(truth.by_arrival)
    for k in range(n):
        truth.heap_slot[k] = -1
    while True:
        _ends(v, truth)
        _arrivals(v, truth)
        if s.released == n and s.unfinished == 0:
            return FINE
        wake = hook(v)
        t[EPOCHS] += 1
        if s.error != 0:
            return s.error
        _replay(v, truth)
        if actions.need(v) > s.memory:
            return OVER_MEMORY
        following = min(wake, NEVER)
        if t[HEAP] > 0:
            following = min(following, truth.heap_time[0])
        if s.running > 0:
            following = min(following, (s.memory - s.offset) // s.running)
        if s.released < n:
            following = min(following, truth.arrival[truth.by_arrival[s.released]])
        if following <= s.now:
            return BACKWARDS
        if following >= NEVER:
            return STUCK
        if following > round_limit:
            return ROUND_LIMIT
        s.now = following
