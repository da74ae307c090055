"""Believed ends of the running requests, and the future-peak check on them (docs/model.md, section 8).

``ledger`` holds three columns of equal length, used in the window [first, last) of the scalars: the distinct
believed ends u ascending; load(u) + u, where load(u) is the memory in round u of those that end at u or later; and
the number of these. So the check is one pass over a column, and a change touches the ends before it.
Requests that outlive their believed end are moved into one aggregate: they count as ending in the next round.
"""

from __future__ import annotations

import numpy as np

from algos.engine.state import NEVER
from kvratio.problem.compiled import inlined


@inlined
def believe(v, i, length):
    """Enter the running request i as ending after ``length`` tokens, or after its next one if it is past that."""
    s = v.st[0]
    r = v.req[i]
    end = r.start + max(length, s.now - r.start + 1)
    _add(v, end, r.prompt - r.start)
    r.end = end


@inlined
def _position(v, end):
    """First place in the window whose believed end is not before ``end``."""
    s = v.st[0]
    lo, hi = s.first, s.last
    if lo < hi and v.ledger[lo] >= end:
        return lo
    while lo < hi:
        mid = (lo + hi) >> 1
        if v.ledger[mid] < end:
            lo = mid + 1
        else:
            hi = mid
    return lo


@inlined
def _add(v, end, weight):
    s = v.st[0]
    size = len(v.ledger) // 3
    if s.last == size:
        _compact(v)
    at = _position(v, end)
    ends, tops, counts = v.ledger[:size], v.ledger[size : 2 * size], v.ledger[2 * size :]
    if at < s.last and ends[at] == end:
        tops[at] += weight + end
        counts[at] += 1
    else:
        load = np.int64(0)
        count = np.int64(0)
        if at < s.last:
            count = counts[at]
            load = tops[at] - ends[at] - (ends[at] - end) * count
        at = _make_room(v, ends, tops, counts, at)
        ends[at] = end
        tops[at] = load + end + weight + end
        counts[at] = count + 1
    first = s.first
    for k in range(first, at):
        tops[k] += weight + ends[k]
        counts[k] += 1


@inlined
def _make_room(v, ends, tops, counts, at):
    """Open a gap before place ``at`` on the shorter side; return where it is."""
    s = v.st[0]
    if s.first > 0 and at - s.first < s.last - at:
        for k in range(s.first, at):
            ends[k - 1] = ends[k]
        for k in range(s.first, at):
            tops[k - 1] = tops[k]
        for k in range(s.first, at):
            counts[k - 1] = counts[k]
        s.first -= 1
        return at - 1
    for k in range(s.last, at, -1):
        ends[k] = ends[k - 1]
    for k in range(s.last, at, -1):
        tops[k] = tops[k - 1]
    for k in range(s.last, at, -1):
        counts[k] = counts[k - 1]
    s.last += 1
    return at


@inlined
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


@inlined
def forget(v, i):
    """Take request i out of the ledger, if it is in."""
    s = v.st[0]
    r = v.req[i]
    end = r.end
    if end < 0:
        return
    r.end = -1
    weight = r.prompt - r.start
    size = len(v.ledger) // 3
    at = _position(v, end)
    if at == s.last or v.ledger[at] != end:
        s.over_offset -= weight
        s.over_count -= 1
        s.surprise = 1
        return
    if end != s.now:
        s.surprise = 1
    ends, tops, counts = v.ledger[:size], v.ledger[size : 2 * size], v.ledger[2 * size :]
    first = s.first
    for k in range(first, at + 1):
        tops[k] -= weight + ends[k]
        counts[k] -= 1
    if counts[at] == (counts[at + 1] if at + 1 < s.last else 0):
        if at == s.first:
            s.first += 1
        else:
            for k in range(at, s.last - 1):
                ends[k], tops[k], counts[k] = ends[k + 1], tops[k + 1], counts[k + 1]
            s.last -= 1


@inlined
def outlive(v):
    """Move those whose believed end has passed without completion into the aggregate; run after completions."""
    s = v.st[0]
    size = len(v.ledger) // 3
    while s.first < s.last and v.ledger[s.first] <= s.now:
        k, following = s.first, s.first + 1
        end = v.ledger[k]
        count = v.ledger[2 * size + k]
        load = v.ledger[size + k] - end
        if following < s.last:
            later = v.ledger[2 * size + following]
            load -= v.ledger[size + following] - v.ledger[following] - (v.ledger[following] - end) * later
            count -= later
        s.over_offset += load - count * end
        s.over_count += count
        s.first += 1
        s.surprise = 1


@inlined
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
    size = len(v.ledger) // 3
    now, memory = s.now, s.memory
    virtual = now - r.kept
    end = virtual + max(length, r.kept + 1)
    base = r.prompt - virtual
    # Requests past their estimate hold the next round for ever, and its demand only grows until an event.
    if s.over_count > 0 and s.offset + s.running * (now + 1) + base + now + 1 > memory:
        return NEVER
    ends, tops, counts = v.ledger[:size], v.ledger[size : 2 * size], v.ledger[2 * size :]
    first, last = s.first, s.last
    stop = last if last > first and ends[last - 1] <= end else _position(v, end + 1)
    limit = memory - base
    # A believed end u is violated iff its excess is positive; moving the start by one lowers it by one until u.
    retry = np.int64(0)
    for k in range(first, stop):
        retry = max(retry, min(now + tops[k] - limit, ends[k]))
    if retry > now:
        return retry
    if stop < last and (stop == first or ends[stop - 1] != end):
        gap = ends[stop] - end
        if tops[stop] - ends[stop] - gap * counts[stop] + end > limit:
            return ends[stop] + 1 - (end - now)
    return np.int64(0)
