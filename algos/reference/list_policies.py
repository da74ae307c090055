"""List policies with the future-peak check: `fcfs`, `mc_sf` (`sf`), `tsf`, `svf`, `svf_tuned` (docs/policies.md).

mc_sf is from Jaillet, Jiang, Mellou, Molinaro, Podimata, Zhou (arXiv 2502.07115), tsf is discussed by Wang, Ye, Zhou
(arXiv 2508.06133), svf by Kong, Qi, Ye, Zhou (arXiv 2606.22327).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from algos.reference.engine import Worker
from algos.reference.policy import Policy


def area(prompt: int, rounds: int) -> int:
    """Return the token-rounds of an attempt: s x + x (x + 1) / 2."""
    return prompt * rounds + rounds * (rounds + 1) // 2


def fits(worker: Worker, estimate: list[int], i: int) -> bool:
    """Test the future-peak check of docs/model.md section 8 for waiting request i at the present epoch.

    A running request j, virtually started at x_j = t - age_j, is believed to end at
    E_j = x_j + max(estimate_j, age_j + 1), the candidate at t - age_i + max(estimate_i, age_i + 1) (age_i is 0
    unless it was evicted and kept tokens). At every believed end u, those that end at u or later must fit in M.
    """
    virtual_start = {j: worker.now - worker.age(j) for j in worker.running()}
    virtual_start_i = worker.now - worker.age(i)
    end = {j: x + max(estimate[j], worker.age(j) + 1) for j, x in virtual_start.items()}
    end_i = virtual_start_i + max(estimate[i], worker.age(i) + 1)
    for u in {*end.values(), end_i}:
        load = sum(worker.prompt[j] + u - virtual_start[j] for j in end if end[j] >= u)
        if u <= end_i:
            load += worker.prompt[i] + u - virtual_start_i
        if load > worker.memory:
            return False
    return True


class ListPolicy(Policy):
    """Start waiting requests in the order of a fixed key while they fit; stop at the first misfit unless ``skip``."""

    defaults: ClassVar[Mapping[str, Any]] = {"skip": False}

    def prepare(self) -> None:
        """Fix estimates and keys; keys keep the first estimates."""
        self.estimate = self.first_estimates()
        self.key: list[Any] = [self.priority(i) for i in range(self.worker.n)]

    def first_estimates(self) -> list[int]:
        """Return est, the believed length of each request: the clamped prediction."""
        return list(self.worker.predicted)

    @abstractmethod
    def priority(self, i: int) -> Any:
        """Return key_i; smaller starts earlier."""

    def candidates(self) -> list[int]:
        """Return the waiting requests that may start."""
        return self.worker.waiting()

    def held_back(self, i: int) -> bool:
        """Return whether i is passed over at this epoch without stopping the loop."""
        return False

    def started(self, i: int) -> None:
        """Note that i was started at this epoch."""

    def relieve(self) -> None:
        """While need > M: evict the running request with the largest (start, index), and raise its estimate."""
        worker = self.worker
        while worker.need() > worker.memory:
            i = max(worker.running(), key=lambda j: (worker.start_of(j), j))
            self.estimate[i] = max(self.estimate[i], min(worker.age(i) + 1, worker.memory - worker.prompt[i]))
            worker.evict(i)

    def admit(self) -> None:
        """Run the list loop."""
        for i in sorted(self.candidates(), key=lambda j: (self.key[j], j)):
            if self.held_back(i):
                continue
            if fits(self.worker, self.estimate, i):
                self.worker.start(i)
                self.started(i)
            elif not self.parameters["skip"]:
                break


class FirstComeFirstServed(ListPolicy):
    """`fcfs`: by arrival."""

    name = "fcfs"

    def priority(self, i: int) -> int:
        """Return a_i."""
        return self.worker.arrival[i]


class ShortestFirst(ListPolicy):
    """`mc_sf`: by predicted output."""

    name = "mc_sf"

    def priority(self, i: int) -> int:
        """Return est_i."""
        return self.estimate[i]


class TotalSizeFirst(ListPolicy):
    """`tsf`: by prompt plus predicted output."""

    name = "tsf"

    def priority(self, i: int) -> int:
        """Return s_i + est_i."""
        return self.worker.prompt[i] + self.estimate[i]


class SmallestVolumeFirst(ListPolicy):
    """`svf`: by predicted token-rounds."""

    name = "svf"

    def priority(self, i: int) -> int:
        """Return s_i est_i + est_i (est_i + 1) / 2."""
        return area(self.worker.prompt[i], self.estimate[i])


class TunedVolumeFirst(ListPolicy):
    """`svf_tuned`: by log volume + a log output + b log peak, predicted."""

    name = "svf_tuned"
    defaults: ClassVar[Mapping[str, Any]] = {"skip": False, "output_weight": 0.2, "peak_weight": 0.4}

    def priority(self, i: int) -> float:
        """Return log v_i + a log est_i + b log (s_i + est_i)."""
        prompt, length = self.worker.prompt[i], self.estimate[i]
        extra = self.parameters["output_weight"] * math.log(length)
        extra += self.parameters["peak_weight"] * math.log(prompt + length)
        return math.log(area(prompt, length)) + extra
