"""Advice on a mix: the verdict of theory, whole requests with and without the cap, and routing over replicas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.suite.stability.mix import Mix
from stability import open_arrivals
from stability.congestion.classes import Classes
from stability.congestion.diagnosis import Diagnosis, diagnose
from stability.congestion.plan_run import simulate_plan
from stability.congestion.routing import Plan, group_classes, plan_of, route

#: iterations of a simulation of whole requests: longest decode lengths, at least, and e-folding times
TURNS, GROWTHS = 20, 15
#: iterations, and most footprints added up in a run
LEAST_STEPS, MOST_STEPS, MOST_WORK = 10_000, 100_000, 4 * 10**8
#: caps tried, as shares of x*: whole requests fill a stage more unevenly than mass does
CAPS = (1.0, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class Whole:
    """Whole requests under an endless backlog, second half of a run from an empty worker.

    Attributes
    ----------
    share : float
        Cap on admissions as a share of x*; infinite: none.
    cap : float
        Admissions per iteration.
    throughput, ratio : float
        Completions per iteration, and over x*.
    evictions : float
        Per completion; nan without completions.
    mean_fill : float
    """

    share: float
    cap: float
    throughput: float
    ratio: float
    evictions: float
    mean_fill: float


@dataclass(frozen=True)
class Routing:
    """A plan with what its groups do: real-valued mass, and whole requests.

    Attributes
    ----------
    name : str
    plan : Plan
    ratio : float
        Completions over x*, mass, least over the groups.
    evictions : float
        Evicted per iteration over x*, mass, mean over the replicas.
    whole_ratio, whole_evictions : float
        The same of whole requests; evictions per completion. nan where a request does not fit.
    """

    name: str
    plan: Plan
    ratio: float
    evictions: float
    whole_ratio: float
    whole_evictions: float


@dataclass(frozen=True)
class Advice:
    """What to know about a mix on one worker.

    Attributes
    ----------
    mix : Mix
    memory : int
    diagnosis : Diagnosis
    steps : int
        Iterations of whole requests; 0: some can never finish, so there is no run.
    greedy : Whole or None
    capped : Whole or None
        With the largest cap of `CAPS` that left no evictions; with the smallest where none did. Of a stable mix: x*.
    at_equilibrium : Whole or None
        With the cap x* itself.
    routings : tuple of Routing
        Same mix everywhere, by length, and the best found; empty for one replica.
    """

    mix: Mix
    memory: int
    diagnosis: Diagnosis
    steps: int
    greedy: Whole | None
    capped: Whole | None
    at_equilibrium: Whole | None
    routings: tuple[Routing, ...]


def advise(mix: Mix, memory: int, replicas: int = 1, steps: int | None = None, seed: int = 0) -> Advice:
    """Return the verdict on a mix, what simulation says, and a routing over replicas.

    Parameters
    ----------
    mix : Mix
    memory : int
        M of one worker, tokens.
    replicas : int
        G; 1: no routing.
    steps : int, optional
        Iterations of whole requests. Default: `TURNS` longest decode lengths and `GROWTHS` e-folding times, as far as
        the limits allow.
    seed : int

    Raises
    ------
    BadParameter
    """
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < 1:
        raise BadParameter(f"replicas is {replicas!r}: give a whole number, 1 or more")
    found = diagnose(mix.prompt, mix.decode, memory, mix.shares)
    classes = mix.classes
    count = _steps(classes, memory, found, steps)
    fits = bool((classes.prompt + classes.decode <= memory).all())
    greedy = capped = first = None
    if fits:
        greedy = whole_requests(classes, memory, count, math.inf, seed)
        first = capped = whole_requests(classes, memory, count, CAPS[0], seed)
        for share in CAPS[1:]:
            # A stable mix needs no cap: there it only costs throughput.
            if capped.evictions == 0 or not found.unstable_modes:
                break
            capped = whole_requests(classes, memory, count, share, seed)
    routings = compare_routings(mix, memory, replicas, count, fits, seed) if replicas > 1 else ()
    return Advice(mix, memory, found, count if fits else 0, greedy, capped, first, routings)


def whole_requests(classes: Classes, memory: int, steps: int, share: float, seed: int) -> Whole:
    """Run whole requests of drawn classes with a cap of ``share`` x*."""
    x_star = memory / float(classes.share @ classes.work)
    cap = share * x_star
    run = open_arrivals.simulate(
        classes.prompt, classes.decode, memory, math.inf, steps, shares=classes.share, cap=cap, seed=seed
    )
    return Whole(share, cap, run.throughput, run.ratio, run.evictions_per_completion, run.mean_fill)


def compare_routings(mix: Mix, memory: int, replicas: int, steps: int, fits: bool, seed: int) -> tuple[Routing, ...]:
    """Return the same mix everywhere, the lengths sorted over the replicas, and the best plan found."""
    units = mix.units
    count = int(units.max()) + 1
    pooled: list[Any] = [tuple(range(count))]
    plans = [("same mix everywhere", _plan(mix, pooled, replicas))]
    if count >= 2:
        plans.append(("by length", _plan(mix, _by_length(mix, min(replicas, count)), replicas)))
    plans.append(("best found", route(mix.prompt, mix.decode, replicas, mix.shares, units=units)))
    return tuple(_routing(name, plan, mix, memory, steps, fits, seed) for name, plan in plans)


def _plan(mix: Mix, groups: list[Any], replicas: int) -> Plan:
    return plan_of(mix.prompt, mix.decode, groups, mix.shares, replicas=replicas, units=mix.units)


def _by_length(mix: Mix, parts: int) -> list[Any]:
    """Return units sorted by mean decode length and cut into runs of about equal work."""
    units, work = mix.units, mix.shares * mix.decode * (mix.prompt + (mix.decode + 1) / 2)
    count = int(units.max()) + 1
    mean = np.bincount(units, mix.shares * mix.decode) / np.bincount(units, mix.shares)
    order = np.argsort(mean, kind="stable")
    load = np.bincount(units, work)[order]
    middle = (np.cumsum(load) - load / 2) / load.sum()
    groups: list[list[int]] = [[int(order[0])]]
    for k in range(1, count):
        part = min(int(middle[k] * parts), parts - 1)
        # Every part gets a unit: none is skipped, and enough are left for those to come.
        if part >= len(groups) or count - k <= parts - len(groups):
            groups.append([])
        groups[-1].append(int(order[k]))
    return [tuple(group) for group in groups]


def _routing(name: str, plan: Plan, mix: Mix, memory: int, steps: int, fits: bool, seed: int) -> Routing:
    """Simulate every group of a plan."""
    mass = simulate_plan(plan, mix.prompt, mix.decode, memory, mix.shares, units=mix.units, steps=max(steps, 2))
    best = np.array(mass.equilibrium)
    whole = []
    if fits:
        for group in plan.groups:
            whole.append(whole_requests(group_classes(mix.classes, mix.units, group), memory, steps, math.inf, seed))
    weights = plan.replicas
    return Routing(
        name=name,
        plan=plan,
        ratio=float((np.array(mass.throughput) / best).min()),
        evictions=float(np.average(np.array(mass.evictions) / best, weights=weights)),
        whole_ratio=min((one.ratio for one in whole), default=math.nan),
        whole_evictions=float(np.average([one.evictions for one in whole], weights=weights)) if whole else math.nan,
    )


def _steps(classes: Classes, memory: int, found: Diagnosis, steps: int | None) -> int:
    """Return how many iterations to run."""
    if steps is not None:
        if isinstance(steps, bool) or steps < 2:
            raise BadParameter(f"steps is {steps!r}: give a whole number of iterations, 2 or more")
        return steps
    residents = max(1.0, found.equilibrium * float(classes.share @ classes.decode))
    wanted = TURNS * classes.d
    if found.unstable_modes and math.isfinite(found.e_folding):
        wanted = max(wanted, math.ceil(GROWTHS * found.e_folding))
    return max(2 * classes.d, min(max(wanted, LEAST_STEPS), MOST_STEPS, math.ceil(MOST_WORK / residents)), 1000)
