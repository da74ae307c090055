"""From the cells of a run to points: for each family, policy and parameters the ratio over the seeds, proven ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

#: what makes cells one point
POINT = ["family", "policy", "parameters"]


def points_of(
    cells: pd.DataFrame,
    x: Callable[[Mapping[str, Any]], float],
    extra: Callable[[pd.DataFrame], Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Return one row for each family, policy and point of the grid, in the order of the cells.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`; failed cells are left out, the manifest counts them.
    x : callable
        From the parameters of the family to the quantity of the study.
    extra : callable, optional
        From the instances behind a point to further columns.

    Returns
    -------
    DataFrame
        Columns panel (the family), policy, x, low, high (means over the instances of the proven ends; low is NaN where
        it has no meaning), worst_low, worst_high (the largest of each), evictions per request, instances.

    Notes
    -----
    Two grid points that make equal instances stay two points, unlike in the tables of a suite. A randomised policy is
    judged by its mean cost over its seeds.
    """
    good = cells[cells["status"] == "ok"]
    rows = []
    for (family, policy, parameters), group in good.groupby(POINT, sort=False):
        instances = _instances(group)
        row = {
            "panel": family,
            "policy": policy,
            "x": float(x(json.loads(str(parameters)))),
            "low": instances["low"].mean(skipna=False),
            "high": instances["high"].mean(),
            "worst_low": instances["low"].max(skipna=False),
            "worst_high": instances["high"].max(),
            "evictions": float((instances["evictions"] / instances["n"]).mean()),
            "instances": len(instances),
        }
        rows.append(row | dict(extra(instances) if extra else {}))
    names = ["panel", "policy", "x", "low", "high", "worst_low", "worst_high", "evictions", "instances"]
    return pd.DataFrame(rows, columns=None if rows else names)


def _instances(group: pd.DataFrame) -> pd.DataFrame:
    """One row for each seed of the family, numbers averaged over the seeds of the policy, with the ratio's ends."""
    by_seed = group.groupby("instance_seed", sort=True)
    first = by_seed.first()
    for name in ("cost", "evictions", "makespan"):
        first[name] = by_seed[name].mean()
    lower, upper = first["lower"].astype(float), first["upper"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        first["high"] = np.where(lower > 0, first["cost"] / lower, np.inf)
        proven = (first["eviction"] == "restart") & (upper > 0)
        first["low"] = np.where(proven, first["cost"] / upper, np.nan)
    return first
