"""Fast schedules of small instances, compiled: upper bounds on the optimum for screening.

Requests are placed one after another, each at its earliest feasible start. Memory is looked at only in the rounds in
which something ends (docs/model.md, section 8.6), so a placement takes O(n) steps however long the requests are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kvratio.problem.compiled import UNCOUNTED, compiled

#: how much slower than the volume rate the paced schedule runs, in percent
PACES = (100, 112)
#: no limit on the cost of a placement
NO_LIMIT = np.int64(2**61)
#: ways to order the requests at first
ORDERS = 6


@compiled(nogil=True, **UNCOUNTED)
def place(order, prompt, output, release, memory, limit, starts, work):
    """Place requests in order, each at its earliest feasible start at or after its release.

    Parameters
    ----------
    order, prompt, output, release : int64[n]
    memory, limit : int
        Where the total is sure to exceed ``limit``, the rest is not placed.
    starts : int64[n]
        Filled with the starts.
    work : int64[2, n]
        Scratch.

    Returns
    -------
    int
        Total completion, in rounds; more than ``limit`` where not all were placed.
    """
    n = len(order)
    # What is placed counts with its completion, what is not with the earliest one.
    total = np.int64(0)
    for i in range(n):
        total += release[i] + output[i]
    load, ends = work[0], work[1]
    for m in range(n):
        i = order[m]
        s, o = prompt[i], output[i]
        t = release[i]
        own = np.int64(0)
        while True:
            own, later, after = s + o, t, np.int64(2**62)
            u = t + o
            for k in range(m):
                j = order[k]
                e = ends[k]
                if e <= t:
                    continue
                if e <= u:
                    over = load[k] + s + e - t - memory
                    if over > 0:
                        # One round later takes one token off; by then this end has passed.
                        later = max(later, min(t + over, e))
                if e >= u:
                    after = min(after, e)
                    if starts[j] < u:
                        own += prompt[j] + u - starts[j]
            if later > t:
                t = later
            elif own > memory:
                # The load rises until the next end has passed.
                t = after + 1 - o
            else:
                break
        for k in range(m):
            if t < ends[k] <= t + o:
                load[k] += s + ends[k] - t
        starts[i], ends[m], load[m] = t, t + o, own
        total += t - release[i]
        if total > limit:
            return total
    return total


@compiled(nogil=True, **UNCOUNTED)
def _copy(source, target):
    # Assigning a slice would allocate: source and target might overlap.
    for k in range(len(target)):
        target[k] = source[k]


@compiled(nogil=True, **UNCOUNTED)
def _sort(order, keys):
    """Sort ``order`` by (key, index), in place."""
    for k in range(1, len(order)):
        i = order[k]
        j = k - 1
        while j >= 0 and (keys[order[j]] > keys[i] or (keys[order[j]] == keys[i] and order[j] > i)):
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = i


@compiled(nogil=True, **UNCOUNTED)
def _fill_keys(which, prompt, output, arrival, memory, keys):
    for i in range(len(prompt)):
        s, o, a = prompt[i], output[i], arrival[i]
        volume = s * o + o * (o + 1) // 2
        if which == 0:
            keys[i] = volume
        elif which == 1:
            keys[i] = o
        elif which == 2:
            keys[i] = memory * a + volume
        elif which == 3:
            keys[i] = a + o
        elif which == 4:
            keys[i] = s + o
        else:
            keys[i] = a


@compiled(nogil=True, **UNCOUNTED)
def cheap_lower(prompt, output, arrival, memory, keys, order):
    """Return max(LB0, LB1), total completion: every request runs its output; volume is served at rate M.

    Parameters
    ----------
    prompt, output, arrival : int64[n]
    memory : int
    keys, order : int64[n]
        Scratch.

    Notes
    -----
    LB1 forgets the arrivals: the squashed area of Kong et al., arXiv 2606.22327.
    """
    n = len(prompt)
    latency = np.int64(0)
    for i in range(n):
        order[i] = i
        latency += arrival[i] + output[i]
    _fill_keys(0, prompt, output, arrival, memory, keys)
    _sort(order, keys)
    served, area = np.int64(0), np.int64(0)
    for k in range(n):
        served += keys[order[k]]
        area += served
    return max(latency, (area + memory - 1) // memory)


@compiled(nogil=True, **UNCOUNTED)
def _paced(order, prompt, output, arrival, memory, pace, release):
    """Spread releases along an order at the rate at which memory can serve volume, slowed by pace percent."""
    served = np.int64(0)
    for k in range(len(order)):
        i = order[k]
        o = output[i]
        release[i] = max(arrival[i], served * pace // (100 * memory))
        served = max(served, memory * arrival[i]) + prompt[i] * o + o * (o + 1) // 2


@compiled(nogil=True, **UNCOUNTED)
def first_upper(count, prompt, output, arrival, memory, starts, best, scratch):
    """Return the least total completion over the first ``count`` list orders; order and starts in ``best``.

    Parameters
    ----------
    count : int
        Up to `ORDERS`.
    prompt, output, arrival : int64[n]
    memory : int
    starts : int64[n]
        Filled with the starts of the best schedule.
    best : int64[n]
        Filled with its order.
    scratch : int64[6, n]
    """
    n = len(prompt)
    keys, order, trial, work = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3:5, :n]
    least = np.int64(2**62)
    for which in range(count):
        for i in range(n):
            order[i] = i
        _fill_keys(which, prompt, output, arrival, memory, keys)
        _sort(order, keys)
        cost = place(order, prompt, output, arrival, memory, least, trial, work)
        if cost < least:
            least = cost
            _copy(trial, starts)
            _copy(order, best)
    return least


@compiled(nogil=True, **UNCOUNTED)
def improve(prompt, output, arrival, memory, least, starts, best, scratch, trials, coins):
    """Try paced schedules, then move single requests in the order at random; return the least cost.

    Parameters
    ----------
    prompt, output, arrival : int64[n]
    memory, least : int
        ``least`` is the cost of ``starts``, which come from ``best``.
    starts, best : int64[n]
        The schedule and its order; improved in place.
    scratch : int64[6, n]
    trials : int
        Placements of all requests.
    coins : int
        Seed of the moves.
    """
    n = len(prompt)
    order, trial, work, release = scratch[1, :n], scratch[2, :n], scratch[3:5, :n], scratch[5, :n]
    for pace in PACES:
        _paced(best, prompt, output, arrival, memory, pace, release)
        cost = place(best, prompt, output, release, memory, least, trial, work)
        if cost < least:
            least = cost
            _copy(trial, starts)
    level = place(best, prompt, output, arrival, memory, NO_LIMIT, trial, work)
    state: Any = np.uint64(coins) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
    for _ in range(trials if n > 1 else 0):
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        draw = np.int64(state >> np.uint64(33))
        source, target = draw % n, (draw // n) % (n - 1)
        target += target >= source
        _copy(best, order)
        step = 1 if target > source else -1
        for k in range(source, target, step):
            order[k] = order[k + step]
        order[target] = best[source]
        cost = place(order, prompt, output, arrival, memory, level, trial, work)
        if cost <= level:
            level = cost
            _copy(order, best)
            if cost < least:
                least = cost
                _copy(trial, starts)
    return least


@compiled(nogil=True, **UNCOUNTED)
def screen_block(genes, sizes, memory, cost, flow, floor, near, trials, few, scratch, upper, lower):
    """Bound the optimum of each candidate as far as it can matter.

    A candidate whose cost over the cheap lower bound does not reach ``floor`` is left at that. Others get two list
    schedules, and all of them with moves in the order where cost over that comes near the floor.

    Parameters
    ----------
    genes : int64[k, n, 6]
        Prompt, output, arrival first.
    sizes, memory, cost : int64[k]
        ``cost`` of the policy in the objective, 0 where its run failed.
    flow : bool
        Whether the objective is total flow, not total completion.
    floor : float
        Ratio that a candidate must exceed to be of use.
    near : float
        Share of the floor that the first schedules must reach for more work.
    trials, few : int
        Moves for such candidates, and for those that exceed the floor already.
    scratch : int64[11, n]
    upper, lower : int64[k]
        Output, in the objective; ``upper`` is 0 where nothing was computed.
    """
    for c in range(len(sizes)):
        n = sizes[c]
        prompt, output, arrival = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        shift = np.int64(0)
        for i in range(n):
            prompt[i], output[i], arrival[i] = genes[c, i, 0], genes[c, i, 1], genes[c, i, 2]
            shift += arrival[i]
        if not flow:
            shift = np.int64(0)
        upper[c] = 0
        lower[c] = cheap_lower(prompt, output, arrival, memory[c], scratch[5, :n], scratch[6, :n]) - shift
        if cost[c] <= floor * lower[c]:
            continue
        starts, best = scratch[3, :n], scratch[4, :n]
        least = first_upper(2, prompt, output, arrival, memory[c], starts, best, scratch[5:])
        if cost[c] > near * floor * (least - shift):
            least = first_upper(ORDERS, prompt, output, arrival, memory[c], starts, best, scratch[5:])
            # One that is in already needs no more for now: leaders are worked on later.
            moves = trials if cost[c] <= floor * (least - shift) or floor <= 0 else few
            least = improve(prompt, output, arrival, memory[c], least, starts, best, scratch[5:], moves, np.int64(7))
        upper[c] = least - shift
