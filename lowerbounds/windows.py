"""Better schedules window by window: the compiled part of the rolling search (rolling.py explains the method).

A request placed at t with prompt s and output o is worth C + the priced memory of its run in rounds beyond R. Among
schedules of the same requests the memory used in all rounds is the same, so what is used up to R is not charged:
less of it means rounds up to R were wasted. With the prices of the Lagrangian dual this is the part of the duality
gap that these requests have caused so far, up to a constant (docs/bounds.md).
"""

from __future__ import annotations

import math

import numpy as np

from kvratio.problem.compiled import compiled


@compiled(nogil=True)
def _uniform(state):
    """Return a number in (0, 1) and step the xorshift generator (uint64[1], never 0)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return (float(x >> np.uint64(11)) + 0.5) / 9007199254740992.0


@compiled(nogil=True)
def _fit(free, earliest, s, o):
    """Return the earliest feasible start that is no earlier than ``earliest``."""
    end = earliest + o - 1
    size = len(free)
    while True:
        while end < size and free[end] < s + o:
            end += 1
        if end >= size:
            raise IndexError("the profile is too short")
        start = end - o + 1
        clash = -1
        for r in range(end - 1, start - 1, -1):
            if free[r] < s + r - start + 1:
                clash = r
                break
        if clash < 0:
            return start
        # Later starts ask less of round `clash`; by clash + 1 they ask nothing of it.
        end = min(s + clash + 1 - free[clash], clash + 1) + o - 1


@compiled(nogil=True)
def _use(free, start, s, o, sign):
    """Take the memory of one run (sign 1) or give it back (sign -1)."""
    first = s + 1 - start
    for r in range(start, start + o):
        free[r] -= sign * (first + r)


@compiled(nogil=True)
def _worth(start, s, o, R, sums, moments):
    """Return completion time plus priced memory in rounds beyond R."""
    last = len(sums) - 1
    low, high = min(max(R, start), last), min(start + o, last)
    worth = float(start + o)
    if low < high:
        worth += (s - start) * (sums[high] - sums[low]) + moments[high] - moments[low]
    return worth


@compiled(nogil=True)
def place_all(free, order, arrival, prompt, output, earliest, starts):
    """Place requests in order on the profile (changed); starts[k] is the start of order[k]."""
    for k in range(len(order)):
        i = order[k]
        starts[k] = _fit(free, max(earliest, arrival[i]), prompt[i], output[i])
        _use(free, starts[k], prompt[i], output[i], 1)


@compiled(nogil=True)
def total_worth(order, starts, prompt, output, R, sums, moments):
    """Sum of the worth of requests at their starts."""
    total = 0.0
    for k in range(len(order)):
        total += _worth(starts[k], prompt[order[k]], output[order[k]], R, sums, moments)
    return total


@compiled(nogil=True)
def _draw_move(trial, order, movable, spread, state):
    """Move one of the first requests by about ``spread`` places in ``trial``; return the first place changed, or -1."""
    width = len(order)
    source = int(_uniform(state) * min(movable, width))
    normal = math.sqrt(-2.0 * math.log(_uniform(state))) * math.cos(2.0 * math.pi * _uniform(state))
    target = min(max(source + round(spread * normal), 0), width - 1)
    if source == target:
        return -1
    if source < target:
        for k in range(source, target):
            trial[k] = order[k + 1]
    else:
        for k in range(source, target, -1):
            trial[k] = order[k - 1]
    trial[target] = order[source]
    return min(source, target)


@compiled(nogil=True)
def _improve(free, order, starts, arrival, prompt, output, earliest, R, sums, moments, movable, spread, budget, state):
    """Move requests of one window, already placed; keep what is worth no more. ``budget`` counts placements."""
    width = len(order)
    worth = np.empty(width, np.float64)
    for k in range(width):
        worth[k] = _worth(starts[k], prompt[order[k]], output[order[k]], R, sums, moments)
    now = worth.sum()
    trial, trial_starts, trial_worth = order.copy(), starts.copy(), worth.copy()
    while budget > 0:
        budget -= 1
        first = _draw_move(trial, order, movable, spread, state)
        if first < 0:
            continue
        for k in range(first, width):
            _use(free, starts[k], prompt[order[k]], output[order[k]], -1)
        new = worth[:first].sum()
        for k in range(first, width):
            i = trial[k]
            t = _fit(free, max(earliest, arrival[i]), prompt[i], output[i])
            _use(free, t, prompt[i], output[i], 1)
            trial_starts[k] = t
            trial_worth[k] = _worth(t, prompt[i], output[i], R, sums, moments)
            new += trial_worth[k]
        budget -= width - first
        if new <= now:
            now = new
            for k in range(first, width):
                order[k], starts[k], worth[k] = trial[k], trial_starts[k], trial_worth[k]
        else:
            for k in range(first, width):
                _use(free, trial_starts[k], prompt[trial[k]], output[trial[k]], -1)
            for k in range(first, width):
                _use(free, starts[k], prompt[order[k]], output[order[k]], 1)
                trial[k] = order[k]


@compiled(nogil=True)
def advance(
    free, order, count, floors, arrival, prompt, output, R, sums, moments, width, movable, step, spread, quantile,
    effort, state, starts,
):  # fmt: skip
    """Improve and fix the first ``count`` requests of an order, window by window; place the rest to look ahead.

    Parameters
    ----------
    free : int64[T]
        Memory left per round; changed.
    order : int64[m]
        Changed; afterwards order[k] starts at starts[k].
    count : int
        How many are fixed, at most m.
    floors : int64[2]
        Earliest starts in the last two windows: none is tried before them. Changed.
    R : int
        Round beyond which memory is charged in the value returned.
    sums, moments : float64[T + 1]
        Prefix sums of prices and of round times price.
    width, movable, step, spread, quantile
        Requests per window, how many of these are moved, how many are fixed at a time, typical move, and the share
        of a window's starts before its own R.
    effort : float
        Placements per request fixed.
    state : uint64[1]
        Of the random numbers.
    starts : int64[m]
        Filled.

    Returns
    -------
    float
        `total_worth` of the whole order: the less the better.
    """
    done = 0
    while done < count:
        wide = min(width, len(order) - done)
        fixed = min(step, count - done)
        part, at = order[done : done + wide], starts[done : done + wide]
        earliest = min(floors[0], floors[1])
        place_all(free, part, arrival, prompt, output, earliest, at)
        bar = np.sort(at)[min(wide - 1, int(quantile * wide))]
        _improve(
            free, part, at, arrival, prompt, output, earliest, bar, sums, moments, movable, spread,
            int(effort * fixed), state,
        )  # fmt: skip
        floors[0] = floors[1]
        floors[1] = at.min()
        for k in range(fixed, wide):
            _use(free, at[k], prompt[part[k]], output[part[k]], -1)
        done += fixed
    place_all(free, order[count:], arrival, prompt, output, min(floors[0], floors[1]), starts[count:])
    return total_worth(order, starts, prompt, output, R, sums, moments)
