"""Prices of rows turned into exact integer tables, and the reduced costs of completions.

A row says: in round t, the sum of F(m, r) over the requests in progress is at most a right-hand side; F = m with
right-hand side M is the memory row. With a price N >= 0 (an integer over the denominator Q) per row, every schedule
costs at least

    Q D = sum over requests of min over allowed C of rc(C)  -  sum of N * rhs,
    rc_j(C) = Q C + sum over the rounds of j's run of N * F,

whatever the prices are (Lagrangian duality). All numbers here are integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from lowerbounds.exact.jobs import Jobs

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: stands for "cannot complete by then"; sums of a few of them stay below 2**62
NEVER = np.int64(1) << 56


@dataclass
class Row:
    """One valid row: in round ``t`` the sum of ``weight[state]`` over the active requests is at most ``rhs``."""

    t: int
    weight: IntArray
    rhs: int


@dataclass(frozen=True)
class PriceTable:
    """Integer prices spread over rounds.

    Attributes
    ----------
    denominator : int
        Q.
    priced : int64[T + 2, sum of outputs]
        What a request of some age pays in a round, at ``[t, offset[j] + age - 1]``.
    budget : int64[T + 2]
        Sum of N * rhs over the rows of a round.
    reduced : int64[n, T + 2]
        rc_j(C); `NEVER` where a completion is not allowed.
    best : int64[n, T + 2]
        Least rc_j over completions up to C.
    numerators : int64[rows]
    """

    denominator: int
    priced: IntArray
    budget: IntArray
    reduced: IntArray
    best: IntArray
    numerators: IntArray

    @property
    def last(self) -> int:
        """Latest round of the tables."""
        return len(self.budget) - 2

    @property
    def value(self) -> int:
        """Q D."""
        return int(self.best[:, self.last].sum() - self.budget.sum())


@compiled
def _reduced_costs(priced, offset, output, allowed, Q, reduced, best):
    n, width = reduced.shape
    for j in range(n):
        low = NEVER
        for C in range(width):
            reduced[j, C] = NEVER
            if allowed[j, C]:
                total = Q * C
                for a in range(output[j]):
                    total += priced[C - output[j] + a + 1, offset[j] + a]
                reduced[j, C] = total
                low = min(low, total)
            best[j, C] = low


def tabulate(jobs: Jobs, rows: list[Row], prices: npt.NDArray[np.float64], allowed: BoolArray, Q: int) -> PriceTable:
    """Round prices (float64[rows], per unit of F) down to N / Q and tabulate what they cost.

    ``allowed`` is bool[n, T + 2]: completions that a schedule may use.
    """
    width = allowed.shape[1]
    priced = np.zeros((width, int(jobs.offset[-1])), np.int64)
    budget = np.zeros(width, np.int64)
    numerators = np.floor(np.maximum(prices, 0.0) * Q).astype(np.int64)
    for row, numerator in zip(rows, numerators.tolist(), strict=True):
        if numerator:
            priced[row.t] += numerator * row.weight[jobs.state_of]
            budget[row.t] += numerator * row.rhs
    reduced = np.empty((jobs.n, width), np.int64)
    best = np.empty((jobs.n, width), np.int64)
    _reduced_costs(priced, jobs.offset, jobs.output, allowed, np.int64(Q), reduced, best)
    return PriceTable(Q, priced, budget, reduced, best, numerators)


def fix(jobs: Jobs, table: PriceTable, allowed: BoolArray, threshold: int) -> BoolArray:
    """Return ``allowed`` without completions that no schedule of cost <= threshold uses (rule T4)."""
    slack = threshold * table.denominator - table.value + table.best[:, table.last]
    return allowed & (table.reduced <= slack[:, None])


def all_completions(jobs: Jobs, last: int) -> BoolArray:
    """Return bool[n, last + 2]: completions from arrival + output to ``last``."""
    C = np.arange(last + 2)
    return (C[None, :] >= (jobs.arrival + jobs.output)[:, None]) & (C[None, :] <= last)
