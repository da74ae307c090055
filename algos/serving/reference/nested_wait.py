"""`nested_wait`: output lengths unknown, segments that run when all before them are ready (section 6.1).

Ao, Luo, Simchi-Levi, Wang, "Optimizing LLM Inference" (arXiv 2504.11320), Algorithm 2.
"""

from __future__ import annotations

from typing import ClassVar

from algos.serving.reference.queues import SegmentPolicy
from kvratio.problem.requests import Requests


class NestedWait(SegmentPolicy):
    """Nested WAIT with integer thresholds, one per segment."""

    name = "nested_wait"
    defaults: ClassVar = {"cuts": None, "thresholds": None, "margin": 0.05, "delta": 0.01, "flush": True}

    def prepare(self, requests: Requests) -> None:
        """Read cuts and thresholds."""
        super().prepare(requests)
        self.thresholds = self.explicit("thresholds")

    def choose(self) -> list[int]:
        """Take the segments up to the first that is not ready; of each of their stages the first n_k."""
        batch = []
        for k, n in enumerate(self.thresholds):
            if len(self.entry(k)) < n and not self.flushing:
                break
            entry, last = self.segments[k]
            batch += self.entry(k)[:n]
            for s in self.stages():
                if entry < s <= last:
                    batch += self.machine.at_stage(s)[:n]
        return batch
