"""The course of one exact search: first bounds, prices, beams, and sweeps under rising thresholds."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from lowerbounds.closed_form import best_closed_form
from lowerbounds.exact.jobs import Jobs, arrange
from lowerbounds.exact.orders import first_schedule
from lowerbounds.exact.profiles import most_active
from lowerbounds.exact.reprice import RECENT, VECTORS, Repricer
from lowerbounds.exact.root import Root, ascend, begin, effort, improve, price_cores
from lowerbounds.exact.sweep import Limits, sweep
from lowerbounds.exact.tables import BoolArray, PriceTable, all_completions, fix, tabulate
from lowerbounds.horizon import latest_completions
from lowerbounds.prices import potential_prices

IntArray = npt.NDArray[np.int64]

#: requests in a 64-bit set: labels need one
MOST_REQUESTS = 64
#: requests up to which there are prices, and orders, without labels
MOST_PRICED = 256
#: largest instance for which a proof is recorded
RECORDED = 16
#: entries of the tables (rounds x sum of outputs) above which the search is not tried
TABLE = 20_000_000
#: steps of one lifting (states x active requests x memory) above which no LP is solved
LIFTING = 30_000_000
#: LP entries (columns x run length) above which no LP is solved: a solver looks at the clock between iterations only
ENTRIES = 150_000
#: denominator of the prices; halved until all sums fit
DENOMINATOR = 1 << 30
#: orders tried per squared number of requests for the first upper bound, in 20 seconds (up to three times that in more)
ORDERS = 800
#: orders x rounds of a serial schedule: fewer orders where rounds are many
ORDER_STEPS = 800_000_000
#: requests x rounds above which the first schedule is serial
ROUNDS = 100_000_000
#: (patience of the LP, stages of the ascent, width of the beam that follows)
PHASES = ((0.10, 3, 300), (0.06, 1, 1000), (0.03, 1, 4000))
#: seconds planned below which the first phase must do
HASTY = 4.5
#: stages of the ascent in all phases
STAGES = 5
#: smoothing of the first stage over core rows, as a share of the mean completion
CORE_SMOOTHING = 0.03
#: the same over all profile cuts; halved after each stage
SMOOTHING = 0.015
#: entries that a step of the ascent touches in a second (a slow estimate); fixes the steps, whatever the clock says
ENTRIES_PER_SECOND = 2e9
#: least and most steps of a stage
STEPS = (20, 250)
#: how much longer than planned the least steps of a phase may take
OVERDRAFT = 5.0
#: largest effort of one step of the ascent: about half a second
EFFORT = 1_000_000_000
#: upper / lower up to which a beam is tried: with weak prices it misleads
HOPEFUL = 1.1
#: labels of the first full sweep, and its share of the time that is left (not under a work limit); if they do not
#: suffice, thresholds are raised step by step
FIRST_LABELS, FIRST_SHARE = 100_000_000, 0.75
#: LP entries (columns x run length) above which labels get no prices of their own
REPRICED = 1_000_000
#: labels from which a recorded proof is worth sharper prices, and the time for these as a share of the time so far
POLISHED, POLISH_SHARE = 20_000, 0.5
#: share of the time after which no more orders are tried, should the clock run ahead of the work
ORDER_SHARE = 0.25
#: share of the time that the steps of the ascent are planned for, and share of the time after which none is begun
ASCENT_SHARE, ASCENT_STOP = 0.35, 0.8
#: share of the time for root prices by the LP
ROOT_SHARE = 0.4


class Course:
    """State of one search, in total completion."""

    def __init__(
        self,
        inst: Instance,
        began: float,
        deadline: float,
        work: int | None,
        memory: int,
        seed: int,
        plan: float | None,
    ) -> None:
        self.inst, self.began, self.deadline, self.seed = inst, began, deadline, seed
        #: seconds that steps are planned for, and whether they are those of the clock
        self.plan = deadline - began if plan is None else plan
        self.by_clock = plan is None
        self.threads: ThreadPoolExecutor | None = None
        self.limits = Limits(deadline, work, memory)
        self.cost: int | None = None
        self.starts = np.zeros(0, np.int64)
        self.lower = 0
        self.statistics: dict[str, Any] = {"passes": [], "expanded": 0, "priced": 0}
        self.jobs: Jobs | None = None
        self.root: Root | None = None
        self.sizes = 0
        self.smoothing = 0.0

    @property
    def recorded(self) -> bool:
        """Whether the prices are recorded for a proof."""
        return self.inst.n <= RECORDED

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
        timeless = self.deadline <= time.monotonic() or self.inst.n > MOST_PRICED
        serial = int(self.inst.arrival.max()) + int(self.inst.output.sum())
        orders = 0 if timeless else min(ORDERS * self.inst.n**2, ORDER_STEPS // serial)
        work = self.inst.n * int(orders * min(3.0, self.plan / 20.0))
        # The decoder walks over rounds: quadratic, so long instances only get a serial schedule.
        stop = self.began + ORDER_SHARE * (self.deadline - self.began)
        self.offer(*first_schedule(self.inst, self.seed, work, ROUNDS // self.inst.n, stop))
        self.raise_lower(best_closed_form(self.inst).integer)

    def too_large(self) -> str | None:
        """Return why the label search cannot be tried, or None; prepares the tables if it can."""
        inst = self.inst
        if inst.n > MOST_PRICED:
            return f"more than {MOST_PRICED} requests"
        record = self.recorded
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

    def sharpen(self, patience: float, stages: int, share: float) -> None:
        """Raise the root prices: by the ascent; by the LP where a proof is recorded or the ascent would be slow."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        if self.done:
            return
        if self.recorded and self._solvable():
            self._solve(patience, min(self.deadline, self.began + share * (self.deadline - self.began)))
        else:
            stop = self.began + ASCENT_STOP * (self.deadline - self.began)
            if not self.smoothing:
                self._price_cores(stop)
            assert self.root is not None
            work = effort(jobs, self.root, self.sizes, self.makespan)
            least = work * STEPS[0] * stages / ENTRIES_PER_SECOND
            if work <= EFFORT and least <= OVERDRAFT * self.plan and not self.recorded:
                for _ in range(stages):
                    self._ascend(stop)
        assert self.root is not None
        self.raise_lower(-(-self.root.table.value // self.root.table.denominator))

    def _price_cores(self, stop: float) -> None:
        """Price core rows: a good start for all profile cuts, and the best there is where these take too long."""
        assert self.jobs is not None
        assert self.root is not None
        mean = self.upper / self.jobs.n
        self.smoothing = SMOOTHING * mean
        self.root = price_cores(
            self.jobs,
            self.root,
            potential_prices(self.inst),
            self.upper - 1,
            stop,
            self.makespan,
            CORE_SMOOTHING * mean,
            self.recorded,
        )

    def _ascend(self, stop: float) -> None:
        """Run one stage of the ascent."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        work = effort(jobs, root, self.sizes, self.makespan)
        if time.monotonic() > stop:
            return
        seconds = ASCENT_SHARE * self.plan
        steps = int(np.clip(seconds * ENTRIES_PER_SECOND / work / STAGES, *STEPS))
        self.root = ascend(jobs, root, self.upper - 1, self.sizes, stop, self.makespan, steps, self.smoothing)
        self.smoothing /= 2.0

    def _solvable(self) -> bool:
        """Return whether the LP is small enough to be stopped in time, and its cuts can be lifted."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        head = jobs.first_of_kind
        entries = int((root.allowed[head].sum(axis=1) * jobs.output[head]).sum())
        lifting = len(jobs.state_left) * (self.sizes + 1) * (jobs.memory + 1)
        return entries <= ENTRIES and lifting <= LIFTING

    def _solve(self, patience: float, stop: float) -> None:
        """Solve the LP with cuts."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        self.root = improve(
            jobs,
            root,
            self.upper - 1,
            self.sizes,
            stop,
            self.makespan,
            patience=patience,
            record=self.recorded,
        )

    def dive(self, width: int) -> None:
        """Look for a better schedule with a beam."""
        assert self.jobs is not None
        assert self.root is not None
        hopeless = self.inst.n > MOST_REQUESTS or self.upper > HOPEFUL * self.lower
        if self.done or time.monotonic() > self.deadline or hopeless:
            return
        beam = Limits(self.deadline, None, self.limits.memory)
        found = sweep(self.jobs, self.root.table, self.upper - 1, self.sizes, beam, beam=width, threads=self.threads)
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
            if limits.work is None:
                own.deadline -= (1.0 - FIRST_SHARE) * max(0.0, own.deadline - time.monotonic())
            own.work = min(most + limits.expanded, limits.work if limits.work is not None else most + limits.expanded)
        repricer = self.repricer(table, allowed)
        found = sweep(jobs, table, threshold, self.sizes, own, repricer=repricer, threads=self.threads)
        self.statistics["priced"] += 0 if repricer is None else repricer.solved
        limits.expanded = own.expanded
        self.statistics["passes"].append((threshold, found.expanded, found.stopped))
        if found.cost is not None and found.starts is not None:
            self.offer(found.cost, found.starts)
        self.raise_lower(found.lower)
        return found.complete

    def repricer(self, table: PriceTable, allowed: BoolArray) -> Repricer | None:
        """Return what prices the labels of a sweep, or None where a proof is recorded or the LP is large."""
        jobs, root = self.jobs, self.root
        assert jobs is not None
        assert root is not None
        head = jobs.first_of_kind
        if self.recorded or int((allowed[head].sum(axis=1) * jobs.output[head]).sum()) > REPRICED:
            # The replay of a proof knows the prices of the root only.
            return None
        priced = root.table.numerators > 0
        rows = [row for row, used in zip(root.rows, priced, strict=True) if used or row.weight is jobs.state_memory]
        repricer = Repricer(jobs, rows, allowed, table, self.deadline, self.sizes)
        # The tables of the pool count as memory for labels.
        repricer.vectors = min(VECTORS, self.limits.memory // 4 // repricer.pool.vector_bytes)
        return repricer if repricer.vectors > RECENT else None

    def polish(self) -> None:
        """Sharpen the prices of a recorded proof, so that the slow replay has fewer labels to visit."""
        if self.root is None or not self.recorded or not self.done or self.limits.expanded <= POLISHED:
            return
        if self._solvable():
            assert self.jobs is not None
            now = time.monotonic()
            self.root = improve(
                self.jobs,
                self.root,
                self.upper - 1,
                self.sizes,
                min(self.deadline, now + POLISH_SHARE * (now - self.began)) if self.by_clock else self.deadline,
                self.makespan,
                sweeps=40,
                patience=0.004,
                record=True,
            )

    def go(self) -> None:
        """Prices, beams and sweeps, once the tables are prepared."""
        hasty = self.plan < HASTY
        for patience, stages, width in PHASES[:1] if hasty else PHASES:
            self.sharpen(patience, stages, ROOT_SHARE)
            self.dive(width)
        if self.upper > HOPEFUL * self.lower and not hasty:
            # Labels get nowhere under weak prices: the time is better spent on the prices.
            self.sharpen(0.003, 1, 0.9)
            self.dive(1000)
        if self.inst.n > MOST_REQUESTS:
            return
        self.climb()
        self.polish()

    def climb(self) -> None:
        """Raise the threshold as far as the limits allow.

        Labels grow about exponentially with the threshold, so the next one is chosen from the growth seen so far.
        """
        assert self.root is not None
        if self.done or self.limits.reached() or self.sweep(self.upper - 1, FIRST_LABELS):
            return
        # Thresholds from here on need more memory than there is.
        ceiling = self.upper - 1 if self.statistics["passes"][-1][2] == "memory" else self.upper
        self.sharpen(0.01, 1, ROOT_SHARE)
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
