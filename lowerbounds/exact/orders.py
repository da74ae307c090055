"""A first schedule: annealing over placement orders, each decoded by earliest fits.

Order search alone misses some optima (two requests can block each other at a tight round); beams over the backward
search do the rest.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from kvratio.problem.seeds import stream

IntArray = npt.NDArray[np.int64]

#: independent annealings, each in its own thread
CHAINS = 2
#: share of moves to a near place, and the mean distance of those
NEAR, DISTANCE = 0.7, 5.0
#: mean loss accepted at first, as a share of the mean completion
HEAT = 0.03
#: orders x rounds tried between two looks at the clock
BLOCK = 10_000_000


@compiled(nogil=True)
def _decode(order, arrival, prompt, output, free, memory, starts):
    """Place requests in order at their earliest feasible starts; return the total completion time.

    ``free`` is a workspace with one entry per round, long enough for a serial schedule.
    """
    free[:] = memory
    total = 0
    for i in order:
        s, o = prompt[i], output[i]
        start = arrival[i]
        while True:
            clash = -1
            for r in range(start + o - 1, start - 1, -1):
                if free[r] < s + r - start + 1:
                    clash = r
                    break
            if clash < 0:
                break
            # A later start asks less of round `clash`, and nothing once it is past it.
            start = min(s + clash + 1 - free[clash], clash + 1)
        for r in range(start, start + o):
            free[r] -= s + r - start + 1
        starts[i] = start
        total += start + o
    return total


@compiled(nogil=True)
def _anneal(order, arrival, prompt, output, rounds, memory, moves, heat, best, best_starts):
    """Move moves[k, 0] of the order to place moves[k, 1], accepting a loss of up to heat[k].

    Returns the least of ``best`` and the costs found; fills ``best_starts`` when one is below ``best``.
    """
    free = np.empty(rounds, np.int64)
    starts = np.empty(len(order), np.int64)
    cost = _decode(order, arrival, prompt, output, free, memory, starts)
    trial = order.copy()
    for k in range(len(moves)):
        source, target = moves[k, 0], moves[k, 1]
        trial[:] = order
        if source < target:
            trial[source:target] = order[source + 1 : target + 1]
        else:
            trial[target + 1 : source + 1] = order[target:source]
        trial[target] = order[source]
        found = _decode(trial, arrival, prompt, output, free, memory, starts)
        if found <= cost + heat[k]:
            cost = found
            order[:] = trial
            if found < best:
                best = found
                best_starts[:] = starts
    return best


def first_schedule(inst: Instance, seed: int, work: int, rounds_limit: int, deadline: float) -> tuple[int, IntArray]:
    """Return cost and starts of a schedule.

    Parameters
    ----------
    work : int
        Requests to place, over all orders tried after the first four.
    rounds_limit : int
        When a serial schedule needs more rounds than this, requests run one after another: no table of rounds is made.
    deadline : float
        Time on the monotonic clock after which no more orders are tried.
    """
    volume, peak = inst.volume, inst.peak
    serial = int(inst.arrival.max()) + int(inst.output.sum())
    starts = np.empty(inst.n, np.int64)
    if serial > rounds_limit:
        return _one_by_one(inst)
    free = np.empty(serial, np.int64)
    tried: list[tuple[int, int, IntArray, IntArray]] = []
    for key in (volume, inst.output, peak, inst.arrival * inst.memory + volume):
        order = np.argsort(key, kind="stable")
        cost = _decode(order, inst.arrival, inst.prompt, inst.output, free, inst.memory, starts)
        tried.append((int(cost), len(tried), order, starts.copy()))
    cost, _, order, starts = min(tried, key=lambda entry: entry[:2])
    steps = work // (CHAINS * inst.n)
    if inst.n > 1 and steps:
        with ThreadPoolExecutor(CHAINS) as pool:
            chains = [pool.submit(_chain, inst, order, cost, serial, steps, deadline, (seed, k)) for k in range(CHAINS)]
            found = [chain.result() for chain in chains]
        cost, starts = min([(cost, starts), *found], key=lambda entry: entry[0])
    return cost, starts


def _chain(
    inst: Instance, order: IntArray, cost: int, rounds: int, steps: int, deadline: float, names: tuple[int, ...]
) -> tuple[int, IntArray]:
    """Anneal from an order of a given cost; ``names`` choose the random numbers."""
    rng = stream("exact search orders", *names)
    moves = rng.integers(0, inst.n, (steps, 2))
    near = rng.random(steps) < NEAR
    jump = rng.geometric(1.0 / DISTANCE, steps) * rng.choice(np.array([-1, 1]), steps)
    moves[near, 1] = np.clip(moves[near, 0] + jump[near], 0, inst.n - 1)
    # Exponential losses, cooling linearly.
    heat = rng.exponential(1.0, steps) * np.linspace(1.0, 0.0, steps) * cost / inst.n * HEAT
    order, starts = order.copy(), np.empty(inst.n, np.int64)
    # In blocks, to look at the clock between them; one number above cost makes the first block fill the starts.
    best = cost + 1
    size = max(1, BLOCK // rounds)
    for low in range(0, steps, size):
        if time.monotonic() > deadline:
            break
        block = slice(low, low + size)
        best = _anneal(
            order, inst.arrival, inst.prompt, inst.output, rounds, inst.memory, moves[block], heat[block], best, starts
        )
    return int(best), starts


def _one_by_one(inst: Instance) -> tuple[int, IntArray]:
    """Run requests in order of arrival, then output, each alone."""
    order = np.lexsort((inst.output, inst.arrival))
    starts = np.empty(inst.n, np.int64)
    # start[k] = max(arrival[k], end[k - 1]): a running maximum of arrival minus the work before.
    before = np.concatenate(([0], np.cumsum(inst.output[order])[:-1]))
    starts[order] = np.maximum.accumulate(inst.arrival[order] - before) + before
    return int(starts.sum() + inst.output.sum()), starts
