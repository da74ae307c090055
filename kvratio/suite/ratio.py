"""The ratio of one schedule on one instance, by the rules of a suite."""

from __future__ import annotations

import lowerbounds
from instances.augmented import policy_completion
from kvratio.problem.checker import check
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.plan import BoundSpec, PolicySpec

#: lower bounds that hold even against policies that swap or recompute (docs/model.md, section 4)
CLOSED_FORMS = ("latency", "squashed_area", "mean_busy_time", "srpt")


def closed_form_lower(inst: Instance, objective: str) -> int:
    """The best of LB0 to LB4, valid against every eviction semantics."""
    return max(lowerbounds.bound(inst, method, objective=objective).lower for method in CLOSED_FORMS)


def enclose(
    inst: Instance, schedule: Schedule, policy: PolicySpec, bound: BoundSpec, objective: str
) -> tuple[int, int | None, float | None, float]:
    """Return (L, U, cost / U, cost / L) of a schedule that `kvratio.check` accepts.

    ``schedule`` may be of the augmented copy of ``inst``; then it does not lower U. Under recompute and swap only LB0
    to LB4 divide, and cost / U is None.
    """
    completion = policy_completion(inst, schedule)
    cost = int(completion.sum() if objective == "completion" else (completion - inst.arrival).sum())
    restart = policy.eviction == "restart"
    if not restart:
        lower = closed_form_lower(inst, objective)
        return lower, None, None, cost / lower if lower > 0 else float("inf")
    found = lowerbounds.bound(inst, bound.handle, objective=objective, time_limit=bound.time_limit, **bound.options)
    uppers = [] if found.upper is None else [found.upper]
    if inst.witness is not None:
        witness = Schedule.from_starts(inst, inst.witness)
        check(inst, witness)
        uppers.append(witness.cost(objective))
    if schedule.instance.key == inst.key and "augmentation" not in inst.info:
        uppers.append(cost)
    upper = min(uppers) if uppers else None
    low = cost / upper if upper is not None and upper > 0 else None
    return found.lower, upper, low, cost / found.lower if found.lower > 0 else float("inf")
