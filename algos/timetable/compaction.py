"""Pulling planned starts forward into memory that the true lengths leave free (docs/policies.md 6.3, gba_d).

The memory profile is a sorted list of epochs at which its line changes: after epoch e the demand of round u is the
sum, over entries up to e, of offset + count * u. Everything up to the start of the last request placed is folded
into one line, since no later request may start before it.
"""

from __future__ import annotations

import numpy as np

from kvratio.problem.compiled import UNCOUNTED, compiled

# Scalars at the head of the scratch array; three columns of equal length follow: epoch, offset, count.
FIRST, LAST, FOLDED, OFFSET, COUNT, HEAD = 0, 1, 2, 3, 4, 5


def events_needed(n: int) -> int:
    """Return the scratch length for n requests: a start and an end each, and a little room to move."""
    return HEAD + 3 * (2 * n + 16)


@compiled(**UNCOUNTED)
def _column(events):
    return (len(events) - HEAD) // 3


@compiled(**UNCOUNTED)
def _change(events, epoch, offset, count):
    """Let the demand line change by (offset, count) for rounds after ``epoch``."""
    if epoch <= events[FOLDED]:
        events[OFFSET] += offset
        events[COUNT] += count
        return
    size = _column(events)
    at, offsets, counts = events[HEAD : HEAD + size], events[HEAD + size : HEAD + 2 * size], events[HEAD + 2 * size :]
    if events[LAST] == size:
        shift = events[FIRST]
        for k in range(size - shift):
            at[k], offsets[k], counts[k] = at[k + shift], offsets[k + shift], counts[k + shift]
        events[FIRST] = 0
        events[LAST] = size - shift
    lo, hi = events[FIRST], events[LAST]
    while lo < hi:
        mid = (lo + hi) >> 1
        if at[mid] < epoch:
            lo = mid + 1
        else:
            hi = mid
    last = events[LAST]
    if lo == last or at[lo] != epoch:
        for k in range(last, lo, -1):
            at[k], offsets[k], counts[k] = at[k - 1], offsets[k - 1], counts[k - 1]
        at[lo], offsets[lo], counts[lo] = epoch, 0, 0
        events[LAST] = last + 1
    offsets[lo] += offset
    counts[lo] += count
    if offsets[lo] == 0 and counts[lo] == 0:
        for k in range(lo, events[LAST] - 1):
            at[k], offsets[k], counts[k] = at[k + 1], offsets[k + 1], counts[k + 1]
        events[LAST] -= 1


@compiled(**UNCOUNTED)
def _occupy(events, prompt, start, length, sign):
    """Enter (sign 1) or take out (-1) one request."""
    _change(events, start, sign * (prompt - start), sign)
    _change(events, start + length, -sign * (prompt - start), -sign)


@compiled(**UNCOUNTED)
def _fold(events, epoch):
    """Fold everything up to ``epoch`` into one line."""
    size = _column(events)
    k = events[FIRST]
    while k < events[LAST] and events[HEAD + k] <= epoch:
        events[OFFSET] += events[HEAD + size + k]
        events[COUNT] += events[HEAD + 2 * size + k]
        k += 1
    events[FIRST] = k
    events[FOLDED] = epoch


@compiled(**UNCOUNTED)
def _earliest(events, prompt, length, memory, latest):
    """Return the first start >= the folded epoch at which a request fits under the profile, or -1 if past ``latest``.

    Demand rises between changes, so it is tested in the last round before each change and in the request's own last
    round. An excess of d in round u lasts until the start has moved by d, or past u: no start before that fits.
    """
    size = _column(events)
    t = events[FOLDED]
    while t <= latest:
        end = t + length
        offset, count = events[OFFSET], events[COUNT]
        retry = t
        k = events[FIRST]
        while k < events[LAST] and events[HEAD + k] < end:
            u = events[HEAD + k]
            if u > t:
                excess = offset + count * u + prompt + u - t - memory
                if excess > 0:
                    retry = max(retry, min(t + excess, u))
            offset += events[HEAD + size + k]
            count += events[HEAD + 2 * size + k]
            k += 1
        excess = offset + count * end + prompt + length - memory
        if excess > 0:
            retry = max(retry, min(t + excess, end))
        if retry == t:
            return t
        t = retry
    return np.int64(-1)


@compiled(**UNCOUNTED)
def pull_forward(view, books, size, origin, events):
    """Move the planned starts of jobs[:size] forward, in planned order, none before its predecessor.

    Parameters
    ----------
    view, books : PlanView, Books
        ``jobs[:size]`` in planned order, planned starts in ``books.start``; starts and completions are replaced.
    origin : int64
        Epoch at which the batch begins.
    events : int64[..]
        Scratch of `events_needed` length.

    Returns
    -------
    int64
        The last completion, or -1 if the plan itself does not fit (a fault of the planner).
    """
    memory = view.st[0].memory
    events[FIRST], events[LAST], events[FOLDED], events[OFFSET], events[COUNT] = 0, 0, origin, 0, 0
    ahead = 0
    latest = origin
    for r in range(size):
        i = view.jobs[r]
        prompt, length, planned = books.prompt[i], books.output[i], books.start[i]
        # Whoever is planned to start before i could end is part of the profile that i sees.
        while ahead < size and books.start[view.jobs[ahead]] < planned + length:
            j = view.jobs[ahead]
            _occupy(events, books.prompt[j], books.start[j], books.output[j], np.int64(1))
            ahead += 1
        _occupy(events, prompt, planned, length, np.int64(-1))
        start = _earliest(events, prompt, length, memory, planned)
        if start < 0:
            return np.int64(-1)
        _occupy(events, prompt, start, length, np.int64(1))
        _fold(events, start)
        books.start[i] = start
        books.first_start[i] = start
        books.completion[i] = start + length
        latest = max(latest, start + length)
    return latest
