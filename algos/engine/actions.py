"""The words a policy is written in: what it may ask, and the two things it may do, start and evict.

Actions take effect on the view at once, so that a policy can go on deciding; the engine replays them on its own
books when the hook returns, and judges the result.
"""

from __future__ import annotations

import numpy as np

from algos.engine import bitset, ledger
from algos.engine.state import NEVER, RUNNING, WAITING
from kvratio.problem.compiled import inlined

#: codes of forbidden actions
NOT_WAITING, NOT_RUNNING, TOO_MANY_ACTIONS = 1, 2, 3


# -- questions ------------------------------------------------------------------------------------------------------
@inlined
def need(v):
    """Memory that the running requests will hold in the next round."""
    s = v.st[0]
    return s.offset + s.running * (s.now + 1)


@inlined
def next_use(v, i):
    """Memory that request i would hold in the next round: running or, if it were started now, waiting."""
    s = v.st[0]
    r = v.req[i]
    return r.prompt + s.now - r.start + 1 if r.status == RUNNING else r.prompt + r.kept + 1


@inlined
def room(v, i):
    """Whether waiting request i fits for one more round."""
    r = v.req[i]
    return need(v) + r.prompt + r.kept + 1 <= v.st[0].memory


@inlined
def age(v, i):
    """Tokens that running request i has produced."""
    return v.st[0].now - v.req[i].start


@inlined
def first_waiting(v):
    """Waiting request that is first in the policy's order, or -1."""
    rank = bitset.first(v.waiting)
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def next_waiting(v, i):
    """Waiting request that follows i in the policy's order, or -1; i itself may have been started meanwhile."""
    rank = bitset.following(v.waiting, v.req[i].rank + 1, len(v.order))
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def first_running(v):
    """Running request that is first in the policy's order, or -1."""
    rank = bitset.first(v.active)
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def next_running(v, i):
    """Running request that follows i in the policy's order, or -1."""
    rank = bitset.following(v.active, v.req[i].rank + 1, len(v.order))
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def last_running(v):
    """Running request that is last in the policy's order, or -1."""
    rank = bitset.last(v.active)
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def latest_started(v):
    """Running request with the largest (start of its attempt, index), or -1."""
    s = v.st[0]
    best = np.int64(-1)
    best_start = np.int64(-1)
    for k in range(s.running):
        i = v.run[k]
        r = v.req[i]
        start = r.start + r.kept
        if start > best_start or (start == best_start and i > best):
            best, best_start = i, start
    return best


# -- actions --------------------------------------------------------------------------------------------------------
@inlined
def start(v, i):
    """Start waiting request i now."""
    start_capped(v, i, NEVER)


@inlined
def start_capped(v, i, cap):
    """Start waiting request i now; the engine stops it after ``cap`` rounds if it has not finished."""
    if i < 0 or i >= len(v.req) or v.req[i].status != WAITING:
        _forbid(v, NOT_WAITING, i)
        return
    s = v.st[0]
    r = v.req[i]
    r.status = RUNNING
    r.start = s.now - r.kept
    r.cap = cap
    r.slot = s.running
    v.run[s.running] = i
    s.running += 1
    s.offset += r.prompt - r.start
    bitset.discard(v.waiting, r.rank)
    bitset.insert(v.active, r.rank)
    _note(v, i)


@inlined
def evict(v, i):
    """Stop running request i now; it waits again, with its tokens void under ``restart`` and kept otherwise."""
    if i < 0 or i >= len(v.req) or v.req[i].status != RUNNING:
        _forbid(v, NOT_RUNNING, i)
        return
    s = v.st[0]
    r = v.req[i]
    leave(v, i)
    s.surprise = 1
    r.status = WAITING
    if s.keeps == 1:
        r.kept = s.now - r.start
    bitset.insert(v.waiting, r.rank)
    _note(v, ~i)


@inlined
def leave(v, i):
    """Take request i off the list of running ones, the memory line and the ledger (not for policies)."""
    s = v.st[0]
    r = v.req[i]
    ledger.forget(v, i)
    s.running -= 1
    other = v.run[s.running]
    v.run[r.slot] = other
    v.req[other].slot = r.slot
    r.slot = -1
    s.offset -= r.prompt - r.start
    bitset.discard(v.active, r.rank)


@inlined
def _note(v, action):
    s = v.st[0]
    if s.n_actions >= len(v.actions):
        _forbid(v, TOO_MANY_ACTIONS, action)
        return
    v.actions[s.n_actions] = action
    s.n_actions += 1


@inlined
def _forbid(v, code, i):
    s = v.st[0]
    if s.error == 0:
        s.error = code
        s.culprit = i


# -- the list loop --------------------------------------------------------------------------------------------------
@inlined
def start_in_order(v, skip):
    """Start waiting requests in the policy's order while the future-peak check on their estimates holds.

    ``r.a`` must hold the current estimate of every request. With ``skip`` false it stops at the first misfit.

    Returns
    -------
    int64
        The epoch at which to ask again.
    """
    s = v.st[0]
    i = first_waiting(v)
    if s.surprise == 0 and s.over_count == 0 and skip == 0 and i == s.blocked and s.now < s.retry and i >= 0:
        return s.retry
    s.surprise = 0
    s.blocked = -1
    wake = NEVER
    while i >= 0:
        retry = ledger.fits(v, i, v.req[i].a)
        if retry == 0:
            start(v, i)
            ledger.believe(v, i, v.req[i].a)
        else:
            wake = min(wake, retry)
            if skip == 0:
                s.blocked = i
                s.retry = retry
                break
        i = next_waiting(v, i)
    return wake
