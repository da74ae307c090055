"""Greedy baselines, one mixed batch of everyone: `fcfs`, `sjf`, `mc_sf`, `svf` (section 8)."""

from __future__ import annotations

from typing import Any

from algos.serving.reference.machine import Batch
from algos.serving.reference.policy import AdmittingPolicy


class FirstComeFirstServed(AdmittingPolicy):
    """`fcfs`: admit from the head while used + need <= C; run everybody."""

    name = "fcfs"

    def form(self) -> Batch:
        """Return admissions and residents together."""
        self.admit()
        return self.everyone()


class ShortestJobFirst(FirstComeFirstServed):
    """`sjf`: as `fcfs`, the queue sorted by predicted output."""

    name = "sjf"

    def queue(self) -> list[int]:
        """Return the waiting requests, shortest prediction first."""
        return sorted(self.machine.waiting(), key=lambda i: (self.sort_key(i), self.machine.rank(i)))

    def sort_key(self, i: int) -> Any:
        """Return what the queue is sorted by."""
        return self.predicted(i)

    def predicted(self, i: int) -> int:
        """Return the predicted output, at most what the memory would allow: longer ones are refused on arrival."""
        m = self.machine
        most = m.memory // m.block * m.block - m.prompt[i]
        return min(m.predicted[i], most)


class MemoryConstrainedShortestFirst(ShortestJobFirst):
    """`mc_sf`: as `sjf`, admitting only if nobody will overflow as long as the predictions hold (arXiv 2502.07115)."""

    name = "mc_sf"

    def passes_test(self, i: int, admitted: list[int]) -> bool:
        """Look ahead to every predicted completion."""
        m = self.machine
        now = {j: m.stage[j] if m.stage[j] > 0 else m.kept[j] for j in [*m.residents(), i]}
        end = {j: max(self.predicted(j), s) for j, s in now.items()}
        for k in {end[j] - now[j] for j in now}:
            if sum(m.rounded(m.prompt[j] + s + k) for j, s in now.items() if s + k <= end[j]) > m.memory:
                return False
        return True


class SmallestVolumeFirst(MemoryConstrainedShortestFirst):
    """`svf`: as `mc_sf`, the queue sorted by predicted volume l p + p (p + 1) / 2."""

    name = "svf"

    def sort_key(self, i: int) -> Any:
        """Return the volume, in token passes."""
        p = self.predicted(i)
        return self.machine.prompt[i] * p + p * (p + 1) // 2
