"""Believed ends of the running requests, and the future-peak check on them (docs/model.md, section 8).

``ledger`` holds three columns of equal length: distinct believed ends ascending, the sum of (prompt - virtual
start) and the number of requests that end there. The window [first, last) of the scalars is in use. Requests that
outlive their believed end are moved into one aggregate: they count as ending in the next round, always.
"""

from __future__ import annotations

import numpy as np

from algos.engine.state import NEVER
from kvratio.problem.compiled import compiled


@compiled
def believe(v, i, length):
    """Enter the running request i as ending after ``length`` tokens, or after its next one if it is past that."""
    s = v.st[0]
    r = v.req[i]
    end = r.start + max(length, s.now - r.start + 1)
    _add(v, end, r.prompt - r.start)
    r.end = end


@compiled
def _add(v, end, weight):
    s = v.st[0]
    book = v.ledger
    size = len(book) // 3
    if s.last == size:
        _compact(v)
    lo, hi = s.first, s.last
    while lo < hi:
        mid = (lo + hi) >> 1
        if book[mid] < end:
            lo = mid + 1
        else:
            hi = mid
    if lo == s.last or book[lo] != end:
        for k in range(s.last, lo, -1):
            book[k] = book[k - 1]
            book[size + k] = book[size + k - 1]
            book[2 * size + k] = book[2 * size + k - 1]
        book[lo] = end
        book[size + lo] = 0
        book[2 * size + lo] = 0
        s.last += 1
    book[size + lo] += weight
    book[2 * size + lo] += 1


@compiled
def _compact(v):
    """Move the window to the front of the columns."""
    s = v.st[0]
    size = len(v.ledger) // 3
    count = s.last - s.first
    for column in range(3):
        for k in range(count):
            v.ledger[column * size + k] = v.ledger[column * size + s.first + k]
    s.first = 0
    s.last = count


@compiled
def forget(v, i):
    """Take request i out of the ledger, if it is in."""
    s = v.st[0]
    r = v.req[i]
    if r.end < 0:
        return
    book = v.ledger
    size = len(book) // 3
    weight = r.prompt - r.start
    lo, hi = s.first, s.last
    while lo < hi:
        mid = (lo + hi) >> 1
        if book[mid] < r.end:
            lo = mid + 1
        else:
            hi = mid
    if lo < s.last and book[lo] == r.end:
        if r.end != s.now:
            s.surprise = 1
        book[size + lo] -= weight
        book[2 * size + lo] -= 1
        if book[2 * size + lo] == 0:
            if lo == s.first:
                s.first += 1
            else:
                for k in range(lo, s.last - 1):
                    book[k] = book[k + 1]
                    book[size + k] = book[size + k + 1]
                    book[2 * size + k] = book[2 * size + k + 1]
                s.last -= 1
    else:
        s.over_offset -= weight
        s.over_count -= 1
        s.surprise = 1
    r.end = -1


@compiled
def outlive(v):
    """Move those whose believed end has passed without completion into the aggregate; run after completions."""
    s = v.st[0]
    size = len(v.ledger) // 3
    while s.first < s.last and v.ledger[s.first] <= s.now:
        s.over_offset += v.ledger[size + s.first]
        s.over_count += v.ledger[2 * size + s.first]
        s.first += 1
        s.surprise = 1


@compiled
def fits(v, i, length):
    """Whether waiting request i, believed to need ``length`` tokens, may start now; only believed ends count.

    Returns
    -------
    int64
        0 when it fits, else the earliest epoch at which it may fit if nothing unforeseen happens (`NEVER` when
        that takes an event). The jump rule is that of docs/model.md, section 8.
    """
    s = v.st[0]
    r = v.req[i]
    book = v.ledger
    size = len(book) // 3
    now, memory = s.now, s.memory
    virtual = now - r.kept
    end = virtual + max(length, r.kept + 1)
    base = r.prompt - virtual
    offset, count = s.offset, s.running
    if s.over_count > 0:
        # Requests past their estimate hold the next round for ever, and its demand only grows until an event.
        if offset + count * (now + 1) + base + now + 1 > memory:
            return NEVER
        offset -= s.over_offset
        count -= s.over_count
    retry = np.int64(0)
    k = s.first
    while k < s.last and book[k] <= end:
        u = book[k]
        excess = offset + count * u + base + u - memory
        if excess > 0:
            retry = max(retry, min(now + excess, u))
        offset -= book[size + k]
        count -= book[2 * size + k]
        k += 1
    if retry > 0:
        return retry
    if k > s.first and book[k - 1] == end:
        return np.int64(0)
    if offset + count * end + base + end > memory:
        return book[k] + 1 - (end - now) if k < s.last else NEVER
    return np.int64(0)
