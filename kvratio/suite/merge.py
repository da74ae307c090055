"""From cells measured in any order to one sorted table: join with the plan, reduce U, divide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kvratio.suite.naming import canonical

if TYPE_CHECKING:
    from kvratio.suite.run import PlannedCell


def merged_rows(planned: Sequence[PlannedCell], measured: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per planned cell, in the order of the suite, with the interval of its ratio.

    U of an instance is the least of the bound's own upper side, the witness, and every restart schedule that any
    policy of the run made on it (docs/model.md, section 7), so it does not depend on the order of the work.
    """
    rows = [{**_planned(item), **(measured.get(item.cell) or _unbuilt(item))} for item in planned]
    divide(rows)
    return rows


def divide(rows: Sequence[dict[str, Any]]) -> None:
    """Set U, the least over all rows of an instance, and the ratios of every row."""
    least: dict[tuple[str, str], int] = {}
    for row in rows:
        for candidate in (row.get("bound_upper"), row.get("own_upper")):
            if candidate is not None:
                at = (row["instance"], row["objective"])
                least[at] = min(candidate, least.get(at, candidate))
    for row in rows:
        row["upper"] = least.get((row.get("instance") or "", row["objective"]))
        row["ratio_low"], row["ratio_high"] = ratio_interval(row)


def ratio_interval(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return (cost / U, cost / L); no lower end under recompute or swap, no upper end (infinite) where L <= 0."""
    if row["status"] != "ok":
        return None, None
    cost, lower, upper = row["cost"], row["lower"], row["upper"]
    high = cost / lower if lower is not None and lower > 0 else math.inf
    comparable = row["eviction"] == "restart" and upper is not None and upper > 0
    return (cost / upper if comparable else None), high


def _planned(item: PlannedCell) -> dict[str, Any]:
    spec, inst, policy = item.built.spec, item.built.instance, item.job.policy
    row: dict[str, Any] = {
        "family": spec.family.label,
        "family_id": spec.family.id,
        "parameters": canonical(spec.parameters),
        "instance_seed": spec.seed,
        "tuned_to": None if spec.tuned_to is None else spec.tuned_to.label,
        "policy": policy.label,
        "policy_id": policy.id,
        "policy_parameters": canonical(policy.parameters),
        "eviction": policy.eviction,
        "policy_seed": item.job.seed,
        "objective": spec.family.objective,
    }
    if inst is not None:
        forced = inst.info.get("ratio")
        row |= {
            "instance": item.built.identity,
            "instance_name": inst.name,
            "n": inst.n,
            "memory": inst.memory,
            "policy_memory": int(inst.info.get("policy_memory", inst.memory)),
            "alpha": inst.alpha,
            "batch": inst.is_batch,
            "forced_ratio": None if forced is None else float(forced),
        }
    return row


def _unbuilt(item: PlannedCell) -> dict[str, Any]:
    """The row of a cell without a result: its instance could not be built."""
    message = item.built.message or "no result: the run was interrupted"
    return {"cell": item.cell, "status": "failed", "message": message, "traceback": item.built.traceback}
