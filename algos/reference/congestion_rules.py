"""Rules against service-induced congestion: `rate_capped`, `mixed` (docs/policies.md section 8).

Ao, Dong, Luo, Simchi-Levi, "Service-Induced Congestion in Memory-Constrained LLM Serving" (arXiv 2606.15555).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

from algos.reference.list_policies import area
from algos.reference.policy import Policy

#: shares of one start that the bucket of `rate_capped` can hold
TICK = Fraction(1, 2**20)


class RateCapped(Policy):
    """`rate_capped`: first come first served, the latest is evicted, and starts are paid from a bucket."""

    name = "rate_capped"
    defaults: ClassVar[Mapping[str, Any]] = {"rate": None, "share": 1.0, "burst": 1.0}

    def prepare(self) -> None:
        """Fix what a round earns and what is kept, in whole ticks; the bucket is empty before epoch 0."""
        worker = self.worker
        rate = self.parameters["rate"]
        if rate is None:
            volumes = [area(worker.prompt[i], worker.predicted[i]) for i in range(worker.n)]
            rate = self.parameters["share"] * worker.memory * worker.n / float(sum(volumes))
        self.rate = max(TICK, math.floor(rate / TICK) * TICK)
        self.burst = math.floor(self.parameters["burst"] / TICK) * TICK
        self.credit = Fraction(0)
        self.epoch = -1

    def arrived(self, joined: list[int]) -> None:
        """Each round keeps at most ``burst`` of what is left and earns ``rate``; skipped rounds earn too."""
        while self.epoch < self.worker.now:
            self.credit = min(self.credit, self.burst) + self.rate
            self.epoch += 1

    def relieve(self) -> None:
        """While need > M: evict the running request of largest rank."""
        while self.worker.need() > self.worker.memory:
            self.worker.evict(max(self.worker.running(), key=self.worker.rank))

    def admit(self) -> None:
        """Start by rank while the next round fits and the bucket holds a whole start, or nothing runs."""
        worker = self.worker
        for i in sorted(worker.waiting(), key=worker.rank):
            if not worker.has_room(i) or (self.credit < 1 and worker.running()):
                break
            worker.start(i)
            self.credit = max(self.credit - 1, Fraction(0))


class Mixed(Policy):
    """`mixed`: classes of predicted length take turns in proportion to their arrivals."""

    name = "mixed"
    defaults: ClassVar[Mapping[str, Any]] = {"width": 1}

    def prepare(self) -> None:
        """Nobody has arrived."""
        self.width = self.integer("width", low=1)
        self.members: dict[int, list[int]] = {}

    def arrived(self, joined: list[int]) -> None:
        """Count arrivals by class."""
        for i in joined:
            self.members.setdefault((self.worker.predicted[i] - 1) // self.width, []).append(i)

    def relieve(self) -> None:
        """While need > M: evict the running request with the largest (start, number)."""
        worker = self.worker
        while worker.need() > worker.memory:
            worker.evict(max(worker.running(), key=lambda i: (worker.start_of(i), i)))

    def admit(self) -> None:
        """Start the first, by (est, number), of the class whose turn it is, until it does not fit."""
        worker = self.worker
        while worker.waiting():
            waiting = set(worker.waiting())
            turns = []
            for kind, members in self.members.items():
                left = sorted((worker.predicted[i], i) for i in members if i in waiting)
                if left:
                    taken = len(members) - len(left)
                    turns.append((Fraction(2 * taken + 1, len(members)), kind, left[0][1]))
            _, _, i = min(turns)
            if not worker.has_room(i):
                break
            worker.start(i)
