"""Entry of the exact search."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from lowerbounds.decode import Incumbent, improve_order, list_orders
from lowerbounds.exact.jobs import arrange
from lowerbounds.exact.profiles import most_active
from lowerbounds.exact.reprice import Repricer
from lowerbounds.exact.root import price
from lowerbounds.exact.sweep import Limits, sweep
from lowerbounds.exact.tables import all_completions
from lowerbounds.horizon import latest_completions

IntArray = npt.NDArray[np.int64]


@dataclass
class SearchResult:
    lower: int
    upper: int
    starts: IntArray
    status: str
    statistics: dict[str, Any] = field(default_factory=dict)


def search(
    inst,
    objective="completion",
    time_limit=60.0,
    work_limit=None,
    memory_mb=4000,
    seed=0,
    upper=None,
    cuts=True,
    reprice=True,
):
    began = time.monotonic()
    deadline = began + time_limit
    incumbent = Incumbent(inst)
    list_orders(incumbent, deadline)
    improve_order(incumbent, seed, deadline, work=400_000)
    U, starts = int(incumbent.cost), incumbent.starts
    jobs = arrange(inst)
    stats: dict[str, Any] = {"U0": U, "t_upper": time.monotonic() - began}
    last = int(latest_completions(inst, U).max())
    allowed = all_completions(jobs, last)
    Q = 1 << 30
    cap = np.bincount(jobs.state_of, minlength=len(jobs.state_left))
    sizes = int(most_active(jobs.state_memory, jobs.state_left, cap, jobs.memory, jobs.n))
    root = price(jobs, allowed, U - 1, sizes, Q, began + 0.3 * time_limit, cuts)
    stats |= {
        "sizes": sizes,
        "root": root.table.value / Q,
        "t_root": time.monotonic() - began,
        "sweeps": root.rounds,
        "rows": len(root.rows),
        "priced": int((root.table.numerators > 0).sum()),
    }
    lower = min(U, -(-root.table.value // Q))
    for width in (1000, 10000):
        if lower < U:
            t0 = time.monotonic()
            run = sweep(jobs, root.table, U - 1, sizes, Limits(deadline, None, memory_mb << 20), beam=width)
            stats[f"beam{width}"] = (run.cost, time.monotonic() - t0)
            if run.cost is not None and run.cost < U:
                U, starts = run.cost, run.starts
    if lower < U:
        limits = Limits(deadline, work_limit, memory_mb << 20)
        rp = Repricer(jobs, root, U - 1, sizes, deadline)
        run = sweep(jobs, root.table, U - 1, sizes, limits, pricing=rp if reprice else None)
        stats |= {"repriced": rp.log, "t_reprice": rp.seconds}
        stats |= {
            "expanded": run.expanded,
            "layers": run.layers,
            "stopped": run.stopped,
            "cut": run.cut.tolist(),
            "peak": max(s for _, s in run.layers),
        }
        if run.cost is not None and run.cost < U:
            U, starts = run.cost, run.starts
        lower = max(lower, min(U, run.lower))
    stats["seconds"] = time.monotonic() - began
    return SearchResult(lower, U, starts, "optimal" if lower == U else "interval", stats)
