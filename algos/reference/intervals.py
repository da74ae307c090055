"""Policies that know an interval [l, u] around each output: `a_max`, `a_min` (docs/policies.md section 4).

Chen, Ye, Zhou, "Adaptively Robust LLM Inference Optimization under Prediction Uncertainty" (arXiv 2508.14544).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from algos.reference.list_policies import ListPolicy, fits
from algos.reference.policy import Policy


def clamped(policy: Policy, value: int) -> list[int]:
    """Return one number for all, clamped into [1, M - s_i] for each request."""
    return [max(1, min(value, policy.worker.memory - s)) for s in policy.worker.prompt]


class UpperBoundFirst(ListPolicy):
    """`a_max`: mc_sf that plans with the upper ends."""

    name = "a_max"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "upper": None}

    def first_estimates(self) -> list[int]:
        """Return u_i clamped: ``upper`` for all, or the instance's interval."""
        if self.parameters["upper"] is None:
            return list(self.worker.high)
        return clamped(self, self.integer("upper"))

    def priority(self, i: int) -> int:
        """Return est_i."""
        return self.estimate[i]


class LowerBoundFirst(Policy):
    """`a_min`: smallest proven length first; what has proved long is protected."""

    name = "a_min"
    defaults: ClassVar[Mapping[str, Any]] = {"lower": None}

    def prepare(self) -> None:
        """Set lb to l_i clamped: ``lower`` for all, or the instance's interval."""
        given = self.parameters["lower"] is not None
        self.proven = clamped(self, self.integer("lower")) if given else list(self.worker.low)

    def relieve(self) -> None:
        """While need > M: evict the running request with the smallest lb, ties the largest index."""
        worker = self.worker
        while worker.need() > worker.memory:
            i = min(worker.running(), key=lambda j: (self.proven[j], -j))
            self.proven[i] = max(self.proven[i], worker.age(i))
            worker.evict(i)

    def admit(self) -> None:
        """Start by (lb, index) while the request fits with lb as its length; stop at the first misfit."""
        for i in sorted(self.worker.waiting(), key=lambda j: (self.proven[j], j)):
            if not fits(self.worker, self.proven, i):
                break
            self.worker.start(i)

    def after_round(self, ran: list[int]) -> None:
        """Raise lb_i to age_i for those that ran."""
        for i in ran:
            self.proven[i] = max(self.proven[i], self.worker.age(i))
