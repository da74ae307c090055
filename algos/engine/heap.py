"""The engine's own heap of next ends, with deletion of any request in O(log m). Policies never see it."""

from __future__ import annotations

from kvratio.problem.compiled import inlined


@inlined
def push(times, requests, slots, size, time, i):
    """Add request i with an end time; the caller counts the size up."""
    _up(times, requests, slots, size, time, i)


@inlined
def remove(times, requests, slots, size, i):
    """Take request i out; the caller counts the size down."""
    at = slots[i]
    slots[i] = -1
    end = size - 1
    if at == end:
        return
    time, j = times[end], requests[end]
    if at > 0 and _before(time, j, times[(at - 1) >> 1], requests[(at - 1) >> 1]):
        _up(times, requests, slots, at, time, j)
    else:
        _down(times, requests, slots, end, at, time, j)


@inlined
def _before(time, i, other_time, j):
    return time < other_time or (time == other_time and i < j)


@inlined
def _up(times, requests, slots, at, time, i):
    while at > 0:
        parent = (at - 1) >> 1
        if not _before(time, i, times[parent], requests[parent]):
            break
        times[at], requests[at] = times[parent], requests[parent]
        slots[requests[at]] = at
        at = parent
    times[at], requests[at] = time, i
    slots[i] = at


@inlined
def _down(times, requests, slots, size, at, time, i):
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and _before(times[child + 1], requests[child + 1], times[child], requests[child]):
            child += 1
        if not _before(times[child], requests[child], time, i):
            break
        times[at], requests[at] = times[child], requests[child]
        slots[requests[at]] = at
        at = child
    times[at], requests[at] = time, i
    slots[i] = at
