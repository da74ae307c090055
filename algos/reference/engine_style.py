"""Policies that imitate serving engines: `vllm_fcfs`, `orca`, `s3` (docs/policies.md section 8).

vllm_fcfs: Kwon et al., "Efficient Memory Management for Large Language Model Serving with PagedAttention"
(arXiv 2309.06180). orca: Yu et al., OSDI 2022. s3: Jin et al., "S3: Increasing GPU Utilization during Generative
Inference for Higher Throughput" (arXiv 2306.06000).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from algos.reference.policy import RESTART_ONLY, Policy


class VllmFcfs(Policy):
    """`vllm_fcfs`: first come first served by the memory of the next round; the latest is evicted."""

    name = "vllm_fcfs"
    defaults: ClassVar[Mapping[str, Any]] = {"admit_after_evict": True}

    def relieve(self) -> None:
        """While need > M: evict the running request of largest rank."""
        worker = self.worker
        self.evicted_now = False
        while worker.need() > worker.memory:
            worker.evict(max(worker.running(), key=worker.rank))
            self.evicted_now = True

    def admit(self) -> None:
        """Start by rank while the next round fits."""
        worker = self.worker
        if self.evicted_now and not self.parameters["admit_after_evict"]:
            return
        for i in sorted(worker.waiting(), key=worker.rank):
            if not worker.has_room(i):
                break
            worker.start(i)


class ReservingPolicy(Policy):
    """Reserves s_i + res_i for each running request; res_i doubles, up to M - s_i, when it was too small."""

    def prepare(self) -> None:
        """Set the first reservations."""
        if self.parameters["max_batch"] is not None:
            self.integer("max_batch", low=1)
        self.reserve = [min(self.first_reserve(i), self.most(i)) for i in range(self.worker.n)]

    @abstractmethod
    def first_reserve(self, i: int) -> int:
        """Return res_i before it is cut to M - s_i."""

    @abstractmethod
    def order(self, i: int) -> Any:
        """Return the sort key of waiting requests."""

    goes_on_past_misfits = False

    def most(self, i: int) -> int:
        """Return M - s_i."""
        return self.worker.memory - self.worker.prompt[i]

    def end_timed(self) -> None:
        """Stop requests whose age has reached res_i, and double it."""
        for i in self.worker.running():
            if self.worker.age(i) >= self.reserve[i]:
                self.worker.evict(i)
                self.reserve[i] = min(2 * self.reserve[i], self.most(i))

    def admit(self) -> None:
        """Start in order while the reservations fit and fewer than max_batch run."""
        worker = self.worker
        most_running = self.parameters["max_batch"]
        for i in sorted(worker.waiting(), key=self.order):
            if most_running is not None and len(worker.running()) >= most_running:
                break
            reserved = sum(worker.prompt[j] + self.reserve[j] for j in worker.running())
            if reserved + worker.prompt[i] + self.reserve[i] <= worker.memory:
                worker.start(i)
            elif not self.goes_on_past_misfits:
                break


class Orca(ReservingPolicy):
    """`orca`: first come first served, reserving the limit on output tokens."""

    name = "orca"
    defaults: ClassVar[Mapping[str, Any]] = {"max_tokens": None, "max_batch": None}

    def prepare(self) -> None:
        """Set the limit: as given, or the largest clamped prediction."""
        given = self.parameters["max_tokens"] is not None
        self.max_tokens = self.integer("max_tokens", low=1) if given else max(self.worker.predicted)
        super().prepare()

    def first_reserve(self, i: int) -> int:
        """Return max_tokens."""
        return self.max_tokens

    def order(self, i: int) -> tuple[int, int]:
        """Return rank."""
        return self.worker.rank(i)


class S3(ReservingPolicy):
    """`s3`: decreasing first fit of the predicted power-of-two bucket."""

    name = "s3"
    defaults: ClassVar[Mapping[str, Any]] = {"max_batch": None}
    evictions = RESTART_ONLY
    goes_on_past_misfits = True

    def first_reserve(self, i: int) -> int:
        """Return the smallest power of two >= the clamped prediction."""
        bucket = 1
        while bucket < self.worker.predicted[i]:
            bucket *= 2
        return bucket

    def order(self, i: int) -> tuple[int, int]:
        """Return (-(s_i + res_i), index)."""
        return -(self.worker.prompt[i] + self.reserve[i]), i
