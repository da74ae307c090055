"""Relatives of the list policies: `sjf`, `one_bit_svf`, `svf_sps`, `svf_tuned_sps` (docs/policies.md section 3).

one_bit_svf is from Kong, Qi, Ye, Zhou (arXiv 2606.22327); svf_sps is defined in docs/policies.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any, ClassVar

from algos.reference.list_policies import ListPolicy, TunedVolumeFirst, area
from algos.reference.policy import Policy


class ShortestJobFirst(Policy):
    """`sjf`: shortest prediction first, by the memory of the next round only."""

    name = "sjf"

    def order(self, i: int) -> tuple[int, int]:
        """Return (est, index)."""
        return self.worker.predicted[i], i

    def relieve(self) -> None:
        """While need > M: evict the running request with the largest (est, index)."""
        while self.worker.need() > self.worker.memory:
            self.worker.evict(max(self.worker.running(), key=self.order))

    def admit(self) -> None:
        """Start in order while the next round fits."""
        for i in sorted(self.worker.waiting(), key=self.order):
            if not self.worker.has_room(i):
                break
            self.worker.start(i)


class OneBitSmallestVolumeFirst(ListPolicy):
    """`one_bit_svf`: only whether the prediction exceeds theta = floor(sqrt T) is used."""

    name = "one_bit_svf"
    defaults: ClassVar[Mapping[str, Any]] = {
        "skip": False,
        "max_output": None,
        "representative": "geometric",
        "mean_short": None,
        "mean_long": None,
    }

    def prepare(self) -> None:
        """Fix T, theta and the representative length of each class."""
        given = self.parameters["max_output"] is not None
        self.longest = self.integer("max_output", low=1) if given else max(self.worker.predicted)
        self.theta = isqrt(self.longest)
        self.require(
            self.parameters["representative"] in ("geometric", "mean"), "representative", "'geometric' or 'mean'"
        )
        if self.parameters["representative"] == "mean":
            for parameter in ("mean_short", "mean_long"):
                self.require(self.parameters[parameter] is not None, parameter, "given when representative is 'mean'")
            self.representative = {False: self.parameters["mean_short"], True: self.parameters["mean_long"]}
        else:
            self.representative = {False: float(self.longest) ** 0.25, True: float(self.longest) ** 0.75}
        super().prepare()

    def is_long(self, i: int) -> bool:
        """Return the one bit: ohat_i > theta."""
        return self.worker.predicted[i] > self.theta

    def first_estimates(self) -> list[int]:
        """Return theta for short and T for long requests, clamped into [1, M - s]."""
        estimates = []
        for i in range(self.worker.n):
            upper_end = self.longest if self.is_long(i) else self.theta
            estimates.append(max(1, min(upper_end, self.worker.memory - self.worker.prompt[i])))
        return estimates

    def priority(self, i: int) -> float:
        """Return s_i R + (R^2 + R) / 2 as a float."""
        R = float(self.representative[self.is_long(i)])
        return self.worker.prompt[i] * R + (R * R + R) / 2


class StaggeredSmallestVolumeFirst(ListPolicy):
    """`svf_sps`: svf that keeps requests of equal predicted length from starting together."""

    name = "svf_sps"

    def prepare(self) -> None:
        """Set every credit to 0; lengths and volumes are those of the first, clamped prediction."""
        super().prepare()
        self.length = list(self.worker.predicted)
        self.volume = [area(self.worker.prompt[i], self.length[i]) for i in range(self.worker.n)]
        self.credit = dict.fromkeys(self.length, 0)  # in ticks of 1/M round

    def priority(self, i: int) -> float:
        """Return v_i."""
        return area(self.worker.prompt[i], self.estimate[i])

    def held_back(self, i: int) -> bool:
        """Return t < credit[est_i] // M."""
        return self.worker.now < self.credit[self.length[i]] // self.worker.memory

    def started(self, i: int) -> None:
        """Set credit[est_i] = max(credit[est_i], t M) + v_i."""
        present = self.worker.now * self.worker.memory
        self.credit[self.length[i]] = max(self.credit[self.length[i]], present) + self.volume[i]

    def expects_event(self) -> bool:
        """Return whether someone waits only for credit."""
        return any(self.held_back(i) for i in self.worker.waiting())


class StaggeredTunedVolumeFirst(StaggeredSmallestVolumeFirst, TunedVolumeFirst):
    """`svf_tuned_sps`: the pacing of svf_sps with the key of svf_tuned."""

    name = "svf_tuned_sps"
    priority = TunedVolumeFirst.priority
