"""What changed from one run to another, and whether the change can be noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kvratio.suite import numerals
from kvratio.suite.comparison import holm
from kvratio.suite.statistics import PER_INSTANCE, bootstrap, per_instance
from kvratio.suite.tables import Column, Section, Table

#: what makes a cell the same question in both runs
QUESTION = [
    *("family", "parameters", "instance_seed", "tuned_to", "policy", "policy_parameters", "eviction", "policy_seed"),
    *("objective", "instance"),
]
LEVEL = 0.05

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """What changed for one policy on one family.

    Parameters
    ----------
    family, policy : str
    common, only_first, only_second : int
        Cells that both runs have (same instance, seed and parameters), and that one of them has alone.
    cost, status, lower, upper : int
        Common cells in which the cost, the status, the lower or the upper bound differ.
    tighter : int
        Common cells whose interval [L, U] lies inside the first run's and is smaller.
    ratio : float or None
        Geometric mean of cost(second) / cost(first) over the common cells that both finished.
    interval : tuple of float, or None
        Its bootstrap interval over those cells.
    p_holm : float or None
        Where the instances differ: Mann-Whitney test of the upper ends of the ratio, adjusted by Holm's rule.
    """

    family: str
    policy: str
    common: int
    only_first: int
    only_second: int
    cost: int = 0
    status: int = 0
    lower: int = 0
    upper: int = 0
    tighter: int = 0
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    p_holm: float | None = None

    @property
    def equal(self) -> bool:
        """Whether both runs say the same."""
        return not (self.only_first or self.only_second or self.cost or self.status or self.lower or self.upper)

    @property
    def verdict(self) -> str:
        """The change in words."""
        if self.equal:
            return "equal"
        said = []
        if self.cost:
            said.append("costs differ on the same instances: not noise, the policy or its parameters changed")
        if self.status:
            said.append("cells failed in one run only")
        if (self.lower or self.upper) and not self.cost:
            better = "tighter" if self.tighter == self.common else "different"
            said.append(f"bounds {better}: time limits, methods or other policies of the run")
        if self.only_first or self.only_second:
            if self.p_holm is None:
                too_few = self.only_first and self.only_second
                said.append("other instances, too few for a test" if too_few else "cells in one run only")
            elif self.p_holm < LEVEL:
                said.append(f"other instances, and a difference beyond noise (p = {self.p_holm:.2g})")
            else:
                said.append(f"other instances; the difference can be noise (p = {self.p_holm:.2g})")
        return "; ".join(said)


def differences(
    first: pd.DataFrame, second: pd.DataFrame, resamples: int = 1000, confidence: float = 0.95
) -> list[Change]:
    """Compare two runs, policy by policy and family by family.

    Parameters
    ----------
    first, second : DataFrame
        `Run.table` of each.
    resamples, confidence
        Of the bootstrap over common cells.

    Notes
    -----
    A policy's cost on an instance with a seed is deterministic, so a cost that differs there is never noise. Only
    where the instances themselves differ is a test asked.
    """
    left, right = (_marked(table) for table in (first, second))
    both = left.merge(right, on=QUESTION, how="outer", suffixes=("_1", "_2"), indicator="side")
    order = dict.fromkeys(zip(*(pd.concat([first, second])[key] for key in ("family", "policy")), strict=True))
    groups: dict[Any, pd.DataFrame] = dict(list(both.groupby(["family", "policy"], sort=False)))
    found = [_change(groups[at], at, resamples, confidence) for at in order]
    tests = {k: p for k, change in enumerate(found) if (p := _test(first, second, change)) is not None}
    for k, p in zip(tests, holm(list(tests.values())), strict=True):
        found[k] = Change(**{**vars(found[k]), "p_holm": p})
    return found


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that are compared; what is missing is empty text, so that it joins."""
    kept = table[[*QUESTION, "status", "cost", "lower", "upper"]].copy()
    for key in ("tuned_to", "instance"):
        kept[key] = kept[key].fillna("")
    return kept.drop_duplicates(QUESTION)


def _change(group: pd.DataFrame, at: tuple[str, str], resamples: int, confidence: float) -> Change:
    common = group[group["side"] == "both"]
    differ = {name: _differ(common, name) for name in ("cost", "status", "lower", "upper")}
    done = common[(common["status_1"] == "ok") & (common["status_2"] == "ok")]
    more: dict[str, Any] = {name: int(flags.sum()) for name, flags in differ.items()}
    if len(done):
        logs = np.log(done["cost_2"].to_numpy(float)) - np.log(done["cost_1"].to_numpy(float))
        logs[done["cost_2"].to_numpy() == done["cost_1"].to_numpy()] = 0.0
        spread = bootstrap(logs, resamples, confidence, "difference", *at)
        more["ratio"] = float(np.exp(logs.mean()))
        more["interval"] = None if spread is None else (float(np.exp(spread[0])), float(np.exp(spread[1])))
    inside = (common["lower_2"] >= common["lower_1"]) & (common["upper_2"] <= common["upper_1"])
    return Change(
        family=at[0],
        policy=at[1],
        common=len(common),
        only_first=int((group["side"] == "left_only").sum()),
        only_second=int((group["side"] == "right_only").sum()),
        tighter=int((inside & (differ["lower"] | differ["upper"])).sum()),
        **more,
    )


def _differ(common: pd.DataFrame, name: str) -> pd.Series:
    one, two = common[f"{name}_1"], common[f"{name}_2"]
    return (one != two) & ~(one.isna() & two.isna())


def _test(first: pd.DataFrame, second: pd.DataFrame, change: Change) -> float | None:
    """Mann-Whitney over instances, where each run has at least two of its own."""
    from scipy.stats import mannwhitneyu

    if not (change.only_first and change.only_second):
        return None
    ends: list[FloatArray] = []
    for table in (first, second):
        mine = table[(table["family"] == change.family) & (table["policy"] == change.policy)]
        good = mine[mine["status"] == "ok"]
        ends.append(per_instance(good).sort_values(PER_INSTANCE)["high"].to_numpy(float) if len(good) else np.empty(0))
    if min(len(values) for values in ends) < 2:
        return None
    return float(mannwhitneyu(ends[0], ends[1], alternative="two-sided").pvalue)


def frame(found: list[Change]) -> pd.DataFrame:
    """Return changes as a table of numbers with their verdicts."""
    rows = []
    for change in found:
        row = {key: value for key, value in vars(change).items() if key != "interval"}
        row["ratio_low"], row["ratio_high"] = change.interval or (None, None)
        rows.append({**row, "verdict": change.verdict})
    return pd.DataFrame(rows)


def difference_table(first: str, second: str, found: list[Change]) -> Table:
    """Return what changed as a table of text.

    Rows that are equal are counted, not listed; the policies of a family that one run has alone share a row.
    """
    columns = (
        Column("family"),
        Column("policy"),
        Column("common", "right", 2),
        Column("costs", "right"),
        Column("bounds", "right", 1),
        Column("cost 2nd/1st", "right", 1),
        Column("verdict"),
    )
    rows = [_row(change) for change in found if change.common and not change.equal]
    alone: dict[tuple[str, str], list[Change]] = {}
    for change in found:
        if not change.common:
            alone.setdefault((change.family, _where(change)), []).append(change)
    for (family, where), changes in alone.items():
        names = changes[0].policy if len(changes) == 1 else f"{len(changes)} policies"
        rows.append((family, names, "0", "0", "0", numerals.NOTHING, where))
    same = sum(change.equal for change in found)
    notes = [f"{same} of {len(found)} pairs of family and policy are equal in every cell."]
    if rows:
        notes.append("costs, bounds: common cells that differ; cost 2nd/1st: geometric mean over the common cells.")
    return Table("difference", f"{second} against {first}", columns, (Section("", tuple(rows)),), tuple(notes))


def _where(change: Change) -> str:
    """Where the cells of a pair without a common one are."""
    if change.only_first and change.only_second:
        return change.verdict
    return f"only in the {'first' if change.only_first else 'second'} run"


def _row(change: Change) -> tuple[str, ...]:
    return (
        change.family,
        change.policy,
        str(change.common),
        str(change.cost),
        str(max(change.lower, change.upper)),
        numerals.NOTHING if change.ratio is None else numerals.rounded(change.ratio),
        change.verdict,
    )
