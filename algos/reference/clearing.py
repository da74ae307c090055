"""Clearing heuristics: `alpha_protection`, `alpha_beta_clearing` (docs/policies.md section 5).

Jaillet, Jiang, Mellou, Molinaro, Podimata, Zhou, "Online Scheduling for LLM Inference with KV Cache Constraints"
(arXiv 2502.07115).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any, ClassVar

from algos.reference.policy import Policy

MASK = 2**64 - 1


class SplitMix64:
    """The coin: SplitMix64 from the seed, its upper 53 bits as a float in [0, 1)."""

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK

    def uniform(self) -> float:
        """Return the next u."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z = z ^ (z >> 31)
        return (z >> 11) * 2.0**-53


class AlphaAdmission(Policy):
    """Admission by rank up to the share 1 - alpha of the memory; with nothing running the head always starts."""

    def prepare(self) -> None:
        """Set R = floor((1 - alpha) M + 1e-9)."""
        alpha = self.parameters["alpha"]
        self.require(0 <= alpha <= 1, "alpha", "in [0, 1]")
        self.reach = floor((1 - alpha) * self.worker.memory + 1e-9)

    def alone(self) -> bool:
        """Return whether only one request may run."""
        return False

    def admit(self) -> None:
        """Run the admission loop."""
        worker = self.worker
        for i in sorted(worker.waiting(), key=worker.rank):
            if worker.running() and (self.alone() or worker.need() + worker.demand(i) > self.reach):
                break
            worker.start(i)


class AlphaProtection(AlphaAdmission):
    """`alpha_protection`: on overflow everything running is evicted."""

    name = "alpha_protection"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 0.2}

    def prepare(self) -> None:
        """Start with no clearing."""
        super().prepare()
        self.clearings = 0

    def completed(self, i: int) -> None:
        """Set clearings to 0."""
        self.clearings = 0

    def relieve(self) -> None:
        """If need > M: evict all running."""
        if self.worker.need() > self.worker.memory:
            for i in self.worker.running():
                self.worker.evict(i)
            self.clearings += 1

    def alone(self) -> bool:
        """Return clearings >= 2."""
        return self.clearings >= 2


class AlphaBetaClearing(AlphaAdmission):
    """`alpha_beta_clearing`: on overflow each running request is evicted with probability beta, sweep by sweep."""

    name = "alpha_beta_clearing"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 0.2, "beta": 0.2}

    def prepare(self) -> None:
        """Seed the coin."""
        super().prepare()
        self.require(0 < self.parameters["beta"] <= 1, "beta", "in (0, 1]: with 0 a sweep never ends")
        self.coin = SplitMix64(self.seed)

    def relieve(self) -> None:
        """Repeat whole sweeps by rank until need <= M."""
        worker = self.worker
        while worker.need() > worker.memory:
            for i in sorted(worker.running(), key=worker.rank):
                if self.coin.uniform() < self.parameters["beta"]:
                    worker.evict(i)
