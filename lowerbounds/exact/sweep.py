"""The backward search: layer after layer from the latest completion to round 0, under one threshold on the cost."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.layers import DEAD, HEAD, byte_steps, compress, expand, insert, rehash
from lowerbounds.exact.tables import PriceTable

IntArray = npt.NDArray[np.int64]

#: children made before they are merged into the next layer
CHUNK = 1 << 16
#: children per label of the beam that are compared, for each chunk
BEAM_CHILDREN = 4


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
    """

    lower: int
    complete: bool
    cost: int | None = None
    starts: IntArray | None = None
    stopped: str = "done"
    layers: list[tuple[int, int]] = field(default_factory=list)
    expanded: int = 0
    cut: IntArray = field(default_factory=lambda: np.zeros(4, np.int64))


class Layer:
    """Labels of one round, growing, with the hash chains that find labels of equal set."""

    def __init__(self, width: int, capacity: int = 1 << 12) -> None:
        self.head = np.empty((capacity, HEAD), np.int64)
        self.body = np.empty((capacity, width), np.int32)
        self.chain = np.empty(capacity, np.int64)
        self.table = np.full(2 * capacity, -1, np.int64)
        self.size = 0

    @property
    def bytes(self) -> int:
        """Memory taken by the arrays."""
        return self.head.nbytes + self.body.nbytes + self.chain.nbytes + self.table.nbytes

    def reserve(self, more: int) -> None:
        """Make room for ``more`` labels."""
        capacity = len(self.head)
        if self.size + more <= capacity:
            return
        capacity = max(2 * capacity, self.size + more)
        for name in ("head", "body"):
            old = getattr(self, name)
            new = np.empty((capacity, old.shape[1]), old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)
        slots = len(self.table)
        while slots < 2 * capacity:
            slots *= 2
        self.chain = np.empty(capacity, np.int64)
        self.table = np.full(slots, -1, np.int64)
        rehash(self.head, self.size, self.table, self.chain)

    def finish(self) -> None:
        """Drop dominated labels and the chains."""
        self.size = int(compress(self.head, self.body, self.size))
        self.chain, self.table = np.empty(0, np.int64), np.empty(0, np.int64)


def sweep(
    jobs: Jobs,
    table: PriceTable,
    threshold: int,
    width: int,
    limits: Limits,
    beam: int | None = None,
) -> Sweep:
    """Search for schedules of cost <= threshold; with ``beam`` keep only that many labels of least bound per layer.

    Returns
    -------
    Sweep
        ``lower`` is threshold + 1 when nothing is left; the cost of the cheapest schedule found by a complete sweep;
        else the least bound among labels that were not expanded.
    """
    Q = table.denominator
    limit = np.int64(threshold * Q)
    last_arrival = int(jobs.arrival.max())
    layer = Layer(width, 1)
    layer.head[0] = ((1 << jobs.n) - 1 if jobs.n < 64 else -1, table.value, 0, 0, -1, 0)
    layer.size = 1 if table.value <= limit else 0
    result = Sweep(threshold + 1, True)
    history: dict[int, tuple[IntArray, npt.NDArray[np.int32]]] = {}
    history_bytes = 0
    out_head = np.empty((CHUNK, HEAD), np.int64)
    out_body = np.empty((CHUNK, width), np.int32)
    dropped = int(DEAD)
    found: tuple[int, int, int, int] | None = None
    stopped = "done"
    for t in range(table.last, 0, -1):
        if layer.size == 0:
            break
        result.layers.append((t, layer.size))
        history[t] = (layer.head[: layer.size, 0].copy(), layer.head[: layer.size, 4].astype(np.int32))
        history_bytes += 12 * layer.size
        child = Layer(width)
        counts = np.zeros(8, np.int64)
        counts[2] = -1
        merged = np.zeros(2, np.int64)
        step = byte_steps(table.best, t)
        gain = table.reduced[:, t] - table.best[:, t]
        low = 0
        while low < layer.size and stopped == "done":
            expand(
                t, layer.head, layer.body, low, layer.size, limit, t <= last_arrival, jobs.memory, jobs.arrival,
                jobs.prompt, jobs.output, jobs.next_twin, jobs.offset, table.priced[t], table.budget[t], gain, step,
                out_head, out_body, counts,
            )  # fmt: skip
            made, after = int(counts[0]), int(counts[1])
            if made < 0:
                raise AssertionError("a label has more active requests than can be active")
            if made == 0 and after == low:
                # One label has more children than a chunk holds.
                out_head = np.empty((2 * len(out_head), HEAD), np.int64)
                out_body = np.empty((len(out_head), width), np.int32)
                continue
            if beam is not None and made > BEAM_CHILDREN * beam:
                # Most of these would be dropped at the end of the layer; comparing them all is what costs time.
                order = np.argpartition(out_head[:made, 1], BEAM_CHILDREN * beam)
                dropped = min(dropped, int(out_head[order[BEAM_CHILDREN * beam], 1]))
                keep = np.sort(order[: BEAM_CHILDREN * beam])
                made = len(keep)
                out_head[:made], out_body[:made] = out_head[keep], out_body[keep]
            child.reserve(made)
            child.size = insert(
                t - 1, out_head, out_body, 0, made, child.head, child.body, child.size, child.table, child.chain,
                jobs.prompt, jobs.output, merged,
            )  # fmt: skip
            limits.expanded += after - low
            result.expanded += after - low
            low = after
            stopped = limits.reached() or "done"
            taken = layer.bytes + child.bytes + history_bytes
            if beam is None and stopped == "done" and taken > limits.memory:
                stopped = "memory"
        if counts[2] >= 0 and (found is None or counts[2] < found[0]):
            found = (int(counts[2]), t, int(counts[3]), int(counts[4]))
        result.cut += (counts[5], counts[6], counts[7], merged.sum())
        if stopped != "done":
            if low < layer.size:
                dropped = min(dropped, int(layer.head[low : layer.size, 1].min()))
            child.finish()
            if child.size:
                dropped = min(dropped, int(child.head[: child.size, 1].min()))
            break
        child.finish()
        if beam is not None and child.size > beam:
            order = np.argsort(child.head[: child.size, 1], kind="stable")
            dropped = min(dropped, int(child.head[order[beam], 1]))
            keep = np.sort(order[:beam])
            child.head[:beam], child.body[:beam] = child.head[keep], child.body[keep]
            child.size = beam
        layer = child
    result.stopped = stopped
    result.complete = dropped == DEAD
    if dropped != DEAD:
        result.lower = min(result.lower, -(-dropped // Q))
    if found is not None:
        result.cost, result.starts = found[0], trace(jobs, history, found)
        result.lower = min(result.lower, result.cost)
    return result


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
