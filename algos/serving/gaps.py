"""Gaps between tokens: the longest since a given tick, and, where they are kept, every one of them.

The longest come from a stack of the gaps between ticks that no later gap reaches. Every gap of a request that decodes
with the tick is copied from a ring of the newest ones when it stops: none decodes for more ticks than the ring holds.
"""

from __future__ import annotations

from kvratio.problem.compiled import inlined


@inlined
def push(v, t, gap, tick):
    """Add the gap that ends at a tick."""
    if len(t.ring) > 0:
        t.ring[tick % len(t.ring)] = gap
    push_longest(v, t, gap, tick)


@inlined
def push_longest(v, t, gap, tick):
    """Add the gap that ends at a tick to the stack only."""
    s = v.st[0]
    top = s.gap_top
    while top > 0 and t.gap_time[top - 1] <= gap:
        top -= 1
    if top == len(t.gap_time):
        top = _forget_old(t, top, tick)
    t.gap_time[top] = gap
    t.gap_tick[top] = tick
    s.gap_top = top + 1


@inlined
def _forget_old(t, top, tick):
    """Drop the ticks that no decoding request has seen: none decodes for more ticks than half the stack is long."""
    reach = tick - len(t.gap_time) // 2
    kept = 0
    for k in range(top):
        if t.gap_tick[k] > reach:
            t.gap_time[kept] = t.gap_time[k]
            t.gap_tick[kept] = t.gap_tick[k]
            kept += 1
    return kept


@inlined
def push_rising(t, gap, growth, number, tick):
    """Add to the ring the gaps of ``number`` ticks before this one, each shorter by ``growth`` than the next."""
    for k in range(number):
        t.ring[(tick - k) % len(t.ring)] = gap - k * growth


@inlined
def keep(t, i, gap):
    """Write down a gap of request i."""
    if len(t.trail) > 0:
        q = t.req[i]
        t.trail[q.trail + q.gaps] = gap
        q.gaps += 1


@inlined
def keep_ticks(t, i, first, last):
    """Write down for request i the gaps that end at the ticks from first to last."""
    if len(t.trail) > 0:
        q = t.req[i]
        for tick in range(first, last + 1):
            t.trail[q.trail + q.gaps] = t.ring[tick % len(t.ring)]
            q.gaps += 1


@inlined
def longest(v, t, tick):
    """Return the longest gap of this tick and all later ones; there must be one."""
    low, high = 0, v.st[0].gap_top - 1
    while low < high:
        middle = (low + high) // 2
        if t.gap_tick[middle] >= tick:
            high = middle
        else:
            low = middle + 1
    return t.gap_time[low]
