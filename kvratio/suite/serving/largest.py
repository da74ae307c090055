"""The largest stable rate of a policy: bisection between a stable and a not stable rate on the same draws.

First limit: from an empty system. Second limit: from a backlog, since greedy policies that restart what they evict can
work well from empty and never leave a backlog behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from instances.workloads.load import Workload
from kvratio.problem.errors import BadParameter, PolicyError
from kvratio.problem.fitting import warn_outside
from kvratio.problem.requests import Requests
from kvratio.suite.plan import PolicySpec
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.serving.contender import contender
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.misfit import refuse_misfits
from kvratio.suite.serving.trial import NO_THRESHOLDS, evidences, warm_up
from kvratio.suite.serving.verdict import LIMIT, REPLICATIONS, Evidence, Verdict, stability_verdict
from kvratio.suite.workers import parallel, worker_count

#: shares of the fluid limit at which the search begins; the upper one must not be stable
FIRST_LOW, FIRST_HIGH = 0.2, 1.05
#: the search ends at (high - low)/high <= so much
TOLERANCE = 0.02
#: requests of a replication at first
REQUESTS = 8000
#: an undecided verdict makes runs longer so many times
DOUBLINGS = 3
#: the first rate is halved at most so many times; below that the answer is 0
HALVINGS = 6
#: share of the answer that must be stable too
CONFIRM = 0.95
#: limits from empty and from a backlog that differ by more are both worth a line
DIFFER = 0.05


@dataclass(frozen=True)
class Visit:
    """A rate that the search looked at.

    Attributes
    ----------
    rate : float
    verdict : str
        "stable", "unstable", "undecided" or "no thresholds"; all but the first count as not stable.
    growth, half_width : float
        Share of arrivals that pile up, with its 95 % half width; nan without thresholds.
    n : int
        Requests per replication at last.
    reason : str
    """

    rate: float
    verdict: str
    growth: float
    half_width: float
    n: int
    reason: str

    @property
    def stable(self) -> bool:
        """Whether the rate counts as stable."""
        return self.verdict == "stable"


@dataclass(frozen=True)
class Search:
    """Where a search ended.

    Attributes
    ----------
    low, high : float
        Requests per second: stable at ``low``, not at ``high``. ``low`` 0: no stable rate was found.
    backlog : int
        Requests that waited at time 0.
    visits : tuple of Visit
        In order.
    confirmed : bool
        Whether 0.95 of ``low`` is stable too.
    """

    low: float
    high: float
    backlog: int
    visits: tuple[Visit, ...]
    confirmed: bool


@dataclass(frozen=True)
class LargestRate:
    """The largest stable rate of a policy on a workload.

    Attributes
    ----------
    policy : PolicySpec
    workload : str
    hardware : Hardware
    fluid_limit : float
        r_c, requests per second.
    empty : Search
        From an empty system.
    loaded : Search or None
        From a backlog of 2 C / E[l + o] requests.
    replications, seed : int
    """

    policy: PolicySpec
    workload: str
    hardware: Hardware
    fluid_limit: float
    empty: Search
    loaded: Search | None
    replications: int
    seed: int

    @property
    def low(self) -> float:
        """Largest rate found stable from an empty system."""
        return self.empty.low

    @property
    def high(self) -> float:
        """Least rate found not stable from an empty system."""
        return self.empty.high

    @property
    def share(self) -> float:
        """``low`` over the fluid limit."""
        return self.low / self.fluid_limit

    @property
    def two_limits(self) -> bool:
        """Whether a backlog lowers the limit by more than 5 %."""
        return self.loaded is not None and self.low - self.loaded.low > DIFFER * self.low

    @property
    def n(self) -> int:
        """Most requests that a replication took."""
        return max(visit.n for visit in self.empty.visits)

    def row(self) -> dict[str, Any]:
        """Return one row of a table."""
        loaded = self.loaded
        return {
            "workload": self.workload,
            "policy": self.policy.label,
            "eviction": self.policy.eviction,
            "low": self.low,
            "high": self.high,
            "share_of_fluid_limit": self.share,
            "fluid_limit": self.fluid_limit,
            "confirmed": self.empty.confirmed,
            "backlog": loaded.backlog if loaded else None,
            "low_from_backlog": loaded.low if loaded else None,
            "high_from_backlog": loaded.high if loaded else None,
            "two_limits": self.two_limits,
            "at_high": self.empty.visits[_least_not_stable(self.empty.visits)].verdict,
            "n": self.n,
            "replications": self.replications,
            "seed": self.seed,
        }

    def visits(self) -> list[dict[str, Any]]:
        """Return one row per rate visited."""
        parts = [("empty", self.empty)] + ([("backlog", self.loaded)] if self.loaded else [])
        return [{"policy": self.policy.label, "start": name, **vars(v)} for name, part in parts for v in part.visits]


def largest_stable_rate(
    policy: str | PolicySpec,
    workload: str | Workload | Requests | Load,
    clock: Any = None,
    memory: int | None = None,
    *,
    eviction: str | None = None,
    replications: int = REPLICATIONS,
    requests: int = REQUESTS,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    backlog: int | bool = True,
    block: int = 1,
    workers: int | None = None,
    progress: bool | Reporter = False,
) -> LargestRate:
    """Locate the largest stable rate of a policy.

    Parameters
    ----------
    policy : str or PolicySpec
        ``id`` or ``id:key=value,...``. Thresholds are chosen anew at each rate unless they are given.
    workload : str, Workload, Requests or Load
        Its own rate is not used.
    clock : Clock, RooflineClock, Hardware or str, optional
        A text names a preset. Default: ``a100-llama2-7b-roofline``.
    memory : int, optional
        C in tokens. Default: the preset's.
    eviction : str, optional
        Default: the policy's.
    replications : int
        At least 10.
    requests : int
        Per replication at first; doubled while a verdict is undecided, at most three times.
    seed : int
        Replication k uses seed + k at every rate.
    tolerance : float
        The search ends at (high - low)/high <= tolerance.
    backlog : int or bool
        Requests waiting at time 0 in a second search; True: 2 C / E[l + o]; False or 0: no second search.
    block : int
        KV block in tokens.
    workers : int, optional
        Processes; the answer does not depend on it.
    progress : bool or Reporter

    Returns
    -------
    LargestRate

    Raises
    ------
    UnknownName, BadParameter
        A name or value without meaning.
    PolicyError
        The policy is stable above the fluid limit, so engine or fluid model are wrong.

    Warns
    -----
    FitWarning
        Some run left the range that the clock was fitted on.
    """
    found = contender(policy, eviction)
    load, machine = open_load(workload), _machine(clock, memory, block)
    if replications < REPLICATIONS:
        raise BadParameter(f"replications is {replications}: a verdict needs at least {REPLICATIONS}")
    if not 0 < tolerance < 1:
        raise BadParameter(f"tolerance is {tolerance!r}: give a share above 0 and below 1, such as 0.02")
    refuse_misfits(load, [found], machine)
    limit = load.fluid_limit(machine)
    tell = reporter(progress) if isinstance(progress, bool) else progress
    judge = _Judge(found, load, machine, replications, requests, seed, worker_count(workers), tell)
    try:
        warm_up([found])
        empty = _from_empty(judge, limit, tolerance)
        queued = _backlog(backlog, load, machine)
        loaded = _from_backlog(replace(judge, backlog=queued), empty, tolerance) if queued and empty.low else None
    finally:
        if isinstance(progress, bool):
            tell.close()
    warn_outside(machine.clock, *judge.reached)
    return LargestRate(found, load.name, machine, limit, empty, loaded, replications, seed)


def stable_at(
    policy: PolicySpec,
    load: Load,
    hardware: Hardware,
    rate: float,
    *,
    replications: int = REPLICATIONS,
    requests: int = REQUESTS,
    seed: int = 0,
    workers: int = 1,
    progress: Reporter,
) -> bool:
    """Whether a policy is stable at one rate, by the rules of `largest_stable_rate`."""
    return _Judge(policy, load, hardware, replications, requests, seed, workers, progress).visit(rate).stable


@dataclass(frozen=True)
class _Judge:
    """Visits rates."""

    policy: PolicySpec
    load: Load
    hardware: Hardware
    replications: int
    requests: int
    seed: int
    workers: int
    tell: Reporter
    backlog: int = 0
    #: most key-value tokens and most prompt tokens of an iteration so far
    reached: list[int] = field(default_factory=lambda: [0, 0])

    def visit(self, rate: float) -> Visit:
        """Judge one rate, with longer runs while the verdict is undecided."""
        n = self.requests
        for attempt in range(DOUBLINGS + 1):
            answers = self._runs(rate, n)
            missing = [answer for answer in answers if isinstance(answer, str)]
            if missing:
                return self._told(Visit(rate, NO_THRESHOLDS, np.nan, np.nan, n, missing[0]))
            verdict = stability_verdict([answer for answer in answers if isinstance(answer, Evidence)])
            if verdict.verdict != "undecided" or attempt == DOUBLINGS:
                break
            n = _longer(verdict, n)
        return self._told(Visit(rate, verdict.verdict, verdict.growth, verdict.half_width, n, verdict.reason))

    def _runs(self, rate: float, n: int) -> list[Evidence | str]:
        tasks = [
            (k, self.load, rate, n, self.seed, k, self.hardware, self.policy, self.backlog)
            for k in range(self.replications)
        ]
        found: dict[int, Evidence | str] = dict(parallel(_numbered, tasks, self.workers))
        for one in found.values():
            if isinstance(one, Evidence):
                self.reached[:] = max(self.reached[0], one.cached), max(self.reached[1], one.prompt)
        return [found[k] for k in range(self.replications)]

    def _told(self, visit: Visit) -> Visit:
        start = f" from a backlog of {self.backlog}" if self.backlog else ""
        self.tell.note(f"{self.policy.label} at {visit.rate:.4g}/s{start}: {visit.verdict} ({visit.reason})")
        return visit


def _numbered(number: int, *task: Any) -> tuple[int, Evidence | str]:
    return number, evidences(*task)


def _longer(verdict: Verdict, n: int) -> int:
    """Double n; of a verdict that only lacks length take the length it needs where that is more."""
    nearly = verdict.growth + verdict.half_width < LIMIT
    return max(2 * n, verdict.n_needed) if nearly else 2 * n


def _from_empty(judge: _Judge, limit: float, tolerance: float) -> Search:
    visits: list[Visit] = []
    low = _halve(judge, FIRST_LOW * limit, visits)
    high = FIRST_HIGH * limit if low == FIRST_LOW * limit else visits[_least_not_stable(visits)].rate
    if low == FIRST_LOW * limit:
        visits.append(judge.visit(high))
        if visits[-1].stable:
            raise PolicyError(
                f"{judge.policy.label} is stable at {high:.6g} requests/s, above the fluid limit {limit:.6g}: the "
                "engine or the fluid model is wrong, please report it"
            )
    return _close(judge, low, high, visits, tolerance)


def _from_backlog(judge: _Judge, empty: Search, tolerance: float) -> Search:
    """Begin at what was stable from empty: a backlog makes nothing easier."""
    visits = [judge.visit(empty.low)]
    if visits[0].stable:
        return _close(judge, empty.low, empty.high, visits, 1.0)
    low = _halve(judge, 0.5 * empty.low, visits)
    return _close(judge, low, visits[_least_not_stable(visits)].rate, visits, tolerance)


def _halve(judge: _Judge, rate: float, visits: list[Visit]) -> float:
    """Return the first stable rate among rate, rate/2, ...; 0 where there is none."""
    for halving in range(HALVINGS + 1):
        visits.append(judge.visit(rate / 2**halving))
        if visits[-1].stable:
            return visits[-1].rate
    return 0.0


def _close(judge: _Judge, low: float, high: float, visits: list[Visit], tolerance: float) -> Search:
    """Bisect, then look at 0.95 of the answer."""
    while low and (high - low) / high > tolerance:
        middle = (low + high) / 2
        visits.append(judge.visit(middle))
        low, high = (middle, high) if visits[-1].stable else (low, middle)
    if not low:
        return Search(low, high, judge.backlog, tuple(visits), False)
    visits.append(judge.visit(CONFIRM * low))
    return Search(low, high, judge.backlog, tuple(visits), visits[-1].stable)


def _least_not_stable(visits: Sequence[Visit]) -> int:
    """Return which visit was to the least rate that is not stable."""
    bad = [k for k, visit in enumerate(visits) if not visit.stable]
    return min(bad, key=lambda k: visits[k].rate)


def _machine(clock: Any, memory: int | None, block: int) -> Hardware:
    if clock is None or isinstance(clock, (str, Hardware)):
        found = Hardware.of(clock)
        return replace(found, memory=found.memory if memory is None else memory, block=max(block, found.block))
    if memory is None:
        raise BadParameter("memory is missing: give C in tokens beside the clock")
    return Hardware(clock, memory, block)


def _backlog(asked: int | bool, load: Load, machine: Hardware) -> int:
    if isinstance(asked, bool):
        return round(2 * machine.memory / load.mean_tokens) if asked else 0
    if not isinstance(asked, (int, np.integer)) or asked < 0:
        raise BadParameter(f"backlog is {asked!r}: give a number of requests >= 0, or True for 2 C / E[l + o]")
    return int(asked)
