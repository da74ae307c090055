"""Policies against each other on the same instances: the ratio of their costs needs no bound, so it is exact."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kvratio.problem.errors import BadParameter
from kvratio.suite.statistics import bootstrap

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One policy against another over the instances that both finished.

    Parameters
    ----------
    family : str
        ``"all families"`` when the instances of several are taken together.
    policy, against : str
    instances : int
    better, equal, worse : int
        Instances on which ``policy`` costs less, the same, more.
    ratio : float
        Geometric mean of cost(policy) / cost(against): below 1, ``policy`` is cheaper.
    interval : tuple of float, or None
        Bootstrap interval of that mean over instances; None for fewer than two.
    p : float
        Two-sided Wilcoxon signed-rank test of log cost ratios, ties of cost left out; 1 where all are equal.
    p_holm : float
        The same, adjusted by Holm's step-down rule over every pair of one call.
    """

    family: str
    policy: str
    against: str
    instances: int
    better: int
    equal: int
    worse: int
    ratio: float
    interval: tuple[float, float] | None
    p: float
    p_holm: float


def costs(cells: pd.DataFrame) -> pd.DataFrame:
    """Return mean costs over policy seeds: a row per (family, objective, instance), a column per policy.

    Cells under other memory than the instance's (families that augment the policy) are kept: both policies have it.
    NaN where a policy did not finish, or where a family is tuned to each policy.
    """
    good = cells[cells["status"] == "ok"]
    once = good.drop_duplicates(["family", "objective", "instance", "policy", "policy_seed"])
    index = ["family", "objective", "instance"]
    wide = once.pivot_table(index=index, columns="policy", values="cost", aggfunc="mean", sort=False)
    return wide.reindex(columns=list(dict.fromkeys(good["policy"])))


def compare(
    cells: pd.DataFrame,
    against: Sequence[str] = (),
    by_family: bool = False,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> list[Comparison]:
    """Compare policies pairwise on common instances, with bootstrap intervals and Holm-corrected tests.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    against : sequence of str, optional
        Labels of the policies to compare with; default: every pair.
    by_family : bool
        One comparison a family instead of one over all instances.
    resamples, confidence
        Of the bootstrap over instances.

    Returns
    -------
    list of Comparison
        Pairs without a common instance are left out.

    Notes
    -----
    The test speaks of the population that the instances were drawn from. Instances of a construction are no sample;
    for them read the counts.
    """
    wide = costs(cells)
    policies = list(wide.columns)
    for name in against:
        if name not in policies:
            raise BadParameter(f"no policy {name!r} in this run: choose from {', '.join(policies)}")
    pairs = (
        [(p, q) for q in against for p in policies if p != q] if against else list(itertools.combinations(policies, 2))
    )
    blocks: Iterable[tuple[str, pd.DataFrame]] = (
        [(str(name), block) for name, block in wide.groupby(level="family", sort=False)]
        if by_family
        else [("all families", wide)]
    )
    found = [
        one
        for family, block in blocks
        for p, q in pairs
        if (one := _pair(block, family, p, q, resamples, confidence)) is not None
    ]
    adjusted = holm([one.p for one in found])
    return [Comparison(**{**vars(one), "p_holm": p}) for one, p in zip(found, adjusted, strict=True)]


def _pair(
    block: pd.DataFrame, family: str, policy: str, against: str, resamples: int, confidence: float
) -> Comparison | None:
    from scipy.stats import wilcoxon

    both = block[[policy, against]].dropna()
    if both.empty:
        return None
    mine, other = both[policy].to_numpy(float), both[against].to_numpy(float)
    logs = np.log(mine) - np.log(other)
    logs[mine == other] = 0.0
    moved = logs[logs != 0]
    spread = bootstrap(logs, resamples, confidence, "comparison", family, policy, against)
    return Comparison(
        family=family,
        policy=policy,
        against=against,
        instances=len(both),
        better=int((mine < other).sum()),
        equal=int((mine == other).sum()),
        worse=int((mine > other).sum()),
        ratio=float(np.exp(logs.mean())),
        interval=None if spread is None else (float(np.exp(spread[0])), float(np.exp(spread[1]))),
        p=float(wilcoxon(moved).pvalue) if len(moved) else 1.0,
        p_holm=1.0,
    )


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p-values by Holm's step-down rule: the family-wise error stays below the level.

    Parameters
    ----------
    values : sequence of float
        p-values in [0, 1].

    Returns
    -------
    list of float
        In the same order, each >= its input and at most 1.
    """
    p = np.asarray(values, dtype=float)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(value) for value in adjusted]


def shared(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `costs` that every policy of the table ran and at least one finished."""
    index = ["family", "objective", "instance"]
    policies = cells["policy"].nunique()
    met = cells.groupby(index, sort=False)["policy"].nunique()
    wide = costs(cells).reindex(columns=list(dict.fromkeys(cells["policy"])))
    return wide[wide.index.isin(met[met == policies].index)]


def profile(cells: pd.DataFrame, at: FloatArray | Sequence[float] | None = None) -> pd.DataFrame:
    """Return the performance profile: the share of instances that a policy solves within a factor of the cheapest.

    Parameters
    ----------
    cells : DataFrame
        `Run.table`.
    at : float64[k], optional
        Factors >= 1; default: every factor at which some policy's share moves.

    Returns
    -------
    DataFrame
        Index factor, a column per policy, shares in [0, 1]. Counted are the instances on which every policy of the
        table was run; one that failed there counts as never within any factor.

    Raises
    ------
    BadParameter
        No instance was run by every policy.

    Notes
    -----
    Dolan and More, "Benchmarking optimization software with performance profiles" (arXiv cs/0102001).
    """
    wide = shared(cells)
    if wide.empty:
        raise BadParameter("no instance was run by every policy: choose policies and families that meet")
    factors = wide.div(wide.min(axis=1), axis=0).to_numpy(float)
    grid = np.unique(factors[np.isfinite(factors)]) if at is None else np.asarray(at, dtype=float)
    reached = [(factors <= factor * (1 + 1e-12)).mean(axis=0) for factor in grid]
    return pd.DataFrame(reached, index=pd.Index(grid, name="factor"), columns=wide.columns)


def frame(found: Sequence[Comparison]) -> pd.DataFrame:
    """Return comparisons as a table of numbers; NaN for an interval of one instance."""
    rows = []
    for one in found:
        row = {key: value for key, value in vars(one).items() if key != "interval"}
        row["ratio_low"], row["ratio_high"] = one.interval or (float("nan"), float("nan"))
        rows.append(row)
    order = ["family", "policy", "against", "instances", "better", "equal", "worse", "ratio"]
    return pd.DataFrame(rows, columns=[*order, "ratio_low", "ratio_high", "p", "p_holm"])
