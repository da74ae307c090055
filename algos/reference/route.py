"""`route`: rect for small and large prompts and response for long answers, in slots that double (docs/policies.md 7).

Feng, Liu, Yang, Zhang, "General Non-Clairvoyant KV-Cache Scheduling via Regime-Aware Routing" (arXiv 2607.09248).
"""

from __future__ import annotations

from typing import Protocol

from algos.reference.engine import Worker
from algos.reference.policy import RESTART_ONLY, BatchPolicy
from algos.reference.timetable import Phase, pipeline_width
from algos.reference.unequal import Rectangles, is_large


class Branch(Protocol):
    """One of the three: owns some requests, and acts only inside its slots."""

    members: set[int]

    def end_timed(self) -> None:
        """Stop the attempts that reach their cap or the end of their slice."""

    def admit(self, slot_end: int) -> None:
        """Start what may start now and cannot outlive the slot."""

    def is_busy(self) -> bool:
        """Return whether something runs, or a part of a timetable is in progress."""


class RectBranch:
    """Rect on its members. Small requests leave it, certified, when they fail at the cap s_i.

    Parameters
    ----------
    rectangles : Rectangles
    members : set of int
    certified : set of int, optional
        Where requests that fail at cap s_i go; None keeps them.
    """

    def __init__(self, rectangles: Rectangles, members: set[int], certified: set[int] | None = None) -> None:
        self.rectangles = rectangles
        self.worker = rectangles.worker
        self.members = members
        self.certified = certified

    def end_timed(self) -> None:
        """Stop attempts at their caps; certify those whose cap was s_i."""
        cap_before = {i: self.rectangles.cap(i) for i in self.members}
        for i in self.rectangles.stop_capped():
            if self.certified is not None and cap_before[i] == self.worker.prompt[i]:
                self.members.remove(i)
                self.certified.add(i)

    def admit(self, slot_end: int) -> None:
        """Start waiting members by (b, rank) while reservations fit and caps end in the slot."""
        self.rectangles.admit([i for i in self.worker.waiting() if i in self.members], slot_end)

    def is_busy(self) -> bool:
        """Return whether something runs."""
        return bool(self.worker.running())


class ResponseBranch:
    """Response on the certified requests, each stage cut into parts that fit the slots.

    Parameters
    ----------
    worker : Worker
    members : set of int
        The certified, unfinished requests; the first branch adds to it.
    """

    def __init__(self, worker: Worker, members: set[int]) -> None:
        self.worker = worker
        self.members = members
        self.q = -1
        self.remaining: list[int] = []
        self.tau = self.k = 0
        self.part: Phase | None = None

    def end_timed(self) -> None:
        """Stop requests that are unfinished at the end of their slice."""
        if self.part is not None:
            for i in self.worker.running():
                if self.worker.age(i) >= self.part.tau:
                    self.worker.evict(i)

    def is_busy(self) -> bool:
        """Return whether something runs or the part's timetable goes on."""
        return bool(self.worker.running()) or (self.part is not None and self.worker.now < self.part.end)

    def admit(self, slot_end: int) -> None:
        """Begin the next part when none is in progress; start the requests whose slot opens now."""
        if not self.is_busy():
            self.part = None
            self.begin_part(slot_end)
        if self.part is not None:
            for i, opening in self.part.openings():
                if opening == self.worker.now:
                    self.worker.start(i)

    def begin_part(self, slot_end: int) -> None:
        """Take the longest prefix of the remaining list that fits the slot, or one uncapped request."""
        worker = self.worker
        if not self.remaining:
            if not self.members:
                return
            self.form_stage()
        if 2**self.q >= 2 * worker.memory:
            i = self.remaining[0]
            if worker.now + worker.memory - worker.prompt[i] <= slot_end:
                worker.start(self.remaining.pop(0))
            return
        prefix = 0
        while prefix < len(self.remaining) and worker.now + (prefix * self.tau) // self.k + self.tau <= slot_end:
            prefix += 1
        if prefix > 0:
            self.part = Phase(tuple(self.remaining[:prefix]), worker.now, self.tau, self.k)
            self.remaining = self.remaining[prefix:]

    def form_stage(self) -> None:
        """Form the next stage with a request: q + 1 upwards, over members with s_i <= 2^q, by index."""
        worker = self.worker
        while not self.remaining:
            self.q += 1
            self.remaining = [i for i in sorted(self.members) if worker.prompt[i] <= 2**self.q]
        S = max(worker.prompt[i] for i in self.remaining)
        self.tau = min(2**self.q, worker.memory - S)
        self.k = pipeline_width(self.tau, S, worker.memory)


class Route(BatchPolicy):
    """`route`: for r = 0, 1, .. each branch in turn has a slot of 2^r rounds."""

    name = "route"
    evictions = RESTART_ONLY

    def begin(self, batch: list[int]) -> None:
        """Deal the requests to the branches; the first slot begins now."""
        worker = self.worker
        small = [i for i in batch if not is_large(worker.prompt[i], worker.memory)]
        certified = {i for i in small if worker.prompt[i] == 0}
        rectangles = Rectangles(worker)
        self.branches: list[Branch] = [
            RectBranch(rectangles, set(small) - certified, certified),
            ResponseBranch(worker, certified),
            RectBranch(rectangles, set(batch) - set(small)),
        ]
        self.turn = 0
        self.slot_end = worker.now + 1

    def completed(self, i: int) -> None:
        """Step 1: request i leaves the batch and its branch."""
        super().completed(i)
        for branch in self.branches:
            branch.members.discard(i)

    def end_timed(self) -> None:
        """Let the branch whose slot it is stop its attempts."""
        if self.alive:
            self.branches[self.turn % 3].end_timed()

    def admit(self) -> None:
        """Let the branch in its slot start requests; when it has nothing running and starts nothing, the next one."""
        while self.alive:
            branch = self.branches[self.turn % 3]
            branch.admit(self.slot_end)
            if branch.is_busy():
                return
            self.turn += 1
            self.slot_end = self.worker.now + 2 ** (self.turn // 3)
