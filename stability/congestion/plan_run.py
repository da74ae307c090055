"""A routing plan by simulation: what each replica serves under an endless backlog, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.congestion.classes import classes_of, memory_of
from stability.congestion.rates import equilibrium_of
from stability.congestion.routing import Plan, group_classes, labels_of
from stability.congestion.trajectory import run


@dataclass(frozen=True)
class PlanRun:
    """What the groups of a plan do in the long run, per replica of each group.

    Attributes
    ----------
    equilibrium : tuple of float
        x* of each group's mix, requests per iteration.
    throughput : tuple of float
        Completed per iteration, second half of the run.
    evictions : tuple of float
        Evicted per iteration, second half.
    wasted_share : tuple of float
        Share of the memory-iterations whose work was evicted, second half.
    steps : int
        Iterations of the run, from an empty worker.
    mean_wasted_share : float
        Mean of the wasted shares over all replicas.
    """

    equilibrium: tuple[float, ...]
    throughput: tuple[float, ...]
    evictions: tuple[float, ...]
    wasted_share: tuple[float, ...]
    steps: int
    mean_wasted_share: float


def simulate_plan(
    plan: Plan, prompt: Any, decode: Any, memory: float, shares: Any = None, *, units: Any = None, steps: int = 20_000
) -> PlanRun:
    """Simulate every group of a plan, saturated, from empty.

    Parameters
    ----------
    plan : Plan
        From `route` or `plan_of`, for the same classes and units.
    prompt, decode, shares, units
        As `route`.
    memory : float
        Tokens of one replica.
    steps : int
        Iterations >= 2; slow growth needs several e-folding times to show.
    """
    classes = classes_of(prompt, decode, shares)
    label = labels_of(units, classes)
    tokens, first = memory_of(memory), 1 + steps // 2
    rows = []
    for group in plan.groups:
        mix = group_classes(classes, label, group)
        found = run(mix, tokens, steps, record="totals")
        rows.append(
            (equilibrium_of(mix, tokens), found.throughput(first), found.evictions(first), found.wasted_share(first))
        )
    columns = tuple(zip(*rows, strict=True))
    return PlanRun(
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        steps,
        float(np.average(columns[3], weights=plan.replicas)),
    )
