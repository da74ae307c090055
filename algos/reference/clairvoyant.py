"""Clairvoyant batching by class: `sps`, `gba`, `gba_d` (docs/policies.md sections 6.2 and 6.3).

Feng, Yang, Zhang, "Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference" (arXiv 2601.22996).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from algos.reference.policy import BatchPolicy
from algos.reference.timetable import Phase, pipeline_width, slices


class PlannedPolicy(BatchPolicy):
    """A policy that fixes every start when the batch begins; nothing is ever killed."""

    clairvoyant = True
    planned: Sequence[tuple[int, int]] = ()

    @abstractmethod
    def plan(self, batch: list[int]) -> list[tuple[int, int]]:
        """Return (request, planned start) in planned order."""

    def begin(self, batch: list[int]) -> None:
        """Make the plan."""
        self.planned = self.plan(batch)

    def admit(self) -> None:
        """Start what is planned for now."""
        for i, start in self.planned:
            if start == self.worker.now:
                self.worker.start(i)

    def tail(self, T: int, J: list[int]) -> list[tuple[int, int]]:
        """Plan to run J one after another from T, each alone to its end."""
        planned = []
        for i in J:
            planned.append((i, T))
            T += self.worker.output(i)
        return planned


class Sps(PlannedPolicy):
    """`sps`: one staggered phase whose slice is the largest output."""

    name = "sps"

    def plan(self, batch: list[int]) -> list[tuple[int, int]]:
        """Plan phase(0, all with o <= tau, tau), then the tail by index."""
        worker = self.worker
        S = max(worker.prompt[i] for i in batch)
        tau = min(max(worker.output(i) for i in batch), worker.memory - S)
        J = [i for i in batch if worker.output(i) <= tau]
        rest = [i for i in batch if worker.output(i) > tau]
        if not J:
            return self.tail(worker.now, rest)
        phase = Phase(tuple(J), worker.now, tau, pipeline_width(tau, S, worker.memory))
        return phase.openings() + self.tail(phase.end, rest)


class Gba(PlannedPolicy):
    """`gba`: classes of geometrically growing output, each a staggered phase."""

    name = "gba"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": None, "beta": 1.0, "regime": "general"}

    def prepare(self) -> None:
        """Choose alpha: as given, or 4/3, or 3/2 in the preset for large memory."""
        self.require(self.parameters["regime"] in ("general", "large"), "regime", "'general' or 'large'")
        preset = 3 / 2 if self.parameters["regime"] == "large" else 4 / 3
        self.alpha: float = preset if self.parameters["alpha"] is None else self.parameters["alpha"]
        self.require(self.alpha > 1, "alpha", "larger than 1")
        self.require(self.parameters["beta"] > 0, "beta", "larger than 0")

    def plan(self, batch: list[int]) -> list[tuple[int, int]]:
        """Plan the classes lo < o_i <= tau in turn, then the rest by (o, index)."""
        worker = self.worker
        S = max(worker.prompt[i] for i in batch)
        planned: list[tuple[int, int]] = []
        T = worker.now
        lo = 0
        for tau in slices(self.alpha, self.parameters["beta"], worker.memory - S):
            J = [i for i in batch if lo < worker.output(i) <= tau]
            lo = tau
            if J:
                phase = Phase(tuple(J), T, tau, pipeline_width(tau, S, worker.memory))
                planned += phase.openings()
                T = phase.end
        rest = sorted((i for i in batch if worker.output(i) > lo), key=lambda i: (worker.output(i), i))
        return planned + self.tail(T, rest)


class GbaD(Gba):
    """`gba_d`: gba's plan with every start moved earlier while the whole profile stays within M."""

    name = "gba_d"

    def plan(self, batch: list[int]) -> list[tuple[int, int]]:
        """Move the starts of gba's plan in planned order, none before its predecessor.

        Only rounds in which i itself runs need a look: the others are no fuller than before.
        """
        worker = self.worker
        planned = super().plan(batch)
        last_round = max(start + worker.output(i) for i, start in planned)
        demand = [0] * (last_round + 1)  # demand[r]: memory of all in round r
        for i, start in planned:
            self.add_to(demand, i, start, 1)
        moved = []
        earliest = worker.now
        for i, latest in planned:
            self.add_to(demand, i, latest, -1)
            start = next(t for t in range(earliest, latest + 1) if self.has_room(demand, i, t))
            self.add_to(demand, i, start, 1)
            moved.append((i, start))
            earliest = start
        return moved

    def add_to(self, demand: list[int], i: int, start: int, sign: int) -> None:
        """Add (or, with sign -1, take away) the memory of i started at ``start``."""
        for r in range(start + 1, start + self.worker.output(i) + 1):
            demand[r] += sign * (self.worker.prompt[i] + r - start)

    def has_room(self, demand: list[int], i: int, start: int) -> bool:
        """Return whether i, started at ``start``, stays within M on top of ``demand``."""
        rounds = range(start + 1, start + self.worker.output(i) + 1)
        return all(demand[r] + self.worker.prompt[i] + r - start <= self.worker.memory for r in rounds)
