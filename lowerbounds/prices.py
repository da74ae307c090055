"""Closed-form prices of memory, one per round, from fluid schedules.

Any nonnegative prices give a valid bound (dual.py), so floats are harmless here. The batch formula is the dual
solution of the mean-busy-time relaxation behind LB2 (docs/bounds.md); with arrivals the same argument is followed
backwards through the schedule of the machine behind LB4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from lowerbounds.machine import run_machine

FloatArray = npt.NDArray[np.float64]


def batch_prices(inst: Instance) -> FloatArray:
    """Mean over each round of (requests unfinished in the smallest-volume-first fluid) / M, arrivals ignored.

    Returns
    -------
    float64[T]
        Price of one unit of memory in rounds 1 .. T; T is the round in which the fluid ends.
    """
    M = inst.memory
    volume = np.sort(inst.volume)
    ends = np.cumsum(volume)
    rounds = int(-(-ends[-1] // M))
    ticks = np.arange(rounds + 1, dtype=np.int64) * M
    ticks[-1] = ends[-1]
    index = np.minimum(np.searchsorted(ends, ticks, side="left"), inst.n - 1)
    since = (ticks - (ends[index] - volume[index])).astype(np.float64)
    left = (inst.n - np.arange(inst.n)).astype(np.float64)
    whole = np.concatenate(([0.0], np.cumsum((left - 0.5) * volume)))
    area = whole[index] + left[index] * since - since * since / (2.0 * volume[index])
    return np.maximum(np.diff(area), 0.0) / (float(M) * M)


def released_prices(inst: Instance) -> FloatArray:
    """Mean over each round of (requests released and unfinished in the LB4 machine) / M: the heuristic start."""
    pieces = run_machine(inst, by_remaining=False)
    M = inst.memory
    rounds = int(-(-pieces.last[-1] // M))
    ticks = (np.arange(rounds + 1, dtype=np.int64) * M).astype(np.float64)
    release = np.sort(inst.arrival * M).astype(np.float64)
    known = np.searchsorted(release, ticks, side="right")
    waiting = known * ticks - np.concatenate(([0.0], np.cumsum(release)))[known]
    first, last = pieces.first.astype(np.float64), pieces.last.astype(np.float64)
    volume = inst.volume[pieces.request].astype(np.float64)
    # A piece lowers the count by (last - first) / volume, linearly; its middle tells the area it has removed since.
    share = (last - first) / volume
    zero = np.zeros(1)
    shares = np.concatenate([zero, np.cumsum(share)])
    moments = np.concatenate([zero, np.cumsum(share * (first + last) / 2)])
    ended = np.searchsorted(last, ticks, side="right")
    removed = shares[ended] * ticks - moments[ended]
    at = np.minimum(ended, len(last) - 1)
    into = np.where(ended < len(last), np.maximum(ticks - first[at], 0.0), 0.0)
    removed += into * into / (2 * volume[at])
    return np.maximum(np.diff(waiting - removed), 0.0) / (float(M) * M)


@compiled
def _potential_areas(first, last, volume, rounds, memory):
    """Integrate the dual potential of the LB4 machine over each round (float64[rounds], in ticks).

    Going backwards, while request i is processed the potential is c_i - t / v_i with c_i the least
    potential + t / v_i over all later times, and it is 0 where the machine is idle. Its corners are kept as a
    lower hull, so that least values are found by bisection.
    """
    area = np.zeros(rounds, np.float64)
    k = len(first)
    at = np.empty(2 * k + 2, np.float64)
    value = np.empty(2 * k + 2, np.float64)
    size = 1
    at[0] = float(last[k - 1])
    value[0] = 0.0
    for p in range(k - 1, -1, -1):
        slope = 1.0 / volume[p]
        if p == k - 1 or last[p] < first[p + 1]:
            # An idle time begins at last[p]: the potential is 0 there, and nothing later can be lower.
            at[0] = float(last[p])
            value[0] = 0.0
            size = 1
        low, high = 0, size - 1
        while low < high:
            middle = (low + high) // 2
            # Towards the top of the stack times fall; move on while the next corner is lower along this slope.
            if value[middle + 1] + at[middle + 1] * slope < value[middle] + at[middle] * slope:
                low = middle + 1
            else:
                high = middle
        level = value[low] + at[low] * slope
        for which in range(2):
            x = float(last[p]) if which == 0 else float(first[p])
            y = level - x * slope
            # Later corners that are no lower are of no more use; nor are those above the line to the new corner.
            while size >= 1 and value[size - 1] >= y:
                size -= 1
            if size >= 1 and at[size - 1] == x:
                continue
            while size >= 2 and (value[size - 1] - value[size - 2]) * (at[size - 1] - x) >= (y - value[size - 1]) * (
                at[size - 2] - at[size - 1]
            ):
                size -= 1
            at[size] = x
            value[size] = y
            size += 1
        r = first[p] // memory
        while r * memory < last[p]:
            x = float(max(first[p], r * memory))
            y = float(min(last[p], (r + 1) * memory))
            area[r] += (y - x) * (level - slope * (x + y) / 2)
            r += 1
    return area


def potential_prices(inst: Instance) -> FloatArray:
    """Dual potential of the LB4 machine, mean over each round, / M; equals `batch_prices` when all arrivals are 0."""
    pieces = run_machine(inst, by_remaining=False)
    rounds = int(-(-pieces.last[-1] // inst.memory))
    volume = inst.volume[pieces.request].astype(np.float64)
    area = _potential_areas(pieces.first, pieces.last, volume, rounds, inst.memory)
    return np.maximum(area, 0.0) / (float(inst.memory) * inst.memory)
