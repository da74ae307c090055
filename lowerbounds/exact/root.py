"""Root prices: the LP with cuts, its windows, and the exact value of its rounded duals."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import SolverError
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.master import Master, occupancy
from lowerbounds.exact.tables import BoolArray, PriceTable, Row, fix, tabulate

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: the LP is rebuilt once its windows have shrunk to this share of its columns
REBUILD = 0.8
#: LP columns from which an interior point without crossover replaces the simplex method
INTERIOR = 12_000
#: rounds beyond 9/8 of the makespan of a good schedule that a large LP covers
MARGIN = 25


@dataclass(frozen=True)
class Stage:
    """Prices that justify a set of windows: rows, their numerators over Q, and the threshold they were used with."""

    rows: list[Row]
    numerators: IntArray
    threshold: int


@dataclass(frozen=True)
class Root:
    """Priced rows with their table, and the completions that a schedule of cost <= threshold may use.

    ``stages`` lists all prices that ever shrank the windows, in order: the last one made ``table``.
    """

    rows: list[Row]
    prices: FloatArray
    table: PriceTable
    allowed: BoolArray
    stages: list[Stage] = field(default_factory=list)


def _adopt(jobs: Jobs, root: Root, rows: list[Row], prices: FloatArray, threshold: int, record: bool) -> Root:
    """Shrink the windows by new prices and tabulate these over what is left."""
    Q = root.table.denominator
    table = tabulate(jobs, rows, prices, root.allowed, Q)
    stages = root.stages
    if record:
        used = table.numerators > 0
        priced = [row for row, u in zip(rows, used, strict=True) if u]
        stages = [*stages, Stage(priced, table.numerators[used], threshold)]
    allowed = fix(jobs, table, root.allowed, threshold)
    if table.value > threshold * Q or not allowed.any(axis=1).all():
        # No schedule of cost <= threshold is left; the table still bounds from below.
        return Root(rows, prices, table, root.allowed, stages)
    return Root(rows, prices, tabulate(jobs, rows, prices, allowed, Q), allowed, stages)


def begin(jobs: Jobs, allowed: BoolArray, memory_prices: FloatArray, threshold: int, Q: int, record: bool) -> Root:
    """Return the root of given memory prices (float64[rounds]), which need no LP."""
    rounds = min(len(memory_prices), allowed.shape[1] - 2)
    rows = [Row(t, jobs.state_memory, jobs.memory) for t in range(1, rounds + 1)]
    empty = Root([], np.zeros(0), tabulate(jobs, [], np.zeros(0), allowed, Q), allowed)
    return _adopt(jobs, empty, rows, memory_prices[:rounds], threshold, record)


def improve(
    jobs: Jobs,
    root: Root,
    threshold: int,
    sizes: int,
    deadline: float,
    makespan: int,
    cuts: bool = True,
    sweeps: int = 60,
    patience: float = 0.03,
    record: bool = False,
) -> Root:
    """Solve the LP over the allowed completions, shrink the windows by its prices, add cuts, repeat.

    ``makespan`` is that of a good schedule; it limits the horizon of large LPs only. Prices are kept when their exact
    value is the best so far. Stops when three sweeps in a row each close less than ``patience`` of the gap to the
    threshold, after ``sweeps``, at the deadline, or when the value passes the threshold.
    """
    Q = root.table.denominator
    head = jobs.first_of_kind
    master: Master | None = None
    rows = [row for row, N in zip(root.rows, root.table.numerators, strict=True) if N > 0]
    found: list[Row] = []
    width = fruitless = 0
    for _ in range(sweeps):
        if time.monotonic() > deadline or root.table.value > threshold * Q:
            break
        if master is None or root.allowed[head].sum() < REBUILD * width:
            width = int(root.allowed[head].sum())
            columns = root.allowed.copy()
            if width > INTERIOR:
                # Prices are evaluated over all completions anyway, so a large LP may leave out the late ones.
                columns[:, makespan + makespan // 8 + MARGIN :] = False
            master = Master(jobs, columns, jobs.copies.astype(np.float64), sizes, occupancy(jobs, root.allowed))
            others = [row for row in rows + found if row.weight is not jobs.state_memory and row.t <= master.last]
            if cuts and not others:
                others = master.core_rows()
            master.add(master.memory_rows() + others)
        elif found:
            master.add(found)
        try:
            answer = master.solve(deadline - time.monotonic(), interior=master.columns > INTERIOR)
        except SolverError:
            # Out of time inside the LP: the prices so far stand.
            break
        rows = [row for row, p in zip(master.rows, answer.prices, strict=True) if p > 0]
        before = root.table.value
        trial = _adopt(jobs, root, list(master.rows), answer.prices, threshold, record)
        if trial.table.value > before:
            root = trial
            master.most = occupancy(jobs, root.allowed)
        gap = threshold * Q - before
        fruitless = fruitless + 1 if root.table.value - before < patience * gap else 0
        if not cuts or fruitless >= 3:
            break
        found = master.violated(answer.x, deadline)
        if not found:
            break
    return root
