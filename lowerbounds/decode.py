"""Earliest-fit decoding: place requests in a given order, each at its earliest feasible start.

Gives schedules, hence upper bounds. Order search cannot reach every optimum: two requests can block each other at a
tight round, and optimal starts need not be earliest fits (docs/optimum.md).
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from kvratio.problem.seeds import stream
from lowerbounds.exact_sums import exact_sum

IntArray = npt.NDArray[np.int64]

#: rounds per block: the decoder jumps over blocks whose freest round cannot hold the request's peak
BLOCK = 64
#: requests placed by the default order search, over all trials: work, not time, so that bytes repeat
ORDER_WORK = 2_000_000


@compiled
def _refresh(free, block, group, low, high):
    """Recompute the block and group maxima of rounds low .. high - 1."""
    width = len(free) // len(block)
    first, last = low // width, (high - 1) // width
    for k in range(first, last + 1):
        top = free[k * width]
        for r in range(k * width + 1, (k + 1) * width):
            top = max(top, free[r])
        block[k] = top
    for g in range(first // width, last // width + 1):
        top = block[g * width]
        for k in range(g * width + 1, min((g + 1) * width, len(block))):
            top = max(top, block[k])
        group[g] = top


@compiled
def _next_end(free, block, group, end, peak):
    """Return the first r >= end with free[r] >= peak; when the profile holds none, the first r >= end beyond it."""
    width = len(free) // len(block)
    size = len(free)
    r = end
    while r < size:
        if r % width == 0:
            k = r // width
            if k % width == 0 and group[k // width] < peak:
                r += width * width
                continue
            if block[k] < peak:
                r += width
                continue
        if free[r] >= peak:
            return r
        r += 1
    return max(end, size)


@compiled
def _longer(free, memory, width):
    """Return a copy of twice the length, whole blocks, with the new rounds free, and its maxima."""
    size = 2 * len(free)
    grown = np.full(size, memory, np.int64)
    grown[: len(free)] = free
    blocks = size // width
    block = np.empty(blocks, np.int64)
    group = np.empty((blocks + width - 1) // width, np.int64)
    _refresh(grown, block, group, 0, size)
    return grown, block, group


@compiled
def earliest_fit(order, arrival, prompt, output, memory, rounds, width, starts):
    """Place requests in order, each at its earliest feasible start; return the total completion time.

    Parameters
    ----------
    order, arrival, prompt, output : int64[n]
    memory : int
    rounds : int
        A guess of the makespan; the profile grows when needed.
    width : int
        Rounds per block.
    starts : int64[n]
        Filled with the starts.
    """
    # free[r] is what round r + 1 has left: a start at t uses s + k in free[t + k - 1], k = 1 .. o.
    free = np.full((rounds // width + 1) * width, memory, np.int64)
    blocks = len(free) // width
    block = np.full(blocks, memory, np.int64)
    group = np.full((blocks + width - 1) // width, memory, np.int64)
    total = np.int64(0)
    for i in order:
        s, o = prompt[i], output[i]
        end = arrival[i] + o - 1
        while True:
            end = _next_end(free, block, group, end, s + o)
            if end >= len(free):
                while end >= len(free):
                    free, block, group = _longer(free, memory, width)
                continue
            start = end - o + 1
            clash = -1
            for r in range(end - 1, start - 1, -1):
                if free[r] < s + r - start + 1:
                    clash = r
                    break
            if clash < 0:
                break
            # Later starts ask less of round `clash`; by clash + 1 they ask nothing of it.
            end = min(s + clash + 1 - free[clash], clash + 1) + o - 1
        for r in range(start, end + 1):
            free[r] -= s + r - start + 1
        _refresh(free, block, group, start, end + 1)
        starts[i] = start
        total += end + 1
    return total


def decode(inst: Instance, order: IntArray, starts: IntArray | None = None) -> tuple[int, IntArray]:
    """Place requests in ``order``, each at its earliest feasible start.

    Returns
    -------
    cost : int
        Total completion time.
    starts : int64[n]
    """
    starts = np.empty(inst.n, np.int64) if starts is None else starts
    guess = int(inst.arrival.max()) + int(1.3 * int(inst.volume.sum()) / inst.memory) + int(inst.output.max())
    cost = earliest_fit(order, inst.arrival, inst.prompt, inst.output, inst.memory, guess, BLOCK, starts)
    return int(cost), starts


def _keys(inst: Instance) -> dict[str, npt.NDArray[np.float64]]:
    """Return sorting keys, least first: single quantities and mixes that did well on real traces."""
    volume, output, peak = (np.log(x.astype(np.float64)) for x in (inst.volume, inst.output, inst.peak))
    arrival = inst.arrival.astype(np.float64)
    keys = {
        "volume": volume,
        "mixed": volume + 0.1 * output + 0.2 * peak + 0.02 * (output - output.mean()) ** 2,
        "output": output,
        "peak": peak,
    }
    if not inst.is_batch:
        work = inst.volume / inst.memory
        keys["arrival"] = arrival
        keys["arrival, then volume"] = arrival + work
        keys["arrival, then output"] = arrival + inst.output
    return keys


class Incumbent:
    """The best schedule seen so far, as starts; every candidate's cost is in total completion."""

    def __init__(self, inst: Instance) -> None:
        self.inst = inst
        self.cost: int | None = None
        self.starts: IntArray | None = None
        self.order: IntArray | None = None

    def offer(self, cost: int, starts: IntArray, order: IntArray | None = None) -> bool:
        """Keep a schedule if it is cheaper; its feasibility is the caller's affair."""
        if self.cost is not None and cost >= self.cost:
            return False
        self.cost, self.starts = cost, starts.copy()
        self.order = np.argsort(starts, kind="stable") if order is None else order
        return True

    def try_order(self, order: IntArray) -> bool:
        """Decode an order and keep the schedule if it is cheaper."""
        cost, starts = decode(self.inst, order)
        return self.offer(cost, starts, order)


def list_orders(incumbent: Incumbent, deadline: float) -> None:
    """Decode the orders of all keys, volume first, until the deadline; at least one."""
    for key in _keys(incumbent.inst).values():
        incumbent.try_order(np.argsort(key, kind="stable"))
        if time.monotonic() > deadline:
            return


@compiled
def _move_search(order, arrival, prompt, output, memory, rounds, moves, cost, best_starts):
    """Try to move request moves[k, 0] of the order to place moves[k, 1]; keep what is no worse; return the cost."""
    starts = best_starts.copy()
    trial = order.copy()
    for k in range(len(moves)):
        source, target = moves[k, 0], moves[k, 1]
        trial[:] = order
        i = order[source]
        if source < target:
            trial[source:target] = order[source + 1 : target + 1]
        else:
            trial[target + 1 : source + 1] = order[target:source]
        trial[target] = i
        found = earliest_fit(trial, arrival, prompt, output, memory, rounds, 8, starts)
        if found <= cost:
            if found < cost:
                best_starts[:] = starts
            cost = found
            order[:] = trial
    return cost


def improve_order(incumbent: Incumbent, seed: int, deadline: float, work: int = ORDER_WORK) -> None:
    """Improve the incumbent's order by random moves: ``work`` placements in all, or until the deadline.

    For up to some thousand requests; beyond that a single move changes too little to pay for a decoding.
    """
    inst = incumbent.inst
    if incumbent.order is None or incumbent.starts is None or inst.n < 2:
        return
    rng = stream("lowerbounds order", seed)
    order, starts, cost = incumbent.order.copy(), incumbent.starts.copy(), int(incumbent.cost or 0)
    rounds = int(inst.arrival.max()) + int(1.3 * int(inst.volume.sum()) / inst.memory) + int(inst.output.max())
    chunk = max(1, 20_000 // inst.n)
    for _ in range(max(1, work // (chunk * inst.n))):
        if time.monotonic() > deadline:
            break
        moves = rng.integers(0, inst.n, (chunk, 2))
        cost = _move_search(order, inst.arrival, inst.prompt, inst.output, inst.memory, rounds, moves, cost, starts)
    incumbent.offer(int(cost), starts, order)


def perturb_starts(incumbent: Incumbent, seed: int, deadline: float, work: int = ORDER_WORK) -> None:
    """Decode in the order of the incumbent's starts plus noise of 0.07 % of the makespan; keep what is better."""
    inst = incumbent.inst
    rng = stream("lowerbounds perturbation", seed)
    for _ in range(work // inst.n):
        if incumbent.starts is None or time.monotonic() > deadline:
            return
        noise = rng.normal(0.0, 0.0007 * float((incumbent.starts + inst.output).max()), inst.n)
        incumbent.try_order(np.argsort(incumbent.starts + noise, kind="stable"))


def total_completion(inst: Instance, starts: IntArray) -> int:
    """Sum of completion rounds of given starts."""
    return exact_sum(starts + inst.output)
