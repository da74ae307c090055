"""What the list policies share beyond the list loop: relief of an overflow, and one start under the future check."""

from __future__ import annotations

from algos.engine import ledger
from algos.engine.actions import age, evict, latest_started, start
from kvratio.problem.compiled import inlined


@inlined
def evict_latest(v):
    """Evict the running request with the largest (start, index), which has proved longer than believed.

    Only a prediction that was too low leads to an overflow, so its estimate ``r.a`` grows to one token more than it
    has produced (docs/policies.md, section 2).

    Returns
    -------
    int64
        The request.
    """
    i = latest_started(v)
    r = v.req[i]
    r.a = max(r.a, min(age(v, i) + 1, v.st[0].memory - r.prompt))
    evict(v, i)
    return i


@inlined
def forget_blocked(v):
    """Forget the last misfit if something unforeseen has freed memory; call once per epoch before `try_start`."""
    s = v.st[0]
    if s.surprise != 0 or s.over_count > 0:
        s.blocked = -1
        s.surprise = 0


@inlined
def try_start(v, i):
    """Start waiting request i, believed to need ``r.a`` tokens, if the future-peak check holds.

    A misfit is remembered: until the epoch returned then, only an unforeseen end can make room, and requests
    started meanwhile only take more.

    Returns
    -------
    int64
        0 when started, else the epoch at which to try again.
    """
    s = v.st[0]
    if i == s.blocked and s.now < s.retry:
        return s.retry
    retry = ledger.fits(v, i, v.req[i].a)
    if retry == 0:
        start(v, i)
        ledger.believe(v, i, v.req[i].a)
    else:
        s.blocked = i
        s.retry = retry
    return retry
