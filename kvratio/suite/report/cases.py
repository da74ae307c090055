"""Which instances, schedules and bounds a page carries: all instances, and for each cell the hardest one's schedule."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kvratio.suite.report.evidence import Case, Play
from kvratio.suite.run import Run
from kvratio.suite.statistics import Summary

#: what was quick enough in the run may take this many times its limit here, on a slower or busier machine
SLACK = 3


def case_name(identity: str, objective: str) -> str:
    """The name of an instance under an objective, as certificate files have it too."""
    return f"{identity[:12]}-{objective}"


def cases_of(run: Run, table: pd.DataFrame, summaries: Sequence[Summary], bound_seconds: float) -> list[Case]:
    """Return a case per instance and objective, in the order of the run.

    Parameters
    ----------
    run : Run
    table : DataFrame
        `Run.table`.
    summaries : sequence of Summary
    bound_seconds : float
        Bounds without a kept certificate are computed again, the quickest first, as long as the seconds that they
        took in the run add up to no more than this. The run's own record decides, so the choice is always the same.
    """
    built = table[table["instance"].notna()]
    heads = built.drop_duplicates(["instance", "objective"])
    plays = _plays(run, built, summaries)
    restart = built[(built["status"] == "ok") & (built["eviction"] == "restart")]
    lower = restart.groupby(["instance", "objective"])["lower"].first().to_dict()
    quick = _quick(run, built, bound_seconds)
    cases = []
    for identity, objective, family in heads[["instance", "objective", "family"]].itertuples(index=False):
        at, name = (identity, objective), case_name(identity, objective)
        kept = run.folder.certificates / f"{name}.json"
        known = lower.get(at)
        cases.append(
            Case(
                name=name,
                path=run.folder.instance(identity),
                objective=objective,
                bound=run.suite.family(family).bound,
                lower=None if known is None or pd.isna(known) else int(known),
                kept=kept if kept.is_file() else None,
                again=at in quick,
                plays=tuple(plays.get(at, ())),
                seconds=SLACK * run.suite.cell_seconds,
            )
        )
    return cases


def _plays(run: Run, built: pd.DataFrame, summaries: Sequence[Summary]) -> dict[tuple[str, str], list[Play]]:
    """The schedule of each policy on its hardest instance of each family, for the first seed of the policy."""
    good = built[built["status"] == "ok"]
    names = ["family", "policy", "instance", "cell", "policy_seed", "cost"]
    first: dict[tuple[str, str, str], tuple[str, int, int]] = {}
    for family, policy, instance, *rest in good[names].itertuples(index=False):
        first.setdefault((family, policy, instance), (rest[0], int(rest[1]), int(rest[2])))
    found: dict[tuple[str, str], list[Play]] = {}
    seen: set[str] = set()
    for s in summaries:
        if s.hardest is None:
            continue
        cell, seed, cost = first[s.family, s.policy, s.hardest]
        if cell in seen:
            continue
        seen.add(cell)
        kept = run.folder.schedules / f"{cell[:24]}.json"
        play = Play(cell, run.suite.policy(s.policy), seed, cost, kept if kept.is_file() else None)
        found.setdefault((s.hardest, s.objective), []).append(play)
    return found


def _quick(run: Run, built: pd.DataFrame, budget: float) -> set[tuple[str, str]]:
    took = built.merge(run.folder.timings(), on="cell").groupby(["instance", "objective"])["bound_seconds"].max()
    order = took.dropna().sort_values(kind="stable")
    return set(order[order.cumsum() <= budget].index)
