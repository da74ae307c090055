"""What the search leaves for a checker: the prices behind its windows, as JSON-able integers."""

from __future__ import annotations

from typing import Any

from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.root import Root


def describe(jobs: Jobs, root: Root, lower: int) -> dict[str, Any]:
    """Return the proof object for the claim "no schedule has a total completion time below ``lower``".

    ``stages`` holds the prices in the order in which they shrank the windows. A row is [round, numerator, right-hand
    side, weights]; weights is ``"memory"`` or [[m, r, weight], ..] for the states with a positive weight.
    """
    m, r = jobs.state_memory.tolist(), jobs.state_left.tolist()
    stages = []
    for stage in root.stages:
        rows: list[list[Any]] = []
        for row, numerator in zip(stage.rows, stage.numerators.tolist(), strict=True):
            if row.weight is jobs.state_memory:
                rows.append([row.t, numerator, row.rhs, "memory"])
            else:
                weights = [[m[k], r[k], w] for k, w in enumerate(row.weight.tolist()) if w]
                rows.append([row.t, numerator, row.rhs, weights])
        stages.append({"rows": rows})
    return {"kind": "layers", "lower": lower, "denominator": root.table.denominator, "stages": stages}
