"""Root prices from the LP with cuts or from the smoothed ascent, the windows they leave, and their exact value."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import SolverError
from lowerbounds.exact.ascend import Ascent, Prices, as_rows, spread_table
from lowerbounds.exact.cores import CoreDual
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.master import Master, occupancy
from lowerbounds.exact.tables import BoolArray, PriceTable, Row, fix, tabulate

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: the LP is rebuilt once its windows have shrunk to this share of its columns
REBUILD = 0.8
#: LP columns from which an interior point without crossover replaces the simplex method
INTERIOR = 12_000
#: rounds beyond 9/8 of the makespan of a good schedule that a large LP or an ascent covers
MARGIN = 25
#: halvings of the smoothing in the ascent over core rows, and steps of each
CORE_STAGES, CORE_STEPS = 5, 60


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


def price_cores(
    jobs: Jobs,
    root: Root,
    memory_prices: FloatArray,
    threshold: int,
    deadline: float,
    makespan: int,
    smoothing: float,
    record: bool = False,
) -> Root:
    """Climb the dual of memory and core rows (`cores`) from given memory prices, and shrink the windows.

    The smoothing, in rounds, is halved after each of `CORE_STAGES`. The root returned has no smaller value.
    """
    rounds = min(root.table.last, makespan + makespan // 8 + MARGIN)
    dual = CoreDual(jobs, root.allowed, rounds)
    found = dual.start(memory_prices)
    for stage in range(CORE_STAGES):
        found = dual.stage(found, CORE_STEPS, smoothing / 2**stage, deadline)
    rows, prices = dual.as_rows(found.W)
    trial = _adopt(jobs, root, rows, prices, threshold, record)
    return trial if trial.table.value > root.table.value else root


def effort(jobs: Jobs, root: Root, sizes: int, makespan: int) -> int:
    """Return about how many entries one step of `ascend` touches: 10**9 take about a second."""
    rounds = min(root.table.last, makespan + makespan // 8 + MARGIN)
    items = root.allowed[:, : rounds + int(jobs.output.max())].sum(axis=1) @ jobs.output
    return int(items) * (sizes + 1) * (jobs.memory + 1)


def ascend(
    jobs: Jobs,
    root: Root,
    threshold: int,
    sizes: int,
    deadline: float,
    makespan: int,
    steps: int,
    smoothing: float,
    record: bool = False,
) -> Root:
    """Climb the dual of all profile cuts from the prices of ``root`` (`ascend`), and shrink the windows.

    Parameters
    ----------
    makespan : int
        Of a good schedule; it limits the rounds that have prices.
    steps : int
        Derivatives to take; the clock only ends them early.
    smoothing : float
        Scale, in rounds, below which differences of costs are blurred.

    Returns
    -------
    Root
        Of no smaller value than the one given.
    """
    rounds = min(root.table.last, makespan + makespan // 8 + MARGIN)
    most = occupancy(jobs, root.allowed)
    ascent = Ascent(jobs, root.allowed, most, sizes, rounds)
    W = spread_table(jobs, root.table, rounds)
    found = ascent.stage(Prices(W, ascent.evaluate(W)), steps, smoothing, deadline)
    rows, prices = as_rows(jobs, found.W, most, sizes, root.table.denominator)
    # Of price 0 here, but whoever goes on from these rows may want to price memory by itself.
    rows += [Row(t, jobs.state_memory, jobs.memory) for t in range(1, rounds + 1)]
    prices = np.concatenate([prices, np.zeros(rounds)])
    trial = _adopt(jobs, root, rows, prices, threshold, record)
    return trial if trial.table.value > root.table.value else root


def improve(
    jobs: Jobs,
    root: Root,
    threshold: int,
    sizes: int,
    deadline: float,
    makespan: int,
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
            if not others:
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
        if fruitless >= 3:
            break
        found = master.violated(answer.x, deadline)
        if not found:
            break
    return root
