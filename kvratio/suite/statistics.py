"""Ratios as intervals: per instance, then worst, mean and bootstrap per policy and family."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kvratio.problem.seeds import stream
from kvratio.suite.interval import Interval
from kvratio.suite.naming import format_value

#: from proven to unknown
GRADES = ("certified", "solver*2", "solver", "none")

#: what makes a row of `per_instance`
PER_INSTANCE = ["family", "policy", "instance"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """What a run says of one policy on one family.

    Parameters
    ----------
    policy, policy_id, family, family_id, objective : str
    instances, cells, failed : int
        ``instances`` counts those with a result; seeds of a randomised policy share an instance.
    grade : str
        The weakest grade of the bounds: certified, or resting on the word of two solvers, of one, or of none.
    worst, mean : Interval or None
        None when every cell failed. Worst = (max of lower ends, max of upper ends); mean = means of the ends.
    low_bootstrap, high_bootstrap : tuple of float, or None
        Bootstrap interval over instances of the mean lower and of the mean upper end; None for one instance.
    guarantee_low, guarantee_high : float or None
        Smallest and largest published ratio over the instances on which its hypotheses hold, else over all.
    holds : float or None
        Share of the instances on which the hypotheses of the guarantee hold; None without a guarantee.
    broken : int
        Instances on which the hypotheses hold and yet the LOWER end of the ratio is above the guarantee.
    evictions, wasted : float
        Evictions per request, and void token-rounds over the volume of the instance (both means).
    spread : float or None
        Randomised policies: largest standard deviation over mean cost, over seeds of one instance.
    hardest : str or None
        Key of the instance that hurts most: largest lower end; without one, largest upper end.
    hardest_ratio : Interval or None
    hardest_about : str
        Parameters and seed of that instance.
    """

    policy: str
    policy_id: str
    family: str
    family_id: str
    objective: str
    instances: int
    cells: int
    failed: int
    grade: str = "certified"
    worst: Interval | None = None
    mean: Interval | None = None
    low_bootstrap: tuple[float, float] | None = None
    high_bootstrap: tuple[float, float] | None = None
    guarantee_low: float | None = None
    guarantee_high: float | None = None
    holds: float | None = None
    broken: int = 0
    evictions: float = 0.0
    wasted: float = 0.0
    spread: float | None = None
    hardest: str | None = None
    hardest_ratio: Interval | None = None
    hardest_about: str = ""


def per_instance(cells: pd.DataFrame) -> pd.DataFrame:
    """Average a policy's cost over its seeds: one row per family, policy and instance, with the ratio's interval.

    Seeds of a family that draws nothing, and points of a grid that mean the same, give one instance; it counts once.

    Parameters
    ----------
    cells : DataFrame
        Cells with status ok.

    Returns
    -------
    DataFrame
        In the order of the cells. Columns family, policy, instance, low and high (ratio ends; low is NaN where it has
        no meaning), spread (standard deviation over mean cost, over seeds), evictions per request, wasted token-rounds
        over volume, and guarantee, guarantee_holds, bound_grade, parameters and instance_seed of the first cell.
    """
    once = cells.drop_duplicates([*PER_INSTANCE, "policy_seed"])
    groups = once.groupby(PER_INSTANCE, sort=False)
    averages = groups[["cost", "evictions", "wasted_token_rounds"]].mean()
    first = once.drop_duplicates(PER_INSTANCE).set_index(PER_INSTANCE)
    cost, lower, upper = averages["cost"], first["lower"].astype(float), first["upper"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(lower > 0, cost / lower, np.inf)
        low = np.where((first["eviction"] == "restart") & (upper > 0), cost / upper, np.nan)
    kept = ["parameters", "instance_seed", "guarantee", "guarantee_holds", "bound_grade"]
    return (
        first[kept]
        .assign(
            low=low,
            high=high,
            spread=groups["cost"].std(ddof=1) / cost,
            evictions=averages["evictions"] / first["n"],
            wasted=averages["wasted_token_rounds"] / first["volume"],
        )
        .reset_index()
    )


def bootstrap(values: FloatArray, resamples: int, confidence: float, *names: str | int) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a mean; None for fewer than two values.

    Parameters
    ----------
    values : float64[n]
    resamples : int
    confidence : float
        Such as 0.95.
    *names
        Name the stream of random numbers, so that the interval is the same in every process.
    """
    if len(values) < 2:
        return None
    if np.all(values == values[0]):
        return float(values[0]), float(values[0])
    if not np.isfinite(values).all():
        return None
    picks = stream("bootstrap", *names, len(values)).integers(len(values), size=(resamples, len(values)))
    means = values[picks].mean(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def summarise(cells: pd.DataFrame, resamples: int = 1000, confidence: float = 0.95) -> list[Summary]:
    """Return a summary per family and policy, in the order of the table.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    resamples, confidence
        Of the bootstrap over instances.
    """
    keys = ["family", "policy"]
    heads = cells.drop_duplicates(keys)
    counts = cells.groupby(keys).size()
    failed = cells[cells["status"] != "ok"].groupby(keys).size()
    good = cells[cells["status"] == "ok"]
    tables = dict(list(per_instance(good).groupby(keys, sort=False))) if len(good) else {}
    summaries = []
    for family, policy, family_id, policy_id, objective in heads[
        [*keys, "family_id", "policy_id", "objective"]
    ].itertuples(index=False):
        about = {"policy": policy, "policy_id": policy_id, "family": family, "family_id": family_id}
        at = (family, policy)
        about |= {"objective": objective, "cells": int(counts[at]), "failed": int(failed.get(at, 0))}
        table = tables.get(at)
        summaries.append(
            Summary(**about, instances=0) if table is None else _summary(about, table, resamples, confidence)
        )
    return summaries


def _summary(about: dict[str, Any], table: pd.DataFrame, resamples: int, confidence: float) -> Summary:
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    comparable = not np.isnan(low).any()
    hardest = int(np.argmax(low if comparable else high))
    names = (about["family"], resamples)
    spread = table["spread"].to_numpy(float)
    return Summary(
        **about,
        instances=len(table),
        grade=max(table["bound_grade"], key=GRADES.index),
        worst=Interval(float(low.max()) if comparable else None, float(high.max())),
        mean=Interval(_mean(low) if comparable else None, _mean(high)),
        low_bootstrap=bootstrap(low, resamples, confidence, *names) if comparable else None,
        high_bootstrap=bootstrap(high, resamples, confidence, *names),
        **_guarantees(table),
        evictions=float(table["evictions"].mean()),
        wasted=float(table["wasted"].mean()),
        spread=None if np.isnan(spread).all() else float(np.nanmax(spread)),
        hardest=str(table["instance"].iloc[hardest]),
        hardest_ratio=Interval(float(low[hardest]) if comparable else None, float(high[hardest])),
        hardest_about=_about(table["parameters"].iloc[hardest], int(table["instance_seed"].iloc[hardest])),
    )


def _guarantees(table: pd.DataFrame) -> dict[str, Any]:
    known = table["guarantee_holds"].notna().to_numpy()
    if not known.any():
        return {}
    flags = known & (table["guarantee_holds"].to_numpy() == True)  # noqa: E712 - the column may hold None
    ratios = table["guarantee"].to_numpy(float)
    low = table["low"].to_numpy(float)
    shown = ratios[flags] if flags.any() else ratios
    shown = shown[~np.isnan(shown)]
    # Rounding of a float quotient must not raise an alarm, hence the relative margin.
    broken = flags & (low > ratios * (1 + 1e-12))
    return {
        "holds": float(flags.mean()),
        "guarantee_low": float(shown.min()) if len(shown) else None,
        "guarantee_high": float(shown.max()) if len(shown) else None,
        "broken": int(broken.sum()),
    }


def _mean(values: FloatArray) -> float:
    """Mean with exactly rounded sum, so that equal ends give equal means whatever their order."""
    return math.fsum(values) / len(values) if np.isfinite(values).all() else math.inf


def _about(parameters: str, seed: int) -> str:
    shown = [f"{key}={format_value(value)}" for key, value in json.loads(parameters).items()]
    return ",".join([*shown, f"seed={seed}"])


def hardest_per_policy(summaries: list[Summary]) -> list[Summary]:
    """For each policy, the family on which its ratio is proven largest (largest lower end; else largest upper end)."""
    found: dict[str, Summary] = {}
    for summary in summaries:
        if summary.hardest_ratio is None:
            continue
        known = found.get(summary.policy)
        if known is None or _rank(summary) > _rank(known):
            found[summary.policy] = summary
    order = list(dict.fromkeys(summary.policy for summary in summaries))
    return [found[policy] for policy in order if policy in found]


def _rank(summary: Summary) -> tuple[float, float]:
    ratio = summary.hardest_ratio
    assert ratio is not None
    return (-math.inf if ratio.low is None else ratio.low, ratio.high)


#: columns of `frame` that are attributes of a summary as they stand
PLAIN_COLUMNS = (
    *("grade", "guarantee_low", "guarantee_high", "holds", "broken", "evictions", "wasted", "spread"),
    *("hardest", "hardest_about"),
)


def frame(summaries: list[Summary]) -> pd.DataFrame:
    """Return the summaries as numbers, one row per family and policy; NaN where an end has no meaning."""

    def ends(value: Interval | tuple[float, float] | None) -> tuple[float, float]:
        if value is None:
            return math.nan, math.nan
        low, high = (value.low, value.high) if isinstance(value, Interval) else value
        return (math.nan if low is None else low), high

    rows = []
    for s in summaries:
        row: dict[str, Any] = {
            "policy": s.policy,
            "policy_id": s.policy_id,
            "family": s.family,
            "family_id": s.family_id,
            "objective": s.objective,
            "instances": s.instances,
            "cells": s.cells,
            "failed": s.failed,
        }
        for name in ("worst", "mean", "low_bootstrap", "high_bootstrap", "hardest_ratio"):
            row[f"{name}_low"], row[f"{name}_high"] = ends(getattr(s, name))
        rows.append(row | {name: getattr(s, name) for name in PLAIN_COLUMNS})
    return pd.DataFrame(rows)
