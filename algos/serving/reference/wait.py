"""`wait`: output lengths known, a type runs only when enough fresh requests wait (section 5).

Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320), Algorithm 1.
"""

from __future__ import annotations

from typing import ClassVar

from algos.serving.reference.queues import QueuePolicy
from kvratio.problem.requests import Requests


class Wait(QueuePolicy):
    """WAIT with integer thresholds, one per type of ``requests.mix``, or per group of types between ``cuts``."""

    name = "wait"
    defaults: ClassVar = {"thresholds": None, "margin": 0.05, "flush": True, "cuts": None}

    def prepare(self, requests: Requests) -> None:
        """Read the thresholds."""
        super().prepare(requests)
        cuts = None if self.parameters["cuts"] is None else self.integers("cuts")
        self.thresholds = self.integers("thresholds", len(requests.mix if cuts is None else cuts))
        self.group = list(range(len(requests.mix)))
        if cuts is not None:
            self.group = [next(g for g, cut in enumerate(cuts) if kind.output <= cut) for kind in requests.mix]

    def choose(self) -> list[int]:
        """Of every ready type, take the first n_j of every stage."""
        m = self.machine
        batch = []
        for j, n in enumerate(self.thresholds):

            def is_j(i: int, j: int = j) -> bool:
                return self.group[m.type_of[i]] == j

            start = [i for i in m.waiting() if is_j(i)]
            if len(start) < n and not self.flushing:
                continue
            batch += start[:n]
            for s in self.stages(is_j):
                batch += [i for i in m.at_stage(s) if is_j(i)][:n]
        return batch
