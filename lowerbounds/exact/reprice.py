"""New prices for the labels of a layer: the LP for their average, on the rounds still open.

The bound of a label is linear in the duals except for minima that are concave, so the prices that maximise the mean bound of many
labels are duals of one LP: each class must complete as often as it is unplaced on average, and each row's right-hand side
is lowered by what the active requests take of it on average.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import SolverError
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.layers import census, rebound
from lowerbounds.exact.master import Master
from lowerbounds.exact.root import Root
from lowerbounds.exact.sweep import Group
from lowerbounds.exact.tables import NEVER, PriceTable, Row, tabulate

IntArray = npt.NDArray[np.int64]

#: bound of no label
FAR = np.int64(1) << 60


#: share of the labels in which a request must be unplaced, and placed, for a split on it
BALANCE = 0.15


@dataclass
class Repricer:
    """Decides when to price a group of labels anew, splits it, and drops what the new prices exclude. One per sweep.

    Attributes
    ----------
    every : int
        Labels of a group to expand before its prices are renewed.
    smallest : int
        Smaller groups keep their prices.
    split : int
        Groups of at least so many labels are split in two by whether some large request is unplaced.
    log : list of (round, labels before, labels after)
    """

    jobs: Jobs
    root: Root
    threshold: int
    sizes: int
    deadline: float
    every: int = 100_000
    smallest: int = 3_000
    split: int = 6_000
    sweeps: int = 3
    passes: int = 2
    log: list[tuple[int, int, int]] = field(default_factory=list)
    seconds: float = 0.0

    def due(self, group: Group) -> bool:
        """Whether the group should be priced anew now."""
        return group.since >= self.every and group.size >= self.smallest and time.monotonic() < self.deadline

    def renew(self, t: int, head: IntArray, body: npt.NDArray[np.int32], group: Group) -> list[tuple[Group, IntArray]]:
        """Return the new groups of round t with the places of their labels in ``head``."""
        began = time.monotonic()
        if group.rows is None:
            priced = zip(self.root.rows, self.root.table.numerators, strict=True)
            group.rows = [row for row, N in priced if N > 0]
        parts = []
        for part in self._parts(head):
            places, table, rows = self._price(t, head, body, part, group.table, group.rows)
            if len(places):
                parts.append((Group(table, len(places), rows=rows), places))
        self.log.append((t, len(head), sum(len(places) for _, places in parts)))
        self.seconds += time.monotonic() - began
        return parts

    def _parts(self, head: IntArray) -> list[IntArray]:
        """Split labels on the request of largest volume times p (1 - p), p the share in which it is unplaced."""
        everything = np.arange(len(head))
        if len(head) < self.split:
            return [everything]
        jobs = self.jobs
        unplaced = np.array([((head[:, 0] >> j) & 1).mean() for j in range(jobs.n)])
        volume = jobs.prompt * jobs.output + jobs.output * (jobs.output + 1) // 2
        gain = volume * unplaced * (1 - unplaced) * ((unplaced > BALANCE) & (unplaced < 1 - BALANCE))
        j = int(np.argmax(gain))
        if gain[j] <= 0:
            return [everything]
        inside = (head[:, 0] >> j) & 1
        return [np.flatnonzero(inside == 0), np.flatnonzero(inside == 1)]

    def _price(
        self, t: int, head: IntArray, body: npt.NDArray[np.int32], places: IntArray, table: PriceTable, rows: list[Row]
    ) -> tuple[IntArray, PriceTable, list[Row]]:
        """Price some labels; any prices may exclude labels, the best for what is left are kept."""
        jobs, Q = self.jobs, table.denominator
        limit = np.int64(self.threshold * Q)
        for _ in range(self.passes):
            before = len(places)
            mine, bodies = head[places], body[places]
            answer = self._solve(t, mine, bodies, table, rows, int(limit))
            for trial, priced_rows in answer:
                fresh = mine.copy()
                rebound(
                    t, fresh, bodies, len(fresh), jobs.prompt, jobs.output, jobs.offset, trial.priced,
                    trial.budget[: t + 1].sum(), trial.best, np.int64(Q),
                )  # fmt: skip
                alive = fresh[:, 1] <= limit
                better = (fresh[alive, 1] >> 10).sum() > (mine[alive, 1] >> 10).sum()
                if better:
                    mine, table, rows = fresh, trial, priced_rows
                    head[places, 1] = fresh[:, 1]
                mine, bodies, places = mine[alive], bodies[alive], places[alive]
                if len(places) == 0:
                    return places, table, rows
            if len(places) < self.smallest or len(places) > 0.9 * before:
                break
        return places, table, rows

    def _solve(
        self, t: int, head: IntArray, body: npt.NDArray[np.int32], table: PriceTable, rows: list[Row], limit: int
    ) -> list[tuple[PriceTable, list[Row]]]:
        """Return tables from the LP of the mean label, before and after adding cuts."""
        jobs, size = self.jobs, len(head)
        unplaced = np.zeros(jobs.n, np.int64)
        used = np.zeros((table.last + 2, len(jobs.state_left)), np.int64)
        least = np.full(jobs.n, FAR)
        census(t, head, body, size, jobs.output, jobs.offset, jobs.state_of, unplaced, used, least)
        allowed = table.reduced < NEVER
        allowed[:, t + 1 :] = False
        # Completions up to t that some label can still use within the limit.
        room = np.maximum(limit - least, -1) + table.best[:, t]
        allowed &= (least < FAR)[:, None] & (table.reduced <= room[:, None])
        demand = np.bincount(jobs.kind, weights=unplaced / size, minlength=jobs.kinds)
        master = Master(jobs, allowed, demand, self.sizes, self.root.most, used / size, penalty=2.0 * t)
        master.add(
            master.memory_rows() + [row for row in rows if row.t <= master.last and row.weight is not jobs.state_memory]
        )
        found = []
        for k in range(self.sweeps):
            try:
                answer = master.solve(self.deadline - time.monotonic())
            except SolverError:
                break
            if k in (0, self.sweeps - 1):
                trial = tabulate(jobs, master.rows, answer.prices, allowed, table.denominator)
                priced = [row for row, N in zip(master.rows, trial.numerators, strict=True) if N > 0]
                found.append((trial, priced))
            if k < self.sweeps - 1:
                master.add(master.violated(answer.x))
        return found
