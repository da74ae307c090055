"""Earliest-fit decoding by events, for schedules of so many rounds that a table of rounds would not fit into memory.

Demand rises until a request ends, so a request fits if it fits in the last round of each request that ends during its
run, and in its own last round. Work and memory grow with the number of requests, not with the number of rounds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled

IntArray = npt.NDArray[np.int64]


@compiled
def _insert(values, k, at, value):
    """Insert a value into the first k entries at a place."""
    for q in range(k, at, -1):
        values[q] = values[q - 1]
    values[at] = value


@compiled
def _insert_sum(sums, k, at, value):
    """Insert a value into the first k prefix sums at a place."""
    for q in range(k, at, -1):
        sums[q] = sums[q - 1] + value
    sums[at] = value
    if at > 0:
        sums[at] += sums[at - 1]


@compiled
def fit_by_events(order, arrival, prompt, output, memory, starts):
    """Place requests in order, each at its earliest feasible start; return the total completion time.

    Parameters
    ----------
    order, arrival, prompt, output : int64[n]
    memory : int
    starts : int64[n]
        Filled with the starts.
    """
    n = len(order)
    # A request holds s - start + r in a round r of its run; begun and ended are prefix sums of s - start.
    begins, begun = np.empty(n, np.int64), np.empty(n, np.int64)
    ends, ended, used = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    total = np.int64(0)
    for k in range(n):
        i = order[k]
        s, o, t = prompt[i], output[i], arrival[i]
        # Ends up to t, ends up to t + o, and begins before t + o: all of them only move on.
        low, high, first = 0, 0, 0
        while True:
            while low < k and ends[low] <= t:
                low += 1
            high = max(high, low)
            while high < k and ends[high] <= t + o:
                high += 1
            clash = -1
            for q in range(high - 1, low - 1, -1):
                if used[q] + s + ends[q] - t > memory:
                    clash = q
                    break
            if clash >= 0:
                # A later start asks less of that round, and nothing once it is past it.
                t = min(ends[clash], used[clash] + s + ends[clash] - memory)
                continue
            while first < k and begins[first] < t + o:
                first += 1
            last = high
            while last > 0 and ends[last - 1] == t + o:
                last -= 1
            own = (first - last) * (t + o)
            if first > 0:
                own += begun[first - 1]
            if last > 0:
                own -= ended[last - 1]
            if own + s + o <= memory:
                break
            # Who runs in round t + o runs, and grows, until the next end: ours must lie beyond it.
            t = ends[last] - o + 1
        starts[i] = t
        total += t + o
        for q in range(low, high):
            used[q] += s + ends[q] - t
        at = np.searchsorted(begins[:k], t, side="right")
        _insert(begins, k, at, t)
        _insert_sum(begun, k, at, s - t)
        _insert(ends, k, high, t + o)
        _insert_sum(ended, k, high, s - t)
        _insert(used, k, high, own + s + o)
    return total


def one_by_one(order: IntArray, arrival: IntArray, output: IntArray) -> tuple[int, IntArray]:
    """Run requests in order, each alone: feasible whatever their size. Returns (total completion, starts int64[n])."""
    # start[k] = max(arrival[k], end[k - 1]): a running maximum of arrival less the work before.
    before = np.cumsum(output[order]) - output[order]
    starts = np.empty(len(order), np.int64)
    starts[order] = np.maximum.accumulate(arrival[order] - before) + before
    return int(starts.sum() + output.sum()), starts
