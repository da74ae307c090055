"""Policies against arrival rates, with replications: latency, throughput, waste, paired comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from instances.workloads.load import Workload
from kvratio.problem.errors import BadParameter
from kvratio.problem.fitting import warn_outside
from kvratio.problem.requests import Requests
from kvratio.suite.plan import PolicySpec
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.serving import tuning as tuner
from kvratio.suite.serving.contender import contenders
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.misfit import refuse_misfits
from kvratio.suite.serving.tabulate import cells_table, paired_table, summary_table
from kvratio.suite.serving.trial import Cell, Draw, Measuring, trial, warm_up
from kvratio.suite.workers import parallel, worker_count

if TYPE_CHECKING:
    import pandas as pd

#: requests of a replication
REQUESTS = 5000
#: replications on which candidates are compared, of draws that are never reported
TUNING_REPLICATIONS = 3
#: where the seeds of these draws begin, beyond those reported
TUNING_FROM = 1_000_000
#: rates of a sweep that names none: so many, from and to these shares of the fluid limit
RATES, FIRST_LOAD, LAST_LOAD = 12, 0.3, 1.02


@dataclass(frozen=True, eq=False)
class Sweep:
    """The outcome of a sweep.

    Attributes
    ----------
    load : Load
    hardware : Hardware
    policies : tuple of PolicySpec
    rates : tuple of float
        Requests per second.
    replications, requests, seed, tuning : int
    fluid_limit : float
        r_c of the whole mix, requests per second.
    cells : DataFrame
        One row per (policy, setting, rate, replication); ``setting`` is "default" or "tuned".
    table : DataFrame
        One row per (policy, setting, rate): of each metric the mean over replications, and under ``<metric>_half`` the
        half width of its 95 % t-interval.
    paired : DataFrame
        Mean and half width of differences between two policies on the same draws.
    """

    load: Load
    hardware: Hardware
    policies: tuple[PolicySpec, ...]
    rates: tuple[float, ...]
    replications: int
    requests: int
    seed: int
    tuning: int
    fluid_limit: float
    cells: pd.DataFrame
    table: pd.DataFrame
    paired: pd.DataFrame


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    load: Load
    hardware: Hardware
    policies: tuple[PolicySpec, ...]
    rates: tuple[float, ...]
    replications: int
    requests: int
    seed: int
    measuring: Measuring = field(default_factory=Measuring)

    def draw(self, rate: float, replication: int) -> Draw:
        """Return a draw; replications beyond those reported serve the tuning."""
        beyond = replication >= self.replications and not self.load.replayed
        shift = TUNING_FROM - self.replications if beyond else 0
        return Draw(self.load, rate, self.requests, self.seed, replication + shift)


def sweep(
    workload: str | Workload | Requests | Load,
    policies: str | Iterable[str | PolicySpec],
    rates: Sequence[float] | None = None,
    hardware: Hardware | str | None = None,
    *,
    replications: int = 10,
    requests: int = REQUESTS,
    seed: int = 0,
    tuning: int = 1,
    eviction: str | None = None,
    measuring: Measuring | None = None,
    workers: int | None = None,
    progress: bool | Reporter = False,
) -> Sweep:
    """Run policies at several rates and compare them on the same draws.

    Parameters
    ----------
    workload : str, Workload, Requests or Load
        See `open_load`.
    policies : str or list
        Ids with parameters; commas between them in a text.
    rates : list of float, optional
        Requests per second. Default: 12 rates from 0.3 to 1.02 of the fluid limit.
    hardware : Hardware or str, optional
        A text names a preset. Default: ``a100-llama2-7b-roofline``.
    replications : int
        One has no interval; fewer than ten get no verdict on stability.
    requests : int
        Per replication.
    seed : int
        Replication k uses seed + k. All rates and policies share the draws.
    tuning : int
        Candidates per policy and rate, the default among them; 1: no tuning. They are compared by mean latency on three
        further draws; the best one runs on the reported draws beside the default.
    eviction : str, optional
        Of every policy; default: each its own.
    measuring : Measuring, optional
        Warm-up, cool-down, targets.
    workers : int, optional
        Processes; the result does not depend on it. Default: all cores.
    progress : bool or Reporter
        Whether to show progress on stderr.

    Returns
    -------
    Sweep

    Raises
    ------
    UnknownName, BadParameter
        One line: a name that does not exist, a value without meaning.

    Warns
    -----
    FitWarning
        Some run left the range that the clock was fitted on.
    """
    load = open_load(workload)
    machine = Hardware.of(hardware)
    limit = load.fluid_limit(machine)
    plan = Plan(
        load,
        machine,
        contenders(policies, eviction),
        default_rates(limit) if rates is None else _checked_rates(rates),
        _count("replications", replications),
        _count("requests", requests),
        seed,
        measuring or Measuring(),
    )
    _must_have_windows(plan, tuning)
    refuse_misfits(load, plan.policies, machine)
    tell = reporter(progress) if isinstance(progress, bool) else progress
    count = worker_count(workers)
    try:
        warm_up(plan.policies)
        tuned = _tune(plan, tuning, count, tell) if tuning != 1 else {}
        rows = _run(plan, tuned, count, tell)
    finally:
        if isinstance(progress, bool):
            tell.close()
    seen = [row["cell"].evidence for row in rows if row["cell"].evidence is not None]
    warn_outside(machine.clock, max((e.cached for e in seen), default=0), max((e.prompt for e in seen), default=0))
    cells = cells_table(rows)
    table = summary_table(rows)
    return Sweep(
        load, machine, plan.policies, plan.rates, replications, requests, seed, tuning, limit, cells, table,
        paired_table(cells),
    )  # fmt: skip


def default_rates(limit: float) -> tuple[float, ...]:
    """Return 12 rates around a fluid limit, to three digits."""
    return tuple(float(f"{limit * share:.3g}") for share in np.linspace(FIRST_LOAD, LAST_LOAD, RATES))


def _tune(plan: Plan, budget: int, workers: int, tell: Reporter) -> dict[tuple[int, int], PolicySpec]:
    """Return the best candidate by (rate, policy) number."""
    choices = [
        [tuner.distinct(tuner.candidates(p, budget, plan.load, rate, plan.hardware)) for p in plan.policies]
        for rate in plan.rates
    ]
    tasks = []
    for r, rate in enumerate(plan.rates):
        flat = tuple(candidate for candidates in choices[r] for candidate in candidates)
        tasks += [
            (plan.draw(rate, plan.replications + k), plan.hardware, flat, plan.measuring)
            for k in range(TUNING_REPLICATIONS)
        ]
    found = _all(tasks, "tuning", workers, tell)
    chosen = {}
    for r in range(len(plan.rates)):
        replications = found[r * TUNING_REPLICATIONS : (r + 1) * TUNING_REPLICATIONS]
        at = 0
        for p, candidates in enumerate(choices[r]):
            stop = at + len(candidates)
            per_candidate = list(zip(*(cells[at:stop] for cells in replications), strict=True))
            chosen[r, p], at = candidates[tuner.best(per_candidate)], stop
    return chosen


def _run(plan: Plan, tuned: dict[tuple[int, int], PolicySpec], workers: int, tell: Reporter) -> list[dict[str, Any]]:
    """Run all reported draws; return one row per (policy, setting, rate, replication), in that order."""
    tasks, of = [], []
    for r, rate in enumerate(plan.rates):
        runners = [(policy, "default") for policy in plan.policies]
        runners += [(tuned[r, p], "tuned") for p in range(len(plan.policies)) if tuned]
        flat = tuple(policy for policy, _ in runners)
        for k in range(plan.replications):
            tasks.append((plan.draw(rate, k), plan.hardware, flat, plan.measuring))
            of.append((rate, k, runners))
    rows = []
    for (rate, k, runners), cells in zip(of, _all(tasks, "runs", workers, tell), strict=True):
        for p, ((policy, setting), cell) in enumerate(zip(runners, cells, strict=True)):
            label = plan.policies[p % len(plan.policies)].label
            about = {"workload": plan.load.name, "policy": label, "setting": setting, "rate": rate, "replication": k}
            rows.append({**about, "given": policy.call, "eviction": policy.eviction, "cell": cell, "order": p})
    return sorted(rows, key=lambda row: (row["order"], row["rate"], row["replication"]))


def _all(tasks: Sequence[tuple[Any, ...]], title: str, workers: int, tell: Reporter) -> list[list[Cell]]:
    """Run tasks of `trial` and return their cells in order."""
    tell.stage(title, sum(len(task[2]) for task in tasks))
    found: dict[int, list[Cell]] = {}
    for number, cells in parallel(_numbered, [(k, *task) for k, task in enumerate(tasks)], workers):
        found[number] = cells
        tell.advance(len(cells), sum(cell.status != "ok" for cell in cells))
    return [found[k] for k in range(len(tasks))]


def _numbered(number: int, *task: Any) -> tuple[int, list[Cell]]:
    return number, trial(*task)


def _checked_rates(rates: Sequence[float]) -> tuple[float, ...]:
    found = tuple(float(rate) for rate in rates)
    if not found:
        raise BadParameter("rates is empty: give requests per second, such as 10,20")
    for rate in found:
        if not (np.isfinite(rate) and rate > 0):
            raise BadParameter(f"rate is {rate:g}: give requests per second above 0")
        if found.count(rate) > 1:
            raise BadParameter(f"rate {rate:g} is given twice: once is enough")
    return found


def _count(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise BadParameter(f"{what} is {value!r}: give a whole number, 1 or more")
    return int(value)


def _must_have_windows(plan: Plan, tuning: int) -> None:
    """Refuse a replayed trace that is too short, before anything runs."""
    there = plan.load.windows(plan.requests)
    needed = plan.replications + (TUNING_REPLICATIONS if tuning != 1 else 0)
    if there is not None and there < needed:
        raise BadParameter(
            f"{plan.load.name} has {there} windows of {plan.requests} requests, {needed} are needed (one a "
            f"replication{', and three for tuning' if tuning != 1 else ''}): take fewer, or poisson arrivals"
        )
