"""The time-indexed LP whose row duals are the prices: kept inside the solver while rows are added."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import SolverError
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.profiles import UNIT, lift, separate
from lowerbounds.exact.tables import BoolArray, Row

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: a row is added where the LP exceeds its right-hand side by this share
VIOLATION = 0.004


class Solution(NamedTuple):
    """A solved LP: float value (never a bound), columns, price of each row per unit of its weights, >= 0."""

    value: float
    x: FloatArray
    prices: FloatArray


def occupancy(jobs: Jobs, allowed: BoolArray) -> IntArray:
    """Return how many requests may be in each state in each round, int64[T + 2, states]."""
    most = np.zeros((allowed.shape[1], len(jobs.state_left)), np.int64)
    for j in range(jobs.n):
        completions = np.flatnonzero(allowed[j])
        states = jobs.state_of[jobs.offset[j] : jobs.offset[j + 1]]
        for age, state in enumerate(states.tolist(), start=1):
            most[completions - int(jobs.output[j]) + age, state] += 1
    return most


class Master:
    """Minimise the sum of completions over fractional choices of allowed completions, under rows per round.

    Parameters
    ----------
    jobs : Jobs
    allowed : bool[n, T + 2]
    demand : float64[kinds]
        How many of each class must complete.
    most : int64[T + 2, states]
        How many requests may be in a state in a round, over all schedules of interest.
    penalty : float
        Cost of leaving one request out; large. It keeps the LP feasible.
    """

    def __init__(
        self,
        jobs: Jobs,
        allowed: BoolArray,
        demand: FloatArray,
        sizes: int,
        most: IntArray,
        penalty: float = 1e5,
    ) -> None:
        self.jobs, self.sizes, self.most = jobs, sizes, most
        self.head = jobs.first_of_kind
        kind, C = np.nonzero(allowed[self.head])
        self.kind, self.C = kind.astype(np.int64), C.astype(np.int64)
        self.request = self.head[self.kind]
        self.start = self.C - jobs.output[self.request]
        self.last = int(self.C.max(initial=0))
        self.rows: list[Row] = []
        import highspy  # only this search needs it

        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        columns = len(self.C)
        kinds = jobs.kinds
        cost = np.concatenate([self.C.astype(np.float64), np.full(kinds, penalty)])
        total = columns + kinds
        self.solver.addCols(
            total,
            cost,
            np.zeros(total),
            np.full(total, np.inf),
            0,
            np.zeros(0, np.int32),
            np.zeros(0, np.int32),
            np.zeros(0),
        )
        order = np.argsort(np.concatenate([self.kind, np.arange(kinds)]), kind="stable")
        counts = np.bincount(self.kind, minlength=kinds) + 1
        begin = np.concatenate(([0], np.cumsum(counts)))[:-1]
        demand = np.asarray(demand, np.float64)
        self.solver.addRows(
            kinds, demand, demand, total, begin.astype(np.int32), order.astype(np.int32), np.ones(total)
        )
        self.columns = columns

    def states_at(self, t: int) -> tuple[IntArray, IntArray]:
        """Return the columns active in round t and their states."""
        jobs = self.jobs
        active = np.flatnonzero((self.start < t) & (t <= self.C))
        age = t - self.start[active]
        return active, jobs.state_of[jobs.offset[self.request[active]] + age - 1]

    def memory_rows(self) -> list[Row]:
        """Return the memory row of every round."""
        jobs = self.jobs
        return [Row(t, jobs.state_memory, jobs.memory) for t in range(1, self.last + 1)]

    def core_rows(self) -> list[Row]:
        """Return a lifted core row per round: of the requests in their core at most one can be active.

        An age is in the core if m >= sigma and m + 2 r > M - sigma with sigma = max prompt + 1: two such would exceed M
        when the one with less left to run completes.
        """
        jobs = self.jobs
        m, r = jobs.state_memory, jobs.state_left
        sigma = int(jobs.prompt.max()) + 1
        core = (m >= sigma) & (m + 2 * r > jobs.memory - sigma)
        rows = []
        for t in range(1, self.last + 1):
            cap = np.minimum(self.most[t], self.sizes)
            weight = np.where(core & (cap > 0), np.int64(UNIT), np.int64(0))
            if weight.any():
                rhs = int(lift(m, r, weight, cap, jobs.memory, self.sizes))
                rows.append(Row(t, weight, rhs))
        return rows

    def add(self, rows: list[Row]) -> None:
        """Add rows, scaled to right-hand side 1."""
        if not rows:
            return
        starts, indices, values = [], [], []
        filled = 0
        for row in rows:
            active, states = self.states_at(row.t)
            weight = row.weight[states] / row.rhs
            keep = weight > 0
            starts.append(filled)
            indices.append(active[keep])
            values.append(weight[keep])
            filled += int(keep.sum())
        self.solver.addRows(
            len(rows),
            np.full(len(rows), -np.inf),
            np.ones(len(rows)),
            filled,
            np.array(starts, np.int32),
            np.concatenate(indices).astype(np.int32),
            np.concatenate(values),
        )
        self.rows += rows

    def solve(self, time_limit: float, interior: bool = False) -> Solution:
        """Solve from the last basis, or by an interior point without crossover.

        Raises
        ------
        SolverError
            When no duals came back (time limit).
        """
        import highspy

        solver = self.solver
        solver.setOptionValue("time_limit", float(solver.getRunTime()) + max(time_limit, 0.01))
        solver.setOptionValue("solver", "ipm" if interior else "simplex")
        solver.setOptionValue("run_crossover", "off" if interior else "on")
        solver.run()
        answer = solver.getSolution()
        if not answer.dual_valid or solver.getModelStatus() not in (
            highspy.HighsModelStatus.kOptimal,
            highspy.HighsModelStatus.kUnknown,
        ):
            raise SolverError(f"the LP of the exact search was not solved ({solver.getModelStatus()})")
        kinds = self.jobs.kinds
        dual = -np.array(answer.row_dual)[kinds:]
        prices = np.maximum(dual, 0.0) / np.array([row.rhs for row in self.rows])
        return Solution(solver.getInfo().objective_function_value, np.array(answer.col_value)[: self.columns], prices)

    def violated(self, x: FloatArray, deadline: float, limit: float = VIOLATION) -> list[Row]:
        """Return profile cuts that the solution x violates, at most one per round; those found by the deadline."""
        jobs = self.jobs
        m, r = jobs.state_memory, jobs.state_left
        found = []
        for t in range(1, self.last + 1):
            if time.monotonic() > deadline:
                break
            active, states = self.states_at(t)
            mass = np.bincount(states, weights=x[active], minlength=len(m))
            most = self.most[t]
            support = np.flatnonzero(mass > 5e-4)
            if len(support) < 2 or mass[support].sum() <= 1.0 + limit:
                continue
            cap = np.minimum(most, self.sizes)
            f, value = separate(
                m[support], r[support], mass[support], cap[support], jobs.memory, self.sizes, 1.0 + limit
            )
            if value <= 1.0 + limit:
                continue
            weight = np.zeros(len(m), np.int64)
            weight[support] = np.floor(f * UNIT + 1e-4).astype(np.int64)
            rhs = int(lift(m, r, weight, cap, jobs.memory, self.sizes))
            if rhs > 0 and weight @ mass > rhs * (1.0 + limit / 2):
                found.append(Row(t, weight, rhs))
        return found
