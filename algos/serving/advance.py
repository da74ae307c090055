"""The continuous-time loop: decide, run an iteration or a quiet stretch of them, book what happened; or wait.

Time is ``base`` plus a dot product with whole numbers, so a stretch in which nothing is decided costs a few additions
an iteration, whatever the size of the batch. A run can be advanced up to a time and resumed later.
"""

from __future__ import annotations

import numpy as np
from numba import types

from algos.engine import bitset, queue
from algos.serving import books, queues
from algos.serving.state import AGAIN, HOOK_TYPE, TRUTH_TYPE, VIEW_TYPE
from algos.serving.ticks import count, elapsed, leap
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

#: why `advance` returned
ALL_DONE, STUCK, AT_CUT, PAUSED, LOG_FULL, OVER_MEMORY, COMPLETED = range(7)


@compiled(signature=types.void(VIEW_TYPE, TRUTH_TYPE), **UNCOUNTED)
def prepare(v, t):
    """Blank the sets before a run; the scalars must be set."""
    n = len(v.req)
    bitset.clear_all(v.waiting, n)
    bitset.clear_all(v.prefilling, n)
    bitset.clear_all(v.decoding, n)
    bitset.clear_all(v.out, n)
    bitset.clear_all(v.ready, len(v.queue))
    for rank in range(len(v.order)):
        v.req[v.order[rank]].rank = rank


@inlined
def _stop_at(v, t, cut):
    """End the run at the cut; an iteration that is under way does not end."""
    c = t.clock[0]
    c.token_seconds += v.st[0].used * (cut - c.now)
    c.now = cut


@inlined
def _wait(v, t, following):
    """Stand idle until the next arrival: a new busy period begins there."""
    c = t.clock[0]
    c.token_seconds += v.st[0].used * (following - c.now)
    c.busy += elapsed(t)
    for k in range(8):
        t.counts[k] = 0
    c.base = following
    c.now = following


@inlined
def _write(v, t, start, repeats, decodes, prompt, cached, used):
    s = v.st[0]
    row = t.log[s.rows]
    row.start, row.stop, row.repeats, row.decodes = start, t.clock[0].now, repeats, decodes
    row.prefills, row.prompt_tokens, row.cached, row.footprint = s.prefills, prompt, cached, used
    row.resident, row.waiting = s.residents, s.waiting + s.out
    s.rows += 1


@inlined
def _decide(hook, v, t):
    """Let swapped-out requests return, ask the policy, carry out its evictions; return how long the batch stands."""
    s = v.st[0]
    while True:
        s.decision += 1
        if s.out > 0:
            books.bring_back(v, t)
        s.prefills, s.decodes, s.all_decode, s.heed, s.victims = 0, 0, 0, 1, 0
        queues.stay(v)
        patience = hook(v)
        for k in range(s.victims):
            books.evict_now(v, t, v.victims[k])
        if patience != AGAIN:
            s.peak = max(s.peak, s.used)
            return patience


@inlined
def _iterate(v, t, cut):
    """Run one iteration with prompts, or with decodes chosen one by one; return whether it ended before the cut."""
    s = v.st[0]
    c = t.clock[0]
    prompt, cached, decodes, decode_cached = 0, 0, s.decodes, 0
    for k in range(s.prefills):
        i = v.batch[k]
        prompt += v.chunk[k]
        cached += v.req[i].done + v.chunk[k]
        if np.isnan(t.req[i].admitted):
            t.req[i].admitted = c.now
    for k in range(s.decodes):
        r = v.req[v.chosen[k]]
        decode_cached += r.prompt + r.offset
    if s.all_decode:
        decodes, decode_cached = s.active, s.tokens
    cached += decode_cached
    count(t, 1, cached, prompt, s.moved, decodes, decode_cached)
    start = c.now
    following = c.base + elapsed(t)
    if following > cut:
        count(t, -1, cached, prompt, s.moved, decodes, decode_cached)
        _stop_at(v, t, cut)
        return False
    t.most[0] = max(t.most[0], cached)
    t.most[1] = max(t.most[1], prompt)
    c.token_seconds += s.used * (following - start)
    c.now = following
    s.moved = 0
    s.iterations += 1
    if s.logged:
        _write(v, t, start, 1, decodes, prompt, cached, s.used)
    if s.all_decode and s.active > 0:
        books.finish_tick(v, t)
        books.complete_due(v, t)
    books.finish_prefills(v, t)
    if s.queued:
        books.finish_stages(v, t)
    else:
        books.finish_decodes(v, t)
    return True


@inlined
def _glide(v, t, patience, until, cut):
    """Run iterations in which all decode, until something may change; return whether the last ended before the cut."""
    s = v.st[0]
    c = t.clock[0]
    due = queue.top_key(queue.Queue(t.due, 0, len(v.req)))
    change = np.inf
    if s.released < s.known and (s.heed or s.logged):
        change = t.req[s.released].arrival
    change = min(change, until, cut)
    start, cached, used, done = c.now, s.tokens, s.used, 0
    tried = s.block > 1
    while True:
        # The first gap between tokens may be longer than the iteration: prompts came between.
        if not tried and s.fresh == 0 and s.moved == 0 and c.ticked == c.now:
            tried = True
            done += leap(v, t, min(due - s.tick, patience - done) - 1, change)
            s.peak = max(s.peak, s.used)
        count(t, 1, s.tokens, 0, s.moved, s.active, s.tokens)
        following = c.base + elapsed(t)
        if following > cut:
            count(t, -1, s.tokens, 0, s.moved, s.active, s.tokens)
            break
        c.token_seconds += s.used * (following - c.now)
        s.moved = 0
        c.now = following
        done += 1
        books.finish_tick(v, t)
        if s.tick == due or s.used > s.memory or done >= patience or following >= change:
            break
        # The peak is that of states that last; an overfull one is relieved before the next iteration.
        s.peak = max(s.peak, s.used)
    s.iterations += done
    if done > 0:
        t.most[0] = max(t.most[0], s.tokens - s.active)  # the last batch of a glide is the largest
    if s.logged and done > 0:
        _write(v, t, start, done, s.active, 0, cached, used)
    books.complete_due(v, t)
    if following > cut:
        _stop_at(v, t, cut)
        return False
    return True


@compiled(
    signature=types.int64(HOOK_TYPE, VIEW_TYPE, TRUTH_TYPE, types.float64, types.float64),
    **UNCOUNTED,
)
def advance(hook, v, t, until, cut):
    """Run from the present decision on.

    Parameters
    ----------
    hook, v, t
        The policy, what it sees, and what it does not.
    until : float
        No decision at or after this time is taken (`PAUSED`): arrivals up to then must be known.
    cut : float
        The world ends there.

    Returns
    -------
    int64
        `ALL_DONE`, `STUCK` (nothing can happen any more), `AT_CUT`, `PAUSED`, `COMPLETED` (somebody did, in a run that
        is watched), `LOG_FULL` (make the logs longer and call again) or `OVER_MEMORY` (a policy's error).
    """
    s = v.st[0]
    c = t.clock[0]
    seen = s.completed
    while True:
        if c.now >= cut:
            return AT_CUT
        if c.now >= until:
            return PAUSED
        if s.watched and s.completed != seen:
            return COMPLETED
        # Everybody may be evicted in one decision, and nobody twice.
        if (s.logged and s.rows == len(t.log)) or (s.tracked and s.losses + len(v.req) > len(t.lost)):
            return LOG_FULL
        books.arrive(v, t)
        books.relieve(v, t)
        last = s.released == s.known
        if last and s.unfinished == 0:
            return ALL_DONE if s.closed else PAUSED
        patience = _decide(hook, v, t)
        if s.used > s.memory:
            return OVER_MEMORY
        if s.prefills == 0 and s.decodes == 0 and (not s.all_decode or s.active == 0):
            if last:
                return STUCK if s.closed else PAUSED
            following = t.req[s.released].arrival
            if following >= cut:
                _stop_at(v, t, cut)
                return AT_CUT
            if following >= until:
                return PAUSED
            _wait(v, t, following)
        elif s.prefills == 0 and s.all_decode:
            if not _glide(v, t, patience, until, cut):
                return AT_CUT
        elif not _iterate(v, t, cut):
            return AT_CUT
