"""Root prices: the LP with cuts, its windows, and the exact value of its rounded duals."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import SolverError
from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.master import Master, occupancy
from lowerbounds.exact.tables import BoolArray, PriceTable, Row, fix, tabulate

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


TRACE: list = []


@dataclass
class Root:
    """Priced rows with their table, and the completions that a schedule of cost <= threshold may use."""

    rows: list[Row]
    prices: FloatArray
    table: PriceTable
    allowed: BoolArray
    most: IntArray
    rounds: int = 0


def price(
    jobs: Jobs,
    allowed: BoolArray,
    threshold: int,
    sizes: int,
    Q: int,
    deadline: float,
    cuts: bool = True,
    sweeps: int = 60,
    start: tuple[list[Row], FloatArray] | None = None,
) -> Root:
    """Solve the LP over the allowed completions, shrink the windows by its prices, add cuts, repeat.

    The prices kept are those of the best exact value. Stops after three sweeps without gain, at the deadline, or when
    the value passes the threshold.
    """
    rows, prices = start if start is not None else ([], np.zeros(0))
    table = tabulate(jobs, rows, prices, allowed, Q)
    best = Root(rows, prices, table, allowed, occupancy(jobs, allowed))
    fruitless = 0
    master: Master | None = None
    latest, found = prices, list[Row]()
    width = 0
    for k in range(sweeps):
        if time.monotonic() > deadline or best.table.value > threshold * Q:
            break
        head = jobs.first_of_kind
        if master is None or best.allowed[head].sum() < 0.8 * width:
            kept = [] if master is None else [row for row, p in zip(master.rows, latest, strict=False) if p > 0] + found
            width = int(best.allowed[head].sum())
            master = Master(jobs, best.allowed, jobs.copies.astype(np.float64), sizes, best.most)
            memory = master.memory_rows()
            master.add(memory + [row for row in kept if row.weight is not jobs.state_memory])
        try:
            answer = master.solve(deadline - time.monotonic())
        except SolverError:
            break
        latest = answer.prices
        table = tabulate(jobs, master.rows, answer.prices, best.allowed, Q)
        TRACE.append((time.process_time(), table.value / Q, answer.value, len(master.rows), master.columns))
        gain = (table.value - best.table.value) / Q
        fruitless = fruitless + 1 if gain < 2e-4 * table.value / Q else 0
        if table.value > best.table.value:
            shrunk = fix(jobs, table, best.allowed, threshold)
            if not shrunk.any(axis=1).all():
                # No schedule of cost <= threshold is left at all.
                shrunk = best.allowed
            fixed = tabulate(jobs, master.rows, answer.prices, shrunk, Q)
            best = Root(list(master.rows), answer.prices, fixed, shrunk, occupancy(jobs, shrunk), k + 1)
            master.most = best.most
        if not cuts or fruitless >= 3:
            break
        found = master.violated(answer.x)
        if not found:
            break
        master.add(found)
    return best
