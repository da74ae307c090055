"""The exact search from end to end: upper bound, prices, beams, and sweeps under rising thresholds."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter
from lowerbounds.closed_form import best_closed_form
from lowerbounds.exact.jobs import Jobs, arrange
from lowerbounds.exact.orders import first_schedule
from lowerbounds.exact.profiles import most_active
from lowerbounds.exact.proof import describe
from lowerbounds.exact.root import Root, begin, improve
from lowerbounds.exact.sweep import Limits, sweep
from lowerbounds.exact.tables import all_completions, fix, tabulate
from lowerbounds.horizon import latest_completions
from lowerbounds.prices import potential_prices

IntArray = npt.NDArray[np.int64]

#: requests in a 64-bit set
MOST_REQUESTS = 64
#: largest instance for which a proof is recorded
RECORDED = 16
#: entries of the tables (rounds x sum of outputs) above which the search is not tried
TABLE = 20_000_000
#: steps of one lifting (states x active requests x memory) above which the LP goes without cuts
LIFTING = 30_000_000
#: LP entries (columns x run length) above which the closed-form prices are kept
ENTRIES = 5_000_000
#: denominator of the prices; halved until all sums fit
DENOMINATOR = 1 << 30
#: placements per request of the order search that gives the first upper bound
ORDER_WORK = 200_000
#: placements per request x rounds of a serial schedule: less work where rounds are many
ORDER_STEPS = 400_000_000
#: requests x rounds above which the first schedule is serial
ROUNDS = 100_000_000
#: (patience of the root, width of the beam that follows)
PHASES = ((0.10, 300), (0.06, 1000), (0.03, 4000))
#: upper / lower up to which a beam is tried: with weak prices it misleads
HOPEFUL = 1.1
#: labels of the first full sweep; if they do not suffice, thresholds are raised step by step
FIRST_LABELS = 6_000_000
#: labels from which a recorded proof is worth sharper prices
POLISHED = 20_000
#: share of the time for root prices
ROOT_SHARE = 0.4


@dataclass(frozen=True)
class SearchResult:
    """An interval that contains the optimum of the objective, and how it was found.

    Attributes
    ----------
    lower, upper : int
        For the objective asked for.
    starts : int64[n]
        A feasible schedule of cost ``upper``.
    status : {"optimal", "interval"}
    statistics : dict
        ``root`` (float bound of the prices), ``rows`` with a price, ``expanded`` labels, ``reason`` (why it stopped),
        ``passes`` (threshold, labels, end), ``seconds``
    proof : dict or None
        For n <= 16 and a proved lower bound: JSON-able prices that `replay.replay` checks.
    """

    lower: int
    upper: int
    starts: IntArray
    status: str
    statistics: dict[str, Any] = field(default_factory=dict)
    proof: dict[str, Any] | None = None


class _Run:
    """State of one search, in total completion."""

    def __init__(self, inst: Instance, began: float, deadline: float, work: int | None, memory: int, seed: int) -> None:
        self.inst, self.began, self.deadline, self.seed = inst, began, deadline, seed
        self.limits = Limits(deadline, work, memory)
        self.cost: int | None = None
        self.starts = np.zeros(0, np.int64)
        self.lower = 0
        self.statistics: dict[str, Any] = {"passes": [], "expanded": 0}
        self.jobs: Jobs | None = None
        self.root: Root | None = None
        self.sizes = 0

    @property
    def upper(self) -> int:
        """Cost of the best schedule."""
        assert self.cost is not None
        return self.cost

    @property
    def done(self) -> bool:
        """Whether both sides meet."""
        return self.lower >= self.upper

    @property
    def makespan(self) -> int:
        """Last completion of the best schedule."""
        return int((self.starts + self.inst.output).max())

    def offer(self, cost: int, starts: IntArray) -> None:
        """Keep a feasible schedule if it is the cheapest so far."""
        if self.cost is None or cost < self.cost:
            self.cost, self.starts = int(cost), starts

    def raise_lower(self, value: int) -> None:
        """Keep a lower bound; whatever excludes cheaper schedules cannot exceed the upper bound."""
        self.lower = max(self.lower, min(value, self.upper))

    def first_bounds(self) -> None:
        """Orders for the upper side, closed forms for the lower."""
        timeless = self.deadline <= time.monotonic() or self.inst.n > MOST_REQUESTS
        serial = int(self.inst.arrival.max()) + int(self.inst.output.sum())
        work = 0 if timeless else min(ORDER_WORK * self.inst.n, ORDER_STEPS * self.inst.n // serial)
        work = int(work * min(1.0, (self.deadline - self.began) / 20.0))
        # The decoder walks over rounds: quadratic, so long instances only get a serial schedule.
        self.offer(*first_schedule(self.inst, self.seed, work, ROUNDS // self.inst.n))
        self.raise_lower(best_closed_form(self.inst).integer)

    def too_large(self) -> str | None:
        """Return why the label search cannot be tried, or None; prepares the tables if it can."""
        inst = self.inst
        if inst.n > MOST_REQUESTS:
            return f"more than {MOST_REQUESTS} requests"
        record = inst.n <= RECORDED
        # A recorded proof starts from the one horizon that needs no proof of its own.
        rules = ("T1",) if record else ("T1", "T2", "T3")
        last = int(latest_completions(inst, self.upper, rules).max())
        if (last + 2) * int(inst.output.sum()) > TABLE:
            return "tables too large"
        Q = DENOMINATOR
        while Q > 1 and float(Q) * (last + 2) * inst.n > 2**52:
            Q //= 2
        jobs = arrange(inst)
        self.jobs = jobs
        allowed = all_completions(jobs, last)
        self.root = begin(jobs, allowed, potential_prices(inst), self.upper - 1, Q, record)
        self.raise_lower(-(-self.root.table.value // Q))
        copies = np.bincount(jobs.state_of, minlength=len(jobs.state_left))
        self.sizes = int(most_active(jobs.state_memory, jobs.state_left, copies, jobs.memory, jobs.n))
        return None

    def sharpen(self, patience: float, share: float) -> None:
        """Raise the root prices by the LP, with cuts where they are affordable."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        head = jobs.first_of_kind
        entries = int((root.allowed[head].sum(axis=1) * jobs.output[head]).sum())
        if entries > ENTRIES or self.done:
            return
        cuts = len(jobs.state_left) * (self.sizes + 1) * (jobs.memory + 1) <= LIFTING
        stop = min(self.deadline, self.began + share * (self.deadline - self.began))
        self.root = improve(
            jobs,
            root,
            self.upper - 1,
            self.sizes,
            stop,
            self.makespan,
            cuts,
            patience=patience,
            record=jobs.n <= RECORDED,
        )
        self.raise_lower(-(-self.root.table.value // self.root.table.denominator))

    def dive(self, width: int) -> None:
        """Look for a better schedule with a beam."""
        assert self.jobs is not None
        assert self.root is not None
        if self.done or time.monotonic() > self.deadline or self.upper > HOPEFUL * self.lower:
            return
        beam = Limits(self.deadline, None, self.limits.memory)
        found = sweep(self.jobs, self.root.table, self.upper - 1, self.sizes, beam, beam=width)
        if found.cost is not None and found.starts is not None:
            self.offer(found.cost, found.starts)
        self.raise_lower(found.lower)

    def sweep(self, threshold: int, most: int | None = None) -> bool:
        """Search everything of cost <= threshold; return whether the sweep was complete."""
        jobs, root, limits = self.jobs, self.root, self.limits
        assert jobs is not None
        assert root is not None
        allowed = fix(jobs, root.table, root.allowed, threshold)
        table = root.table
        if allowed.any(axis=1).all():
            table = tabulate(jobs, root.rows, root.prices, allowed, table.denominator)
        own = Limits(limits.deadline, limits.work, limits.memory, limits.expanded)
        if most is not None:
            own.work = min(most + limits.expanded, limits.work if limits.work is not None else most + limits.expanded)
        found = sweep(jobs, table, threshold, self.sizes, own)
        limits.expanded = own.expanded
        self.statistics["passes"].append((threshold, found.expanded, found.stopped))
        if found.cost is not None and found.starts is not None:
            self.offer(found.cost, found.starts)
        self.raise_lower(found.lower)
        return found.complete

    def polish(self) -> None:
        """Sharpen the prices of a recorded proof, so that the slow replay has fewer labels to visit."""
        if self.root is not None and self.inst.n <= RECORDED and self.done and self.limits.expanded > POLISHED:
            assert self.jobs is not None
            self.root = improve(
                self.jobs,
                self.root,
                self.upper - 1,
                self.sizes,
                self.deadline,
                self.makespan,
                sweeps=40,
                patience=0.004,
                record=True,
            )

    def climb(self) -> None:
        """Raise the threshold as far as the limits allow.

        Labels grow about exponentially with the threshold, so the next one is chosen from the growth seen so far.
        """
        assert self.root is not None
        if self.done or self.limits.reached() or self.sweep(self.upper - 1, FIRST_LABELS):
            return
        # Thresholds from here on need more memory than there is.
        ceiling = self.upper - 1 if self.statistics["passes"][-1][2] == "memory" else self.upper
        self.sharpen(0.01, ROOT_SHARE)
        low, low_log = self.lower - 1, math.log(10.0 * self.root.table.last)
        step = low + max(1, round(0.4 * (self.upper - 1 - low)))
        while not self.done and not self.limits.reached():
            threshold = min(max(step, self.lower), self.upper - 1, ceiling - 1)
            if threshold < self.lower:
                return
            began, before = time.monotonic(), self.limits.expanded
            if not self.sweep(threshold):
                if self.statistics["passes"][-1][2] != "memory":
                    return
                ceiling = threshold
                step = (self.lower + threshold) // 2
                continue
            labels = max(1, self.limits.expanded - before)
            growth = max((math.log(labels) - low_log) / max(1, threshold - low), 0.02)
            low, low_log = threshold, math.log(labels)
            rate = labels / max(time.monotonic() - began, 1e-3)
            left = (self.deadline - time.monotonic()) * rate
            if self.limits.work is not None:
                # With a work limit the choice must not depend on the clock.
                left = float(self.limits.work - self.limits.expanded)
            reach = int(math.log(max(0.4 * left / labels, 1.0)) / growth)
            full = math.log(max(1.2 * left / labels, 1.0)) / growth
            step = self.upper - 1 if threshold + full >= self.upper - 1 else threshold + max(1, reach)


def search(
    inst: Instance,
    objective: str = "completion",
    time_limit: float = 60.0,
    work_limit: int | None = None,
    memory_mb: int = 4000,
    seed: int = 0,
    upper: npt.ArrayLike | None = None,
) -> SearchResult:
    """Find the optimum of an instance of up to 64 requests, or an interval that contains it.

    Parameters
    ----------
    inst : Instance
        Batch or with arrivals. More than 64 requests, or very long ones, get closed-form bounds and list schedules.
    objective : {"completion", "flow"}
    time_limit : float
        Seconds. Where it ends the search, the result depends on the machine.
    work_limit : int, optional
        Labels to expand; results repeat to the byte where it ends the search.
    memory_mb : int
        Megabytes for labels.
    seed : int
        Of the order search behind the first upper bound.
    upper : array of int, shape (n,), optional
        Starts of a feasible schedule to begin with.

    Returns
    -------
    SearchResult

    Raises
    ------
    BadParameter
        When the objective is unknown, a limit is negative, or ``upper`` is no feasible schedule.
    """
    if objective not in ("completion", "flow"):
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")
    for name, value in (("time_limit", time_limit), ("work_limit", work_limit or 0), ("memory_mb", memory_mb)):
        if not value >= 0:
            raise BadParameter(f"{name} is {value}: give a number >= 0")
    began = time.monotonic()
    run = _Run(inst, began, began + time_limit, work_limit, memory_mb << 20, seed)
    if upper is not None:
        starts = _feasible(inst, upper)
        run.offer(int(starts.sum() + inst.output.sum()), starts)
    run.first_bounds()
    reason = None if run.done else run.too_large()
    if reason is None and not run.done:
        for patience, width in PHASES:
            run.sharpen(patience, ROOT_SHARE)
            run.dive(width)
        if run.upper > HOPEFUL * run.lower:
            # Labels get nowhere under weak prices: the time is better spent on the prices.
            run.sharpen(0.003, 0.9)
            run.dive(1000)
        run.climb()
        run.polish()
    return _conclude(run, objective, reason, time.monotonic() - began)


def _feasible(inst: Instance, starts: npt.ArrayLike) -> IntArray:
    """Return starts as int64[n] after checking arrivals and memory."""
    start = np.asarray(starts, dtype=np.int64)
    if start.shape != (inst.n,) or (start < inst.arrival).any():
        raise BadParameter(f"upper must hold {inst.n} starts, none before its arrival")
    # Memory is highest in rounds in which a request completes.
    for end in np.unique(start + inst.output).tolist():
        active = (start < end) & (start + inst.output >= end)
        if int((inst.prompt + end - start)[active].sum()) > inst.memory:
            raise BadParameter(f"upper is not feasible: more than {inst.memory} tokens in round {end}")
    return start


def _conclude(run: _Run, objective: str, reason: str | None, seconds: float) -> SearchResult:
    shift = int(run.inst.arrival.sum()) if objective == "flow" else 0
    statistics = run.statistics | {
        "expanded": run.limits.expanded,
        "reason": "done" if run.done else (reason or run.limits.reached() or "memory"),
        "seconds": seconds,
    }
    proof = None
    if run.root is not None and run.jobs is not None:
        statistics["root"] = run.root.table.value / run.root.table.denominator
        statistics["rows"] = int((run.root.table.numerators > 0).sum())
        if run.inst.n <= RECORDED:
            proof = describe(run.jobs, run.root, run.lower)
    status = "optimal" if run.done else "interval"
    return SearchResult(run.lower - shift, run.upper - shift, run.starts, status, statistics, proof)
