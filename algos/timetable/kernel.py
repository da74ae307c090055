"""The timetable kernel: runs phases on the true lengths and hands only the survivors back to the policy.

A staggered phase is fixed in advance, so completions follow from each request's place in it; no event queue is
needed. Request number r of a phase starts at T + (r tau) // k; the quotient is carried from one request to the next.
"""

from __future__ import annotations

import numpy as np
from numba import types

from algos.timetable.compaction import pull_forward
from algos.timetable.slices import pipeline_width
from algos.timetable.sorting import sort_ascending
from algos.timetable.state import ALONE, BOOKS_TYPE, PHASE, PLAN_HOOK_TYPE, PLAN_TYPE, PUBLIC_TYPE
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# Places in Books.totals.
ATTEMPTS, EVICTIONS, WASTED_ROUNDS, WASTED_TOKEN_ROUNDS, PHASES = range(5)

#: a limit that no run reaches
UNLIMITED = np.int64(2**61)

# What run_packed() returns.
FINE, BAD_PHASE, ROUND_LIMIT, NO_ROOM = np.int64(0), np.int64(1), np.int64(2), np.int64(3)


@inlined
def _log(books, i, start, stop, completed):
    row = books.log[books.totals[ATTEMPTS]]
    row[0], row[1], row[2], row[3] = i, start, stop, completed
    books.totals[ATTEMPTS] += 1


@inlined
def _phase(view, books, width):
    """Run jobs[lo:hi] for one slice each; the survivors stay at jobs[lo:hi], in order."""
    s = view.st[0]
    jobs = view.jobs
    tau = s.tau
    step, part = tau // width, tau % width
    recording = len(books.log) > 0
    start, carried = s.now, np.int64(0)
    kept, padding = s.lo, np.int64(0)
    latest = s.latest
    last = start
    for r in range(s.lo, s.hi):
        i = jobs[r]
        length = books.output[i]
        if books.first_start[i] < 0:
            books.first_start[i] = start
        if length <= tau:
            books.start[i] = start
            books.completion[i] = start + length
            latest = max(latest, start + length)
        else:
            jobs[kept] = i
            kept += 1
            padding += books.prompt[i]
        if recording:
            _log(books, i, start, start + min(length, tau), np.int64(length <= tau))
        last = start
        start += step
        carried += part
        if carried >= width:
            carried -= width
            start += 1
    t = books.totals
    killed = kept - s.lo
    if not recording:
        t[ATTEMPTS] += s.hi - s.lo
    t[EVICTIONS] += killed
    t[WASTED_ROUNDS] += killed * tau
    t[WASTED_TOKEN_ROUNDS] += padding * tau + killed * (tau * (tau + 1) // 2)
    s.unfinished -= s.hi - kept
    s.hi = kept
    s.latest = latest
    s.now = last + tau


@inlined
def _alone(view, books, limit):
    """Run jobs[lo:hi] one after another, each alone to its end."""
    s = view.st[0]
    for r in range(s.lo, s.hi):
        i = view.jobs[r]
        if s.now > limit:
            return
        stop = s.now + books.output[i]
        if books.first_start[i] < 0:
            books.first_start[i] = s.now
        books.start[i] = s.now
        books.completion[i] = stop
        if len(books.log) > 0:
            _log(books, i, s.now, stop, np.int64(1))
        else:
            books.totals[ATTEMPTS] += 1
        s.now = stop
        s.latest = stop
    s.unfinished -= s.hi - s.lo
    s.hi = s.lo


@inlined
def _run_batch(plan, view, books, limit):
    """Run one batch, in jobs[lo:hi] by index, from epoch ``now`` to its last completion."""
    s = view.st[0]
    s.fresh = 1
    s.latest = s.now
    while s.unfinished > 0:
        what = plan(view)
        s.fresh = 0
        books.totals[PHASES] += 1
        if s.hi <= s.lo:
            return BAD_PHASE
        if what == ALONE:
            _alone(view, books, limit)
        else:
            width = pipeline_width(s.tau, s.prompt, s.memory)
            if what != PHASE or width < 1 or s.tau < 1:
                return BAD_PHASE
            # In floating point, since a run past the limit may also be past int64.
            if np.float64(s.now) + np.float64(s.hi - s.lo - 1) * s.tau / width > limit:
                return ROUND_LIMIT
            _phase(view, books, width)
        if s.latest > limit or (s.now > limit and s.unfinished > 0):
            return ROUND_LIMIT
    return FINE


@inlined
def _show(view, books):
    """Let the plan see the requests of its batch, as far as its information goes."""
    s = view.st[0]
    for r in range(s.hi):
        i = view.jobs[r]
        view.prompt[i] = books.prompt[i]
        if len(books.reveal) > 0:
            view.output[i] = books.reveal[i]


@inlined
def _gather(view, arrival, by_arrival, begin, end, first):
    """Put the next batch into ``jobs`` by index (docs/policies.md 1): all that have arrived when nothing runs.

    Returns
    -------
    int64
        Position in ``by_arrival`` after the last of the batch.
    """
    s = view.st[0]
    jobs = view.jobs
    if len(by_arrival) == 0:
        for r in range(end - begin):
            jobs[r] = begin + r
        s.lo, s.hi, s.unfinished = 0, end - begin, end - begin
        return end
    s.now = max(s.now, arrival[by_arrival[first]])
    size = 0
    while first < end and arrival[by_arrival[first]] <= s.now:
        jobs[size] = by_arrival[first]
        size += 1
        first += 1
    sort_ascending(jobs, size)
    s.lo, s.hi, s.unfinished = 0, size, size
    return first


@inlined
def _run_instance(plan, view, books, arrival, by_arrival, begin, end, limit, events):
    """Run one instance batch after batch."""
    s = view.st[0]
    s.now = 0
    first = begin
    while first < end:
        first = _gather(view, arrival, by_arrival, begin, end, first)
        _show(view, books)
        size, origin = s.hi, s.now
        # A plan that is to be compacted is only planned here, so its rounds do not count yet.
        code = _run_batch(plan, view, books, limit if len(events) == 0 else UNLIMITED)
        if code != FINE:
            return code
        if len(events) > 0:
            s.latest = pull_forward(view, books, size, origin, events)
            if s.latest < 0:
                return NO_ROOM
            if s.latest > limit:
                return ROUND_LIMIT
        s.now = s.latest
    return FINE


_ints = types.int64[::1]


@compiled(
    signature=types.void(
        PLAN_HOOK_TYPE, PLAN_TYPE, BOOKS_TYPE, PUBLIC_TYPE, _ints, _ints, _ints, _ints, _ints, _ints, _ints
    ),
    **UNCOUNTED,
)  # fmt: skip
def run_packed(plan, view, books, arrival, by_arrival, offsets, memory, limits, events, evictions, codes):
    """Run a plan on instances packed end to end.

    Parameters
    ----------
    plan : function of a `PlanView`
    view, books : PlanView, Books
        Columns over all requests; ``jobs`` and ``own`` have room for the largest instance.
    arrival : int64[n]
    by_arrival : int64[n] or int64[0]
        Requests by (instance, arrival, index); empty when every instance is a batch.
    offsets : int64[m + 1]
        Instance k owns requests offsets[k] .. offsets[k + 1] - 1.
    memory, limits : int64[m]
        Budget of each instance, and the round that its run must not pass.
    events : int64[..]
        Of length 0: starts stay as planned. Else scratch for pulling them forward (`algos.timetable.compaction`).
    evictions, codes : int64[m]
        Output: attempts killed, and `FINE` or what went wrong. A failed instance does not stop the others.
    """
    killed = books.totals[EVICTIONS]
    for k in range(len(memory)):
        for i in range(offsets[k], offsets[k + 1]):
            books.first_start[i] = -1
        view.st[0].memory = memory[k]
        codes[k] = _run_instance(plan, view, books, arrival, by_arrival, offsets[k], offsets[k + 1], limits[k], events)
        evictions[k] = books.totals[EVICTIONS] - killed
        killed = books.totals[EVICTIONS]
