"""Rules against service-induced congestion: `rate_capped`, `mixed` (docs/serving.md, table of policies).

Ao, Dong, Luo, Simchi-Levi, "Service-Induced Congestion in Memory-Constrained LLM Serving" (arXiv 2606.15555).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, ClassVar

from algos.serving.reference.greedy import FirstComeFirstServed, ShortestJobFirst
from kvratio.problem.requests import Requests

#: shares of one admission that the bucket of `rate_capped` can hold
TICK = Fraction(1, 2**20)


class RateCapped(FirstComeFirstServed):
    """`rate_capped`: as `fcfs`, admissions are paid from a bucket that earns with every iteration."""

    name = "rate_capped"
    defaults: ClassVar = {"max_batch": 128, "rate": None, "share": 1.0, "burst": 1.0}

    def prepare(self, requests: Requests) -> None:
        """Fix what an iteration earns and what is kept, in whole ticks."""
        super().prepare(requests)
        rate = self.parameters["rate"]
        if rate is None:
            rate = self.equilibrium()
        self.rate = max(TICK, math.floor(rate / TICK) * TICK)
        self.burst = math.floor(self.parameters["burst"] / TICK) * TICK
        self.credit = Fraction(0)
        self.counted = 0  # iterations that have earned, the present one included

    def equilibrium(self) -> float:
        """Return share x C / (mean predicted area) over those that can fit."""
        m = self.machine
        areas = []
        for i in range(len(m.prompt)):
            if i not in m.refused:
                o = max(1, min(m.predicted[i], m.memory // m.block * m.block - m.prompt[i]))
                areas.append(sum(m.prompt[i] + stage for stage in range(o + 1)))
        return float(self.parameters["share"] * m.memory * len(areas) / float(sum(areas))) if areas else 1.0

    def admit(self) -> list[int]:
        """Admit while the test passes and the bucket holds a whole admission, or nobody is resident."""
        m = self.machine
        while self.counted < m.record.counters["iterations"] + 1:
            self.credit = min(self.credit, self.burst) + self.rate
            self.counted += 1
        return super().admit()

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Return whether there is room and credit; then the credit is spent."""
        if not super().passes_test(i, admitted) or (self.credit < 1 and self.machine.residents()):
            return False
        self.credit = max(self.credit - 1, Fraction(0))
        return True


class Mixed(ShortestJobFirst):
    """`mixed`: classes of predicted output take turns in proportion to their arrivals."""

    name = "mixed"
    defaults: ClassVar = {"max_batch": 128, "width": 1}

    def prepare(self, requests: Requests) -> None:
        """Nobody has arrived."""
        super().prepare(requests)
        self.width = self.integer("width")
        self.met: dict[int, set[int]] = {}

    def kind(self, i: int) -> int:
        """Return the class of a request."""
        return (max(1, self.predicted(i)) - 1) // self.width

    def queue(self) -> list[int]:
        """Return the waiting requests in the order in which the classes would take turns."""
        waiting = super().queue()
        for i in waiting:
            self.met.setdefault(self.kind(i), set()).add(i)
        left: dict[int, list[int]] = {}
        for i in waiting:
            left.setdefault(self.kind(i), []).append(i)
        turns: list[tuple[Any, int, int]] = []
        for kind, members in left.items():
            taken, met = len(self.met[kind]) - len(members), len(self.met[kind])
            turns += [(Fraction(2 * (taken + k) + 1, met), kind, i) for k, i in enumerate(members)]
        return [i for _, _, i in sorted(turns)]
