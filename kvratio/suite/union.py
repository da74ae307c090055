"""The suite that several runs belong to: what each of them asked for, together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kvratio.problem.errors import BadParameter
from kvratio.problem.plugins import Plugin
from kvratio.suite.plan import Suite

Data = dict[str, Any]


def union_suite(suites: Sequence[Suite], names: Sequence[str]) -> Suite:
    """Return one suite whose cells cover those of all.

    Policies and families are joined by label; their seeds and the values of a grid are united. So the suite may ask for
    cells that no run has, such as the grid point of one run with the seed of another.

    Parameters
    ----------
    suites : sequence of Suite
    names : sequence of str
        What the runs are called, for messages.

    Raises
    ------
    BadParameter
        A label means different things in two runs.
    """
    plugins: dict[str, Plugin] = {plugin.digest: plugin for suite in suites for plugin in suite.plugins}
    data = [suite.to_dict() for suite in suites]
    policies: dict[str, Data] = {}
    families: dict[str, Data] = {}
    for one, name in zip(data, names, strict=True):
        labels = [policy["label"] for policy in one["policies"]]
        for policy in one["policies"]:
            _join(policies, policy, ("seeds",), f"policy {policy['label']}", name)
        for family in one["families"]:
            explicit = {**family, "policies": family["policies"] or labels}
            _join(families, explicit, ("seeds", "grid", "policies"), f"family {family['label']}", name)
    order = list(policies)
    for family in families.values():
        runs = [label for label in order if label in family["policies"]]
        family["policies"] = [] if runs == order else runs
    joined = {**data[0], "policies": list(policies.values()), "families": list(families.values())}
    joined["cell_seconds"] = max(one["cell_seconds"] for one in data)
    for flag in ("certificates", "schedules"):
        joined[flag] = any(one[flag] for one in data)
    return Suite.from_dict(joined, plugins)


def _join(known: dict[str, Data], entry: Data, united: Iterable[str], what: str, run: str) -> None:
    """Add an entry to those of its label, or unite it with the one that is there."""
    there = known.get(entry["label"])
    if there is None:
        known[entry["label"]] = {**entry}
        return
    united = tuple(united)
    for key in sorted(set(there) | set(entry)):
        if key not in united and there.get(key) != entry.get(key):
            raise BadParameter(
                f"{run}: {what} has another {key} there ({entry.get(key)!r}) than in the runs before "
                f"({there.get(key)!r}): give one of them another label, and run it again"
            )
    for key in united:
        if key == "grid":
            there[key] = _grids(there[key], entry[key], what, run)
        else:
            there[key] = _together(there[key], entry[key])


def _grids(first: Mapping[str, Any], second: Mapping[str, Any], what: str, run: str) -> Data:
    if set(first) != set(second):
        raise BadParameter(f"{run}: {what} has a grid over {sorted(second)} there, over {sorted(first)} before")
    return {key: _together(first[key], second[key]) for key in first}


def _together(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [*first, *(value for value in second if value not in first)]


__all__ = ["union_suite"]
