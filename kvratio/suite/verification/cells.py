"""Do the rows of a run follow from its instances, schedules and certificates? Integers and fractions only."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from kvratio.problem.bound import Bound
from kvratio.problem.checker import check as check_schedule
from kvratio.problem.errors import KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.identity import instance_identity
from kvratio.suite.store import RunFolder
from kvratio.suite.verification.report import Check

Row = Mapping[str, Any]


def check_instances(folder: RunFolder, rows: list[Row], step: Callable[[], None]) -> tuple[Check, dict[str, Instance]]:
    """Read every instance and compare its own hash with its name and with the rows; return those that hold."""
    check, found = Check("instances"), {}
    for identity in dict.fromkeys(row["instance"] for row in rows if row["instance"]):
        path = folder.instance(identity)
        step()
        try:
            inst = Instance.load(path)
        except (KvratioError, OSError) as fault:
            check.failed(f"{path.name}: {fault}")
            continue
        if instance_identity(inst) != identity:
            check.failed(f"{path.name} is not the instance {identity[:12]} of the rows")
            continue
        found[identity] = inst
        check.passed()
    for row in rows:
        of = found.get(row["instance"])
        if of is not None and (of.n, of.memory) != (row["n"], row["memory"]):
            check.failed(f"{_cell(row)}: n and memory are not those of the instance")
    return check, found


def check_ratios(rows: list[Row]) -> Check:
    """Recompute U and both ends of every ratio from the integers of the rows."""
    check = Check("ratios")
    least: dict[tuple[str, str], int] = {}
    for row in rows:
        at = (row["instance"], row["objective"])
        for side in ("bound_upper", "own_upper"):
            if row[side] is not None:
                least[at] = min(int(row[side]), least.get(at, int(row[side])))
    for row in rows:
        upper = least.get((row["instance"], row["objective"]))
        if row["upper"] != upper:
            check.failed(f"{_cell(row)}: upper is {row['upper']}, the least schedule of the run costs {upper}")
            continue
        low, high = ratio(row, upper)
        same = _is(row["ratio_low"], low) and _is(row["ratio_high"], high)
        check.judge(same, f"{_cell(row)}: the ratio is not cost / U and cost / L")
    return check


def ratio(row: Row, upper: int | None) -> tuple[Fraction | None, Fraction | float | None]:
    """Both ends of a row's ratio as fractions: no lower end but under restart, an infinite one where L <= 0."""
    if row["status"] != "ok":
        return None, None
    cost, lower = int(row["cost"]), row["lower"]
    high = Fraction(cost, int(lower)) if lower is not None and lower > 0 else math.inf
    comparable = row["eviction"] == "restart" and upper is not None and upper > 0
    return (Fraction(cost, upper) if comparable and upper else None), high


def _is(stored: float | None, exact: Fraction | float | None) -> bool:
    """Whether a stored float is the nearest one to an exact value."""
    if stored is None or exact is None:
        return stored is None and exact is None
    return float(stored) == float(exact)


def check_schedules(folder: RunFolder, rows: list[Row], step: Callable[[], None]) -> Check:
    """Check every kept schedule against the model in integers, and its costs against the row."""
    check = Check("schedules")
    by_name = {row["cell"][:24]: row for row in rows}
    paths = sorted(folder.schedules.glob("*.json"))
    if not paths:
        check.notes.append("the run kept no schedules (schedules = true in the suite keeps them)")
    for path in paths:
        step()
        row = by_name.get(path.stem)
        if row is None:
            check.failed(f"{path.name} belongs to no row")
            continue
        try:
            schedule = Schedule.load(path)
            check_schedule(schedule.instance, schedule)
        except (KvratioError, ValueError) as fault:
            check.failed(f"{path.name}: {fault}")
            continue
        check.judge(schedule_fits(schedule, row), f"{path.name}: its costs are not those of {_cell(row)}")
    return check


def schedule_fits(schedule: Schedule, row: Row) -> bool:
    """Whether a schedule costs what the row says; under augmentation only its kills are compared."""
    if row["policy_memory"] != row["memory"] or schedule.instance.key != row["instance"]:
        return schedule.evictions == row["evictions"]
    mine = (schedule.total_completion, schedule.total_flow, schedule.makespan, schedule.evictions)
    return mine == tuple(row[name] for name in ("total_completion", "total_flow", "makespan", "evictions"))


def check_certificates(folder: RunFolder, rows: list[Row], step: Callable[[], None]) -> Check:
    """Recheck every kept bound from its certificates alone, and the L of the rows against it."""
    check = Check("certificates")
    named: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["instance"]:
            named[f"{row['instance'][:12]}-{row['objective']}"].append(row)
    paths = sorted(folder.certificates.glob("*.json"))
    if not paths:
        check.notes.append("the run kept no certificates (certificates = true in the suite keeps them)")
    for path in paths:
        step()
        fault = _certificate_fault(path, named.get(path.stem, []))
        check.judge(fault is None, f"{path.name}: {fault}")
    return check


def _certificate_fault(path: Path, rows: Iterable[Row]) -> str | None:
    try:
        bound = Bound.load(path)
        bound.verify()
    except (KvratioError, ValueError) as fault:
        return str(fault)
    for row in rows:
        if row["status"] != "ok":
            continue
        # An augmented instance is named by more than its key, even where the policy's memory is the same.
        if row["instance"] not in (bound.instance.key, instance_identity(bound.instance)):
            return f"it is of another instance than {_cell(row)}"
        if row["eviction"] == "restart" and row["lower"] != bound.lower:
            return f"it proves L = {bound.lower}, {_cell(row)} says {row['lower']}"
        if row["upper"] is not None and bound.upper is not None and row["upper"] > bound.upper:
            return f"it shows a schedule of cost {bound.upper}, {_cell(row)} says U = {row['upper']}"
    return None


def check_policies(rows: list[Row], instances: Mapping[str, Instance], run: Any, step: Callable[[], None]) -> Check:
    """Run every policy again and compare its costs: slow, and the only check of rows whose schedule was not kept."""
    import algos
    from instances.augmented import policy_completion, policy_instance

    check = Check("policies")
    specs = {policy.label: policy for policy in run.suite.policies}
    for row in rows:
        step()
        inst, spec = instances.get(row["instance"]), specs.get(row["policy"])
        if row["status"] != "ok" or inst is None or spec is None:
            continue
        played = policy_instance(inst)
        schedule = algos.schedule(played, spec.id, spec.eviction, int(row["policy_seed"]), **spec.parameters)
        check_schedule(played, schedule)
        completion = policy_completion(inst, schedule)
        total = int(completion.sum() if row["objective"] == "completion" else (completion - inst.arrival).sum())
        check.judge(total == row["cost"], f"{_cell(row)}: run again, it costs {total}, not {row['cost']}")
    return check


def _cell(row: Row) -> str:
    return f"{row['policy']} on {row['family']} (seed {row['instance_seed']}, cell {row['cell'][:12]})"
