"""What the page knows of every cell before any evidence is opened: its rows, instances, policies and families."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from kvratio.problem.errors import KvratioError
from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.naming import format_value, shell_word
from kvratio.suite.plan import FamilySpec, PolicySpec, Suite
from kvratio.suite.report.cases import case_name
from kvratio.suite.report.rows import Row
from kvratio.suite.tables import family_title

#: whole numbers of a cell that the page shows as they are
COUNTS = ("cost", "makespan", "flow_p50", "flow_p99", "evictions", "wasted_token_rounds", "recomputed_tokens")

#: the other columns of a cell
COLUMNS = (
    *("cell", "case", "point", "seed", "key", "ratio", "lower", "upper", "by", "method", "grade", "guarantee", "holds"),
    *("message", "traceback"),
)


def index_of(suite: Suite, table: pd.DataFrame, rows: Sequence[Row], tracebacks: dict[str, str]) -> dict[str, Any]:
    """Return the data of all cells as JSON-able columns; ``cells`` numbers its rows as ``rows`` does."""
    number = {(row.summary.policy, row.summary.family): row.number for row in rows}
    cases: dict[str, int] = {}
    about: list[dict[str, Any]] = []
    upper_from = _attained(table)
    columns: dict[str, list[Any]] = {name: [] for name in ("cell", "case", "point", "seed", "key", "ratio", "lower")}
    columns |= {
        name: [] for name in (*COUNTS, "upper", "by", "method", "grade", "guarantee", "holds", "message", "traceback")
    }
    for record in table.to_dict("records"):
        row: dict[str, Any] = {str(k): None if _missing(v) else v for k, v in record.items()}
        case = None
        if row["instance"] is not None:
            name = case_name(row["instance"], row["objective"])
            if name not in cases:
                cases[name] = len(about)
                about.append(_case(name, row))
            case = cases[name]
        columns["cell"].append(number[row["policy"], row["family"]])
        columns["case"].append(case)
        columns["point"].append(_point(suite.family(row["family"]), row))
        columns["seed"].append(row["policy_seed"])
        columns["key"].append((row["cell"] or "")[:16])
        columns["ratio"].append(_ratio(row))
        columns["lower"].append(_whole(row["lower"]))
        columns["upper"].append(_whole(row["upper"]) if row["eviction"] == "restart" else None)
        columns["by"].append(upper_from.get((row["instance"], row["objective"])))
        for column in COUNTS:
            columns[column].append(_whole(row[column]))
        columns["method"].append(row["bound_method"])
        columns["grade"].append(row["bound_grade"])
        columns["guarantee"].append(None if row["guarantee"] is None else numerals.at_most(row["guarantee"]))
        columns["holds"].append(None if row["guarantee_holds"] is None else bool(row["guarantee_holds"]))
        columns["message"].append(row["message"] or _unbuilt(row))
        columns["traceback"].append(tracebacks.get(row["cell"]) if row["status"] != "ok" else None)
    return {
        "policies": [_policy(policy) for policy in suite.policies],
        "families": [_family(family) for family in suite.families],
        "cases": about,
        "cells": [_cell(suite, row) for row in rows],
        "rows": {name: values for name, values in columns.items() if any(v is not None for v in values)},
    }


def _case(name: str, row: dict[str, Any]) -> dict[str, Any]:
    forced = row["forced_ratio"]
    return {
        "id": name,
        "file": f"instances/{row['instance'][:12]}.json",
        "name": row["instance_name"],
        "n": row["n"],
        "memory": row["memory"],
        "policyMemory": row["policy_memory"] if row["policy_memory"] != row["memory"] else None,
        "alpha": None if row["alpha"] is None else round(row["alpha"], 4),
        "batch": row["batch"],
        "forced": None if forced is None else numerals.plain(forced),
        "tuned": row["tuned_to"],
    }


def _point(family: FamilySpec, row: dict[str, Any]) -> str:
    """What tells an instance from the others of its family: its point of the grid and its seed."""
    parameters = json.loads(row["parameters"])
    varying = [f"{key} = {format_value(parameters[key])}" for key in family.grid if key in parameters]
    return ", ".join([*varying, f"seed {row['instance_seed']}"])


def _cell(suite: Suite, row: Row) -> dict[str, Any]:
    s = row.summary
    low, high = (None, None) if s.worst is None else (s.worst.low, s.worst.high)
    return {
        "policy": [p.label for p in suite.policies].index(s.policy),
        "family": [f.label for f in suite.families].index(s.family),
        "low": low,
        "high": high if high is not None and math.isfinite(high) else None,
        "promised": s.guarantee_high if s.holds else None,
        "hardest": None if s.hardest is None else case_name(s.hardest, s.objective),
        "about": s.hardest_about,
        "spread": s.spread,
    }


def _policy(policy: PolicySpec) -> dict[str, Any]:
    from algos import registry

    told = {"label": policy.label, "id": policy.id, "call": shell_word(policy.call), "eviction": policy.eviction}
    try:
        card = registry.card(policy.handle)
    except KvratioError:
        # The run knew a policy that this installation does not: the page shows what the run says of it.
        return told
    told |= {"title": card.title, "about": card.about, "source": card.source}
    told["given"] = f" --eviction {policy.eviction}" if policy.eviction != card.eviction else ""
    if card.guarantee is not None:
        told |= {"promise": card.guarantee.text, "hypotheses": card.guarantee.hypotheses}
    return told


def _family(family: FamilySpec) -> dict[str, Any]:
    bound = family.bound
    options = [f" --option {shell_word(f'{k}={format_value(v)}')}" for k, v in bound.options.items()]
    return {
        "label": family.label,
        "title": family_title(family),
        "objective": family.objective,
        "method": bound.method,
        "options": "".join(options),
        "limit": bound.time_limit,
    }


def _ratio(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return "failed"
    high = math.inf if row["ratio_high"] is None else row["ratio_high"]
    return numerals.interval(Interval(row["ratio_low"], high))


def _attained(table: pd.DataFrame) -> dict[Any, str]:
    """Who made the schedule that costs U: the first policy in the order of the run, or the bound itself."""
    found: dict[Any, str] = {}
    good = table[(table["status"] == "ok") & table["upper"].notna()]
    for at, group in good.groupby(["instance", "objective"], sort=False):
        own = group[group["own_upper"] == group["upper"]]
        found[at] = f"the schedule of {own['policy'].iloc[0]}" if len(own) else "the bound's own schedule or a witness"
    return found


def _unbuilt(row: dict[str, Any]) -> str | None:
    return None if row["status"] == "ok" else "no message"


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
