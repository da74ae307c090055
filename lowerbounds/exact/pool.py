"""A pool of price vectors: every label is bounded under each of them, and dropped when any bound passes the threshold.

Any prices >= 0 bound the cost of whatever a label stands for:

    Q cost + sum over unplaced j of min over C <= t of rc_j(C) + sum over active of their pay up to t - budget up to t

with t the round of the label. Tables per vector turn this into one lookup per byte of the set and one per active
request; the vectors lie next to each other in memory, so all of them are looked up at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.tables import BoolArray, Row, tabulate

IntArray = npt.NDArray[np.int64]
BodyArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]

#: Q times all budgets of a vector; no request pays more in a run, so sums over 64 of them stay below 2**61
LARGEST = 2.0**54


@compiled
def _run_sums(priced, offset):
    """Return what a request of some age in round t has paid in its run up to t, in the layout of ``priced``."""
    paid = np.zeros_like(priced)
    for t in range(1, priced.shape[0]):
        for j in range(len(offset) - 1):
            paid[t, offset[j]] = priced[t, offset[j]]
            for k in range(offset[j] + 1, offset[j + 1]):
                paid[t, k] = priced[t, k] + paid[t - 1, k - 1]
    return paid


@compiled
def _byte_sums(best):
    """Return int64[8, 256, vectors]: for each byte of a set, the sum of best[v, j] over its requests."""
    vectors, n = best.shape
    sums = np.zeros((8, 256, vectors), np.int64)
    for j in range(n):
        for value in range(256):
            if (value >> (j & 7)) & 1:
                for v in range(vectors):
                    sums[j >> 3, value, v] += best[v, j]
    return sums


@compiled(nogil=True)
def screen(t, head, body, size, limit, denominator, output, offset, sets, runs, budget, hits, drop):
    """Raise the bounds of labels of round t by all price vectors; return how many labels remain.

    Parameters
    ----------
    limit : int
        Q * threshold.
    sets : int64[8, 256, vectors]
    runs : int64[sum of outputs, vectors]
    budget : int64[vectors]
    hits : int64[vectors]
        Counts labels whose bound passes the limit and is largest under this vector.
    drop : bool
        Whether to move the labels within the limit to the front, in order, and forget the others.
    """
    vectors = len(budget)
    bound = np.empty(vectors, np.int64)
    n = len(output)
    kept = 0
    for k in range(size):
        mask = head[k, 0]
        cost = denominator * head[k, 2]
        for v in range(vectors):
            bound[v] = cost - budget[v]
        for b in range((n + 7) // 8):
            x = (mask >> (8 * b)) & 255
            for v in range(vectors):
                bound[v] += sets[b, x, v]
        for i in range(head[k, 3] & 255):
            e = body[k, i]
            j = (e >> 1) & 63
            x = offset[j] + output[j] - ((e >> 7) - t) - 1
            for v in range(vectors):
                bound[v] += runs[x, v]
        best = 0
        for v in range(1, vectors):
            if bound[v] > bound[best]:
                best = v
        head[k, 6] = max(head[k, 6], bound[best])
        if head[k, 6] > limit:
            if bound[best] > limit:
                hits[best] += 1
            if drop:
                continue
        if drop and kept != k:
            head[kept] = head[k]
            body[kept] = body[k]
        kept += 1
    return kept


@dataclass(frozen=True)
class View:
    """Tables of some vectors for the labels of one round, as `screen` takes them."""

    sets: IntArray
    runs: IntArray
    budget: IntArray


@dataclass
class Pool:
    """Price vectors over the rows of the root, with the tables of one sweep.

    Attributes
    ----------
    hits : int64[vectors]
        Labels dropped, halved now and then.
    """

    jobs: Jobs
    rows: list[Row]
    allowed: BoolArray
    denominator: int
    hits: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    best: list[IntArray] = field(default_factory=list)
    paid: list[IntArray] = field(default_factory=list)
    budget: list[IntArray] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.best)

    @property
    def bytes(self) -> int:
        """Memory taken by the tables."""
        return sum(array.nbytes for tables in (self.best, self.paid, self.budget) for array in tables)

    @property
    def vector_bytes(self) -> int:
        """Memory that one more vector takes."""
        return 8 * self.allowed.shape[1] * (self.jobs.n + int(self.jobs.offset[-1]) + 1)

    def add(self, prices: FloatArray) -> bool:
        """Round prices down to N / Q and tabulate them; return False for prices too large for 64-bit sums."""
        spent = float(np.array([row.rhs for row in self.rows], np.float64) @ prices)
        if not spent * self.denominator < LARGEST:
            return False
        table = tabulate(self.jobs, self.rows, prices, self.allowed, self.denominator)
        self.best.append(table.best)
        self.paid.append(_run_sums(table.priced, self.jobs.offset))
        self.budget.append(np.cumsum(table.budget))
        self.hits = np.append(self.hits, 0)
        return True

    def keep(self, which: list[int]) -> None:
        """Forget all other vectors."""
        for name in ("best", "paid", "budget"):
            values = getattr(self, name)
            setattr(self, name, [values[v] for v in which])
        self.hits = self.hits[which]

    def view(self, t: int, which: list[int] | None = None) -> View:
        """Return the tables of some vectors (default all) for labels of round t."""
        chosen = range(len(self)) if which is None else which
        return View(
            _byte_sums(np.stack([self.best[v][:, t] for v in chosen])),
            np.ascontiguousarray(np.stack([self.paid[v][t] for v in chosen], axis=1)),
            np.array([self.budget[v][t] for v in chosen], np.int64),
        )

    def screen(
        self, t: int, view: View, head: IntArray, body: BodyArray, size: int, limit: int, hits: IntArray, drop: bool
    ) -> int:
        """Raise the bounds of the first ``size`` labels and, with ``drop``, forget those above the limit."""
        return int(
            screen(
                t, head, body, size, limit, self.denominator, self.jobs.output, self.jobs.offset,
                view.sets, view.runs, view.budget, hits, drop,
            )
        )  # fmt: skip
