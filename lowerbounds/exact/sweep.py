"""The backward search: layer after layer from the latest completion to round 0, under one threshold on the cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.layers import DEAD, HEAD, SHARDS, byte_steps, expand, insert
from lowerbounds.exact.pool import Pool, View
from lowerbounds.exact.reprice import Repricer
from lowerbounds.exact.shard import Shard
from lowerbounds.exact.tables import PriceTable

IntArray = npt.NDArray[np.int64]
BodyArray = npt.NDArray[np.int32]

#: children that one thread makes before they are merged into the next layer
CHUNK = 1 << 15
#: children per label of the beam that are compared, for each chunk
BEAM_CHILDREN = 4
#: labels of a layer from which a second thread pays
SHARED = 2000


@dataclass
class Limits:
    """When to stop: seconds on the monotonic clock, labels expanded, bytes of labels."""

    deadline: float
    work: int | None
    memory: int
    expanded: int = 0

    def reached(self) -> str | None:
        """Return which limit is reached, or None."""
        if self.work is not None and self.expanded >= self.work:
            return "work_limit"
        return "time_limit" if time.monotonic() > self.deadline else None


@dataclass
class Sweep:
    """What one sweep found.

    Attributes
    ----------
    lower : int
        No schedule costs less than this, if the upper bound given to the sweep was right.
    complete : bool
        Whether nothing was dropped except by proof.
    cost, starts
        The best schedule found, or None.
    stopped : str
        ``done``, or the limit that ended it: ``time_limit``, ``work_limit``, ``memory``.
    layers : list of (round, labels)
    cut : int64[5]
        Children cut by the bound of the sweep, by E1, by volume, by dominance, by the pool.
    """

    lower: int
    complete: bool
    cost: int | None = None
    starts: IntArray | None = None
    stopped: str = "done"
    layers: list[tuple[int, int]] = field(default_factory=list)
    expanded: int = 0
    cut: IntArray = field(default_factory=lambda: np.zeros(5, np.int64))


class _Maker:
    """What one thread works with: its parents, its children not yet merged, its counters."""

    def __init__(self, width: int) -> None:
        self.head = np.empty((CHUNK, HEAD), np.int64)
        self.body = np.empty((CHUNK, width), np.int32)
        self.counts = np.zeros(8, np.int64)
        self.merged = np.zeros(2, np.int64)
        self.hits = np.zeros(0, np.int64)
        self.low = self.made = self.screened = 0
        #: least bound of a label that a beam left out
        self.dropped = int(DEAD)


class _Search:
    """One sweep: see `sweep`."""

    def __init__(
        self, jobs: Jobs, table: PriceTable, threshold: int, width: int, limits: Limits, beam: int | None,
        repricer: Repricer | None, threads: ThreadPoolExecutor | None,
    ) -> None:  # fmt: skip
        self.jobs, self.table, self.width, self.limits, self.beam = jobs, table, width, limits, beam
        self.limit = np.int64(threshold * table.denominator)
        self.repricer, self.threads = repricer, threads
        self.pool: Pool | None = None if repricer is None else repricer.pool
        self.makers = [_Maker(width) for _ in range(SHARDS)]
        self.result = Sweep(threshold + 1, True)
        self.history: dict[int, tuple[IntArray, BodyArray]] = {}
        self.history_bytes = 0
        self.dropped = int(DEAD)
        self.found: tuple[int, int, int, int] | None = None
        # Ages of all requests, cut into eight equal parts: where profiles are compared first.
        ages = np.concatenate([np.arange(o) for o in jobs.output.tolist()])
        self.marks = np.quantile(ages, (np.arange(8) + 0.5) / 8).astype(np.int64)
        self.shift = max(0, int(jobs.memory).bit_length() - 7)

    def run(self) -> Sweep:
        """Go through the layers."""
        jobs, table, result = self.jobs, self.table, self.result
        layer = [Shard(self.width, 1) for _ in range(SHARDS)]
        layer[0].head[0] = ((1 << jobs.n) - 1 if jobs.n < 64 else -1, table.value, 0, 0, -1, 0, table.value, 0)
        layer[0].size = 1 if table.value <= self.limit else 0
        for t in range(table.last, 0, -1):
            size = sum(shard.size for shard in layer)
            if size == 0:
                break
            result.layers.append((t, size))
            self.remember(t, layer)
            layer = self.step(t, layer)
            if result.stopped != "done":
                break
        self.dropped = min(self.dropped, *(maker.dropped for maker in self.makers))
        result.complete = self.dropped == DEAD
        if self.dropped != DEAD:
            result.lower = min(result.lower, -(-self.dropped // table.denominator))
        if self.found is not None:
            result.cost, result.starts = self.found[0], trace(jobs, self.history, self.found)
            result.lower = min(result.lower, result.cost)
        return result

    def remember(self, t: int, layer: list[Shard]) -> None:
        """Keep what `trace` needs of a layer."""
        sets = np.concatenate([shard.head[: shard.size, 0] for shard in layer])
        parents = np.concatenate([shard.head[: shard.size, 4] for shard in layer]).astype(np.int32)
        self.history[t] = (sets, parents)
        self.history_bytes += sets.nbytes + parents.nbytes

    def both(self, work: Callable[[int], None], size: int) -> None:
        """Do the work of every shard, on two threads if there is enough of it."""
        if self.threads is None or size < SHARED:
            for s in range(SHARDS):
                work(s)
            return
        others = [self.threads.submit(work, s) for s in range(1, SHARDS)]
        work(0)
        for other in others:
            other.result()

    def step(self, t: int, layer: list[Shard]) -> list[Shard]:
        """Return the layer of round t - 1."""
        limits, result = self.limits, self.result
        child = [Shard(self.width) for _ in range(SHARDS)]
        size = sum(shard.size for shard in layer)
        gain = self.table.reduced[:, t] - self.table.best[:, t]
        steps = byte_steps(self.table.best, t)
        view = self.pool.view(t - 1) if self.pool is not None and len(self.pool) else None
        for maker in self.makers:
            maker.counts[:] = 0
            maker.counts[2] = -1
            maker.merged[:] = 0
            maker.hits = np.zeros(0 if self.pool is None else len(self.pool), np.int64)
            maker.low = maker.screened = 0
        while any(maker.low < shard.size for maker, shard in zip(self.makers, layer, strict=True)):
            before = sum(maker.low for maker in self.makers)
            self.both(lambda s: self.make(t, layer, s, gain, steps, view), size)
            self.both(lambda s: self.merge(t - 1, child[s], s), size)
            done = sum(maker.low for maker in self.makers) - before
            limits.expanded += done
            result.expanded += done
            result.stopped = limits.reached() or "done"
            taken = sum(shard.bytes for shard in layer + child) + self.history_bytes
            taken += 0 if self.pool is None else self.pool.bytes
            if self.beam is None and result.stopped == "done" and taken > limits.memory:
                result.stopped = "memory"
            if result.stopped != "done":
                break
        for maker in self.makers:
            counts = maker.counts
            if counts[2] >= 0 and (self.found is None or counts[2] < self.found[0]):
                self.found = (int(counts[2]), t, int(counts[3]), int(counts[4]))
            result.cut += (counts[5], counts[6], counts[7], maker.merged.sum(), maker.screened)
            if self.pool is not None:
                self.pool.hits += maker.hits
        self.both(lambda s: child[s].finish(), size)
        if result.stopped != "done":
            left = [shard.bounds[maker.low :] for maker, shard in zip(self.makers, layer, strict=True)]
            for bounds in left + [shard.bounds for shard in child]:
                self.dropped = min(self.dropped, int(bounds.min(initial=DEAD)))
            return child
        if self.repricer is not None:
            self.repricer.reprice(t - 1, child, int(self.limit))
        if self.beam is not None:
            self.narrow(child, self.beam)
        return child

    def make(self, t: int, layer: list[Shard], s: int, gain: IntArray, steps: IntArray, view: View | None) -> None:
        """Expand labels of shard s until the chunk is full, and drop children by the pool."""
        jobs, table, maker, shard = self.jobs, self.table, self.makers[s], layer[s]
        first = sum(layer[k].size for k in range(s))
        idle = t <= int(jobs.arrival.max())
        maker.made = 0
        while maker.low < shard.size:
            expand(
                t, shard.head, shard.body, maker.low, shard.size, first, self.limit, idle, jobs.memory, jobs.arrival,
                jobs.prompt, jobs.output, jobs.next_twin, jobs.offset, table.priced[t], table.budget[t], gain, steps,
                maker.head, maker.body, maker.counts,
            )  # fmt: skip
            made, after = int(maker.counts[0]), int(maker.counts[1])
            if made < 0:
                raise AssertionError("a label has more active requests than can be active")
            if made or after > maker.low:
                maker.made, maker.low = made, after
                break
            # One label has more children than a chunk holds.
            maker.head = np.empty((2 * len(maker.head), HEAD), np.int64)
            maker.body = np.empty((len(maker.head), self.width), np.int32)
        if view is not None and self.pool is not None and maker.made:
            before = maker.made
            maker.made = self.pool.screen(
                t - 1, view, maker.head, maker.body, before, int(self.limit), maker.hits, drop=True
            )
            maker.screened += before - maker.made
        if self.beam is not None and maker.made > BEAM_CHILDREN * self.beam:
            # Most of these would be dropped at the end of the layer; comparing them all is what costs time.
            most = BEAM_CHILDREN * self.beam
            order = np.argpartition(maker.head[: maker.made, 6], most)
            maker.dropped = min(maker.dropped, int(maker.head[order[most], 6]))
            keep = np.sort(order[:most])
            maker.made = most
            maker.head[:most], maker.body[:most] = maker.head[keep], maker.body[keep]

    def merge(self, t: int, child: Shard, s: int) -> None:
        """Insert the children of both makers whose sets belong to shard s."""
        jobs = self.jobs
        for maker in self.makers:
            child.reserve(maker.made)
            child.size = insert(
                t, maker.head, maker.body, maker.made, s, child.head, child.body, child.size, child.table, child.chain,
                jobs.prompt, jobs.output, self.marks, self.shift, self.makers[s].merged,
            )  # fmt: skip

    def narrow(self, layer: list[Shard], beam: int) -> None:
        """Keep the labels of least bound."""
        bounds = np.concatenate([shard.bounds for shard in layer])
        if len(bounds) <= beam:
            return
        order = np.argsort(bounds, kind="stable")
        self.dropped = min(self.dropped, int(bounds[order[beam]]))
        keep = np.sort(order[:beam])
        first = 0
        for shard in layer:
            last = first + shard.size
            shard.select(keep[(keep >= first) & (keep < last)] - first)
            first = last


def sweep(
    jobs: Jobs,
    table: PriceTable,
    threshold: int,
    width: int,
    limits: Limits,
    beam: int | None = None,
    repricer: Repricer | None = None,
    threads: ThreadPoolExecutor | None = None,
) -> Sweep:
    """Search for schedules of cost <= threshold; with ``beam`` keep only that many labels of least bound per layer.

    Parameters
    ----------
    repricer : Repricer, optional
        Finds price vectors for the labels of a layer; its pool bounds every child.
    threads : ThreadPoolExecutor, optional
        One thread that works beside the caller's. The result does not depend on it.

    Returns
    -------
    Sweep
        ``lower`` is threshold + 1 when nothing is left; the cost of the cheapest schedule found by a complete sweep;
        else the least bound among labels that were not expanded.
    """
    return _Search(jobs, table, threshold, width, limits, beam, repricer, threads).run()


def trace(
    jobs: Jobs, history: dict[int, tuple[IntArray, npt.NDArray[np.int32]]], found: tuple[int, int, int, int]
) -> IntArray:
    """Follow parents from a complete schedule back to the first layer and return its starts in instance order."""
    _, t, place, completed = found
    completion = np.zeros(jobs.n, np.int64)
    sets, parents = history[t]
    while True:
        for j in range(jobs.n):
            if completed >> j & 1:
                completion[j] = t
        if t + 1 not in history:
            break
        below = int(sets[place])
        place = int(parents[place])
        t += 1
        sets, parents = history[t]
        completed = int(sets[place]) & ~below
    starts = np.empty(jobs.n, np.int64)
    starts[jobs.index] = completion - jobs.output
    return starts
