"""The longest gap between ticks since a given one: a stack of those gaps that no later gap reaches."""

from __future__ import annotations

from kvratio.problem.compiled import inlined


@inlined
def push(v, t, gap, tick):
    """Add the gap that ends at a tick."""
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
