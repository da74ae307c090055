"""Baselines of the unit-round model carried over: `ltr`, `trail`, `srpt` (defined in `algos.serving`).

`ltr`: Fu et al., "Efficient LLM Scheduling by Learning to Rank" (arXiv 2408.15792).
`trail`: Shahout et al., "Don't Stop Me Now: Embedding Based Scheduling for LLMs" (arXiv 2410.01035).
"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from algos.serving.reference.greedy import ShortestJobFirst
from algos.serving.reference.machine import Batch
from kvratio.problem.requests import Requests


class LearningToRank(ShortestJobFirst):
    """`ltr`: as `sjf`; who has waited for many iterations is promoted before all others, until it completes."""

    name = "ltr"
    defaults: ClassVar = {"max_batch": 128, "starvation": 256}
    default_eviction = "recompute"

    def prepare(self, requests: Requests) -> None:
        """Read the parameters; nobody is promoted."""
        super().prepare(requests)
        self.starvation = self.integer("starvation")
        self.since: dict[int, int] = {}  # iterations run when it joined the queue
        self.promoted: dict[int, int] = {}  # decision of the promotion

    def form(self) -> Batch:
        """Promote, then serve."""
        m = self.machine
        iterations = m.record.counters["iterations"]
        for i in m.waiting():
            joined = self.since.setdefault(i, iterations)
            if iterations - joined >= self.starvation:
                self.promoted.setdefault(i, m.decision)
        batch = super().form()
        still = m.waiting()
        self.since = {i: joined for i, joined in self.since.items() if i in still}
        return batch

    def sort_key(self, i: int) -> Any:
        """Return the promoted first, oldest promotion first; then the others by prediction."""
        if i in self.promoted:
            return 0, self.promoted[i], 0
        return 1, self.predicted(i), 0


class Trail(ShortestJobFirst):
    """`trail`: shortest predicted rest first; who is far enough cannot be preempted."""

    name = "trail"
    defaults: ClassVar = {"max_batch": 128, "protected": 0.8}
    default_eviction = "recompute"
    evictions = ("restart", "recompute")

    def prepare(self, requests: Requests) -> None:
        """Read the parameters."""
        super().prepare(requests)
        share = self.parameters["protected"]
        real = isinstance(share, Real) and not isinstance(share, bool)
        self.require(real and share >= 0, "protected", "a number >= 0")

    def age(self, i: int) -> int:
        """Return the tokens that i has."""
        m = self.machine
        return m.stage[i] - 1 if m.stage[i] > 0 else m.kept[i]

    def rest(self, i: int) -> int:
        """Return the predicted tokens to come, at least one."""
        return max(self.predicted(i) - self.age(i), 1)

    def protected(self) -> list[int]:
        """Return the residents that may not be preempted."""
        return [i for i in self.machine.residents() if self.age(i) >= self.parameters["protected"] * self.predicted(i)]

    def size(self, i: int) -> int:
        """Return what i holds if it runs now."""
        m = self.machine
        return m.footprint(i, in_batch=True) if i in m.residents() else m.need(i)

    def fits(self, i: int, chosen: list[int]) -> bool:
        """Return whether i fits beside the chosen."""
        return sum(self.size(j) for j in [*chosen, i]) <= self.machine.memory and len(chosen) + 1 <= self.max_batch

    def choose(self) -> list[int]:
        """Take the protected, then by predicted rest until the first that does not fit."""
        m = self.machine
        chosen = self.protected()
        for i in sorted({*m.residents(), *m.waiting()} - {*chosen}, key=lambda i: (self.rest(i), i)):
            if not self.fits(i, chosen):
                break
            chosen.append(i)
        return chosen

    def form(self) -> Batch:
        """Choose who is to be resident, evict the others, and run everybody."""
        m = self.machine
        chosen = self.choose()
        residents, waiting = m.residents(), m.waiting()
        for i in residents:
            if i not in chosen:
                m.evict(i)
        for i in waiting:
            if i in chosen:
                m.admit(i)
        return self.everyone()


class ShortestRemainingFirst(Trail):
    """`srpt`: nobody is protected; after the first misfit nobody is admitted, but residents that fit are kept."""

    name = "srpt"
    defaults: ClassVar = {"max_batch": 128}

    def prepare(self, requests: Requests) -> None:
        """Read the parameters."""
        ShortestJobFirst.prepare(self, requests)

    def choose(self) -> list[int]:
        """Take by predicted rest whatever fits; no newcomer after the first misfit."""
        m = self.machine
        chosen: list[int] = []
        misfit = False
        for i in sorted([*m.residents(), *m.waiting()], key=lambda i: (self.rest(i), i)):
            if misfit and i in m.waiting():
                continue
            if self.fits(i, chosen):
                chosen.append(i)
            else:
                misfit = True
        return chosen
