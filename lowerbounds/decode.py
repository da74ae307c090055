"""Earliest-fit decoding: place requests in a given order, each at its earliest feasible start.

Gives schedules, hence upper bounds. Order search cannot reach every optimum: two requests can block each other at a
tight round, and optimal starts need not be earliest fits (docs/bounds.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from kvratio.problem.seeds import stream
from lowerbounds.events import fit_by_events, one_by_one
from lowerbounds.exact_sums import exact_sum
from lowerbounds.gaps import closer_arrivals
from lowerbounds.machine import run_machine

IntArray = npt.NDArray[np.int64]

#: rounds per block: the decoder jumps over blocks whose freest round cannot hold the request's peak
BLOCK = 64
#: standard deviation of the noise on starts, as a share of the makespan
NOISE = 0.0003
#: how much slower than the LB4 machine the paced schedules run
PACES = (1.0, 1.03, 1.07, 1.12, 1.2)
#: distinct prompts, and outputs, that the notes of starts tell apart
COORDINATES = 1024
#: requests above which these notes are kept
SMALL = 200
#: requests placed by the default order search, over all trials: work, not time, so that bytes repeat
ORDER_WORK = 2_000_000
#: rounds above which up to EVENT_MOST requests are placed by events: their number counts, not that of rounds
TABLE_ROUNDS, EVENT_MOST = 8_000_000, 20_000
#: rounds above which more requests than that run one by one
TABLE_MOST = 100_000_000


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
def _least_start(tree, k, m):
    """Largest start noted at coordinates <= (k, m): a two-dimensional Fenwick tree of maxima."""
    best = np.int64(0)
    while k > 0:
        j = m
        while j > 0:
            best = max(best, tree[k, j])
            j -= j & -j
        k -= k & -k
    return best


@compiled
def _note_start(tree, k, m, start):
    """Note a start at coordinates (k, m)."""
    while k < tree.shape[0]:
        j = m
        while j < tree.shape[1]:
            tree[k, j] = max(tree[k, j], start)
            j += j & -j
        k += k & -k


@compiled
def earliest_fit(order, arrival, prompt, output, memory, rounds, width, smaller, tree, starts):
    """Place requests in order, each at its earliest feasible start; return the total completion time.

    Parameters
    ----------
    order, arrival, prompt, output : int64[n]
    memory : int
    rounds : int
        A guess of the makespan; the profile grows when needed.
    width : int
        Rounds per block.
    smaller : int64[n, 4]
        Coordinates of (prompt, output) at which to ask and to note starts; rounded so that all that is noted at or
        below what i asks is no larger than i in both. A larger request cannot start before a smaller one placed before.
    tree : int64[a, b]
        Zeros, for these notes; of shape (0, 0) where releases do not ascend along the order and this does not hold.
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
        if tree.shape[0] > 0:
            end = max(end, _least_start(tree, smaller[i, 0], smaller[i, 1]) + o - 1)
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
        if tree.shape[0] > 0:
            _note_start(tree, smaller[i, 2], smaller[i, 3], start)
        total += end + 1
    return total


def _coordinates(values: IntArray, most: int) -> tuple[IntArray, IntArray, int]:
    """Return ranks 1, 2, .. of values, rounded down (to ask) and up (to note) to about ``most``, and their number."""
    distinct, rank = np.unique(values, return_inverse=True)
    step = -(-len(distinct) // most)
    ask, note = rank // step + 1, -(-rank // step) + 1
    return ask, note, int(note.max())


class Decoder:
    """Earliest-fit decoding for one instance; long gaps between arrivals cost nothing."""

    def __init__(self, inst: Instance) -> None:
        self.inst = inst
        self.arrival = closer_arrivals(inst)
        self.moved = inst.arrival - self.arrival
        self.total_moved = exact_sum(self.moved)
        work = int(1.3 * int(inst.volume.sum()) / inst.memory)
        self.rounds = int(self.arrival.max()) + work + int(inst.output.max())
        #: whether no table of rounds is made
        self.long = self.rounds > (TABLE_ROUNDS if inst.n <= EVENT_MOST else TABLE_MOST)
        ask_s, note_s, high = _coordinates(inst.prompt, COORDINATES)
        ask_o, note_o, wide = _coordinates(inst.output, COORDINATES)
        self.smaller = np.column_stack([ask_s, ask_o, note_s, note_o])
        self.notes = (high + 1, wide + 1)

    def decode(self, order: IntArray) -> tuple[int, IntArray]:
        """Place requests in ``order``; return (total completion time, starts int64[n])."""
        return self._place(order, self.arrival)

    def decode_paced(self, slack: float) -> tuple[int, IntArray]:
        """Place requests in order of their first service by the LB4 machine slowed down by ``slack``, none earlier.

        Equal requests started together peak together and leave memory idle while they grow; started one by one at
        little more than the machine's pace they use it (the "synchronised" instances).
        """
        pieces = run_machine(self.inst, by_remaining=False)
        first = np.empty(self.inst.n, np.int64)
        # The first piece of each request is written last.
        first[pieces.request[::-1]] = pieces.first[::-1]
        delay = np.floor((first / self.inst.memory - self.inst.arrival) * slack).astype(np.int64)
        release = self.arrival + np.maximum(delay, 0)
        order = np.argsort(release, kind="stable")
        # Where gaps were shortened, delayed requests could reach across one.
        return self._place(order, self.arrival if self.total_moved else release)

    def _place(self, order: IntArray, release: IntArray) -> tuple[int, IntArray]:
        inst, starts = self.inst, np.empty(self.inst.n, np.int64)
        if self.long:
            if inst.n > EVENT_MOST:
                cost, starts = one_by_one(order, release, inst.output)
            else:
                cost = fit_by_events(order, release, inst.prompt, inst.output, inst.memory, starts)
            return int(cost) + self.total_moved, starts + self.moved
        # Each order needs an empty tree; with few requests it costs more than it saves.
        ascending = inst.n > SMALL and bool((np.diff(release[order]) >= 0).all())
        tree = np.zeros(self.notes if ascending else (0, 0), np.int64)
        cost = earliest_fit(
            order, release, inst.prompt, inst.output, inst.memory, self.rounds, BLOCK, self.smaller, tree, starts
        )
        return int(cost) + self.total_moved, starts + self.moved

    def improve(self, order: IntArray, moves: IntArray, cost: int, starts: IntArray) -> tuple[int, IntArray]:
        """Try moves in ``order`` (changed in place); return the cost reached and its starts."""
        inst, found = self.inst, starts - self.moved
        if self.long:
            return self._improve_long(order, moves, cost, starts)
        cost = _move_search(
            order,
            self.arrival,
            inst.prompt,
            inst.output,
            inst.memory,
            self.rounds,
            self.smaller,
            moves,
            cost - self.total_moved,
            found,
        )
        return int(cost) + self.total_moved, found + self.moved

    def _improve_long(self, order: IntArray, moves: IntArray, cost: int, starts: IntArray) -> tuple[int, IntArray]:
        for source, target in moves.tolist():
            trial = np.insert(np.delete(order, source), target, order[source])
            found, there = self._place(trial, self.arrival)
            if found <= cost:
                starts = there if found < cost else starts
                cost = found
                order[:] = trial
        return cost, starts


def decode(inst: Instance, order: IntArray) -> tuple[int, IntArray]:
    """Place requests in ``order``, each at its earliest feasible start.

    Returns
    -------
    cost : int
        Total completion time.
    starts : int64[n]
    """
    return Decoder(inst).decode(np.asarray(order, dtype=np.int64))


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

    def __init__(self, inst: Instance, improved: Callable[[], None] | None = None) -> None:
        self.inst = inst
        self.improved = improved
        self.decoder = Decoder(inst)
        self.cost: int | None = None
        self.starts: IntArray | None = None
        self.order: IntArray | None = None

    def offer(self, cost: int, starts: IntArray, order: IntArray | None = None) -> bool:
        """Keep a schedule if it is cheaper; its feasibility is the caller's affair."""
        if self.cost is not None and cost >= self.cost:
            return False
        self.cost, self.starts = cost, starts.copy()
        self.order = np.argsort(starts, kind="stable") if order is None else order
        if self.improved is not None:
            self.improved()
        return True

    def try_order(self, order: IntArray) -> bool:
        """Decode an order and keep the schedule if it is cheaper."""
        cost, starts = self.decoder.decode(order)
        return self.offer(cost, starts, order)


def list_orders(incumbent: Incumbent, deadline: float) -> None:
    """Decode the orders of all keys, volume first, and the paced one, until the deadline; at least one."""
    for key in _keys(incumbent.inst).values():
        incumbent.try_order(np.argsort(key, kind="stable"))
        if time.monotonic() > deadline:
            return
    for slack in PACES:
        incumbent.offer(*incumbent.decoder.decode_paced(slack))
        if time.monotonic() > deadline:
            return


@compiled
def _move_search(order, arrival, prompt, output, memory, rounds, smaller, moves, cost, best_starts):
    """Try to move request moves[k, 0] of the order to place moves[k, 1]; keep what is no worse; return the cost."""
    starts = best_starts.copy()
    trial = order.copy()
    tree = np.zeros((0, 0), np.int64)
    for k in range(len(moves)):
        source, target = moves[k, 0], moves[k, 1]
        trial[:] = order
        i = order[source]
        if source < target:
            trial[source:target] = order[source + 1 : target + 1]
        else:
            trial[target + 1 : source + 1] = order[target:source]
        trial[target] = i
        found = earliest_fit(trial, arrival, prompt, output, memory, rounds, 8, smaller, tree, starts)
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
    chunk = max(1, 20_000 // inst.n)
    for _ in range(max(1, work // (chunk * inst.n))):
        if time.monotonic() > deadline:
            break
        moves = rng.integers(0, inst.n, (chunk, 2))
        cost, starts = incumbent.decoder.improve(order, moves, cost, starts)
    incumbent.offer(cost, starts, order)


def perturb_starts(incumbent: Incumbent, seed: int, deadline: float, work: int = ORDER_WORK) -> None:
    """Decode in the order of the incumbent's starts plus a little noise; keep what is better.

    Noise also breaks up runs of nearly equal requests, which otherwise peak together.
    """
    inst = incumbent.inst
    rng = stream("lowerbounds perturbation", seed)
    for _ in range(work // inst.n):
        if incumbent.starts is None or time.monotonic() > deadline:
            return
        noise = rng.normal(0.0, NOISE * float((incumbent.starts + inst.output).max()), inst.n)
        incumbent.try_order(np.argsort(incumbent.starts + noise, kind="stable"))
