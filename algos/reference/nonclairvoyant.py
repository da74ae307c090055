"""Geometric slices: `gsa`, `gsa_spec` (docs/policies.md sections 6.4 and 6.5).

Feng, Yang, Zhang, "Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference" (arXiv 2601.22996).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any, ClassVar

from algos.reference.policy import RESTART_ONLY, BatchPolicy, Policy
from algos.reference.timetable import Phase, PhasedPolicy, pipeline_width, slices

GENERAL_ALPHA = (7 + sqrt(13)) / 6
LARGE_ALPHA = 2.0


def chosen_alpha(policy: Policy) -> float:
    """Return the factor between slices: as given, or that of the regime; check it and tau0."""
    given = policy.parameters
    policy.require(given["regime"] in ("general", "large"), "regime", "'general' or 'large'")
    policy.require(given["tau0"] > 0, "tau0", "larger than 0")
    if given["alpha"] is None:
        return LARGE_ALPHA if given["regime"] == "large" else GENERAL_ALPHA
    policy.require(given["alpha"] > 1, "alpha", "larger than 1")
    return given["alpha"]


class Gsa(PhasedPolicy):
    """`gsa`: every unfinished request runs for one slice per phase and is killed at the slice's end."""

    name = "gsa"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": None, "tau0": 1, "regime": "general"}
    evictions = RESTART_ONLY

    def prepare(self) -> None:
        """Choose alpha: as given, or (7 + sqrt 13) / 6, or 2 in the preset for large memory."""
        self.alpha = chosen_alpha(self)

    def phases(self) -> Iterator[Phase | int]:
        """Yield a phase over the unfinished for each slice, then the tail."""
        worker = self.worker
        S = max(worker.prompt[i] for i in self.alive)
        for tau in slices(self.alpha, self.parameters["tau0"], worker.memory - S):
            yield Phase(tuple(self.alive), worker.now, tau, pipeline_width(tau, S, worker.memory))
        yield from list(self.alive)


class GsaSpec(BatchPolicy):
    """`gsa_spec`: gsa's timetable, and speculative runs in the memory that it leaves free."""

    name = "gsa_spec"
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": None, "tau0": 1, "regime": "large"}
    evictions = RESTART_ONLY
    phase: Phase | int | None = None

    def prepare(self) -> None:
        """Choose alpha: as given, or 2; the general preset is that of gsa."""
        self.alpha = chosen_alpha(self)

    def begin(self, batch: list[int]) -> None:
        """Set up the slices; the first phase begins in the same epoch."""
        worker = self.worker
        self.S = max(worker.prompt[i] for i in batch)
        self.slices = slices(self.alpha, self.parameters["tau0"], worker.memory - self.S)
        self.phase = None
        self.base: set[int] = set()

    def completed(self, i: int) -> None:
        """Forget the base run of a completed request."""
        super().completed(i)
        self.base.discard(i)

    def speculative(self) -> list[int]:
        """Return the requests that run speculatively, by index."""
        return [i for i in self.worker.running() if i not in self.base]

    def end_timed(self) -> None:
        """Kill base runs at the end of their slice."""
        if isinstance(self.phase, Phase):
            for i in sorted(self.base):
                if self.worker.age(i) >= self.phase.tau:
                    self.worker.evict(i)
                    self.base.remove(i)

    def admit(self) -> None:
        """Run the four steps of docs/policies.md section 6.5."""
        if not self.alive:
            return
        if self.phase_is_over():  # 1
            self.phase = self.next_phase()
        for i in self.opening_now():  # 2
            if self.worker.is_running(i):
                self.worker.evict(i)
            self.worker.start(i)
            self.base.add(i)
        while self.worker.need() > self.worker.memory:  # 3
            self.worker.evict(max(self.speculative()))
        for i in self.alive:  # 4
            if self.worker.is_running(i):
                continue
            if not self.worker.has_room(i):
                break
            self.worker.start(i)

    def phase_is_over(self) -> bool:
        """Return whether the phase's timetable has ended, or its only, uncapped request has completed."""
        if isinstance(self.phase, Phase):
            return self.worker.now >= self.phase.end
        return self.phase not in self.alive

    def next_phase(self) -> Phase | int:
        """Return the phase of the next slice over the alive by index; after the last slice the head, uncapped."""
        tau = next(self.slices, None)
        if tau is None:
            return self.alive[0]
        width = pipeline_width(tau, self.S, self.worker.memory)
        return Phase(tuple(self.alive), self.worker.now, tau, width)

    def opening_now(self) -> list[int]:
        """Return the alive requests whose slot opens at this epoch."""
        if isinstance(self.phase, Phase):
            return [i for i, t in self.phase.openings() if t == self.worker.now and i in self.alive]
        return [] if self.phase is None or self.phase in self.base else [self.phase]
