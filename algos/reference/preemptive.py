"""Engines that preempt: `fastserve_mlfq`, `trail`, `ltr` (docs/policies.md section 8).

fastserve_mlfq: Wu et al., "Fast Distributed Inference Serving for Large Language Models" (arXiv 2305.05920). trail:
Shahout et al., "Don't Stop Me Now: Embedding Based Scheduling for LLMs" (arXiv 2410.01035). ltr: Fu et al.,
"Efficient LLM Scheduling by Learning to Rank" (arXiv 2408.15792).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from algos.reference.policy import Policy


class FastServeMlfq(Policy):
    """`fastserve_mlfq`: a multi-level feedback queue; whatever is outside the best set that fits is swapped out."""

    name = "fastserve_mlfq"
    defaults: ClassVar[Mapping[str, Any]] = {"base": 1, "prefill_rate": None, "starvation": 1000}
    evictions = ("swap", "recompute")

    def prepare(self) -> None:
        """Set level, entry and use of every request as on arrival."""
        worker = self.worker
        self.base = self.integer("base", low=1)
        self.starvation = self.integer("starvation", low=1)
        rate = self.parameters["prefill_rate"]
        if rate is not None:
            self.require(rate > 0, "prefill_rate", "larger than 0, or None")
        self.level = [0 if rate is None else self.joining_level(ceil(s / rate)) for s in worker.prompt]
        self.entered = list(worker.arrival)
        self.used = [0] * worker.n
        self.last_active = list(worker.arrival)  # arrival, or the end of the last round it ran
        self.chosen: list[int] = []

    def quantum(self, level: int) -> int:
        """Return base 2^q."""
        return self.base * 2**level

    def joining_level(self, prefill_rounds: int) -> int:
        """Return the smallest q with base 2^q >= ceil(s / prefill_rate)."""
        q = 0
        while self.quantum(q) < prefill_rounds:
            q += 1
        return q

    def relieve(self) -> None:
        """Lift the starving, choose B, and evict the running requests outside B."""
        worker = self.worker
        present = worker.waiting() + worker.running()
        for i in present:
            if worker.now - self.last_active[i] >= self.starvation:
                self.level[i], self.entered[i], self.used[i] = 0, worker.now, 0
        self.chosen = []
        need = 0
        for i in sorted(present, key=lambda j: (self.level[j], self.entered[j], j)):
            if need + worker.demand(i) > worker.memory:
                break
            self.chosen.append(i)
            need += worker.demand(i)
        for i in worker.running():
            if i not in self.chosen:
                worker.evict(i)

    def admit(self) -> None:
        """Start (or resume) the requests of B that do not run."""
        for i in self.chosen:
            if not self.worker.is_running(i):
                self.worker.start(i)

    def after_round(self, ran: list[int]) -> None:
        """Charge the round; a request that has used its quantum goes down a level."""
        for i in ran:
            self.last_active[i] = self.worker.now
            self.used[i] += 1
            if self.used[i] == self.quantum(self.level[i]):
                self.level[i], self.used[i], self.entered[i] = self.level[i] + 1, 0, self.worker.now


class Trail(Policy):
    """`trail`: shortest predicted remaining time; a request past the share C of its prediction is not preempted."""

    name = "trail"
    defaults: ClassVar[Mapping[str, Any]] = {"C": 0.8}

    def prepare(self) -> None:
        """Check C."""
        self.require(self.parameters["C"] >= 0, "C", "at least 0")
        self.chosen: list[int] = []

    def remaining(self, i: int) -> int:
        """Return rem_i = max(est_i - age_i, 1)."""
        return max(self.worker.predicted[i] - self.worker.age(i), 1)

    def relieve(self) -> None:
        """Keep the requests that may not be preempted as far as they fit, fill up B, evict the others."""
        worker = self.worker
        fixed = [i for i in worker.running() if worker.age(i) >= self.parameters["C"] * worker.predicted[i]]
        while sum(worker.demand(i) for i in fixed) > worker.memory:
            i = max(fixed, key=lambda j: (worker.start_of(j), j))
            fixed.remove(i)
            worker.evict(i)
        self.chosen = list(fixed)
        need = sum(worker.demand(i) for i in fixed)
        others = [i for i in worker.running() + worker.waiting() if i not in fixed]
        for i in sorted(others, key=lambda j: (self.remaining(j), j)):
            if need + worker.demand(i) > worker.memory:
                break
            self.chosen.append(i)
            need += worker.demand(i)
        for i in worker.running():
            if i not in self.chosen:
                worker.evict(i)

    def admit(self) -> None:
        """Start the waiting requests of B."""
        for i in self.chosen:
            if not self.worker.is_running(i):
                self.worker.start(i)


class LearningToRank(Policy):
    """`ltr`: by the order of predictions, with promotion of those that have waited too long."""

    name = "ltr"
    defaults: ClassVar[Mapping[str, Any]] = {"starvation": 256, "quantum": None}

    def prepare(self) -> None:
        """Nobody has waited and nobody is promoted."""
        self.starvation = self.integer("starvation", low=1)
        self.quantum = None if self.parameters["quantum"] is None else self.integer("quantum", low=1)
        self.waited = [0] * self.worker.n  # rounds waited since the last start or arrival
        self.stamp: dict[int, int] = {}  # promoted requests and when
        self.promoted_rounds = [0] * self.worker.n

    def order(self, i: int) -> tuple[int, int, int]:
        """Return the place in the order: promoted by (stamp, index), then the others by (score, index)."""
        if i in self.stamp:
            return 0, self.stamp[i], i
        return 1, self.worker.predicted[i], i

    def relieve(self) -> None:
        """Promote those that have waited ``starvation`` rounds; while need > M evict the last in the order."""
        worker = self.worker
        for i in worker.waiting():
            if self.waited[i] >= self.starvation and i not in self.stamp:
                self.stamp[i] = worker.now
                self.promoted_rounds[i] = 0
        while worker.need() > worker.memory:
            worker.evict(max(worker.running(), key=self.order))

    def admit(self) -> None:
        """Start in order while the next round fits."""
        for i in sorted(self.worker.waiting(), key=self.order):
            if not self.worker.has_room(i):
                break
            self.worker.start(i)
            self.waited[i] = 0

    def after_round(self, ran: list[int]) -> None:
        """Count waiting; with a quantum, a promotion ends after that many rounds of running."""
        for i in self.worker.waiting():
            self.waited[i] += 1
        for i in ran:
            if i in self.stamp:
                self.promoted_rounds[i] += 1
                if self.promoted_rounds[i] == self.quantum:
                    del self.stamp[i]
