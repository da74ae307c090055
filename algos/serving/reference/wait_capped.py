"""`wait_capped`: thresholds below one, as a cap on each segment and entries that take turns (section 7)."""

from __future__ import annotations

from typing import ClassVar

from algos.serving.reference.machine import Batch
from algos.serving.reference.queues import SegmentPolicy
from kvratio.problem.requests import Requests


class WaitCapped(SegmentPolicy):
    """Integer caps B_k, one per segment."""

    name = "wait_capped"
    defaults: ClassVar = {"cuts": None, "caps": None, "tokens": None, "eta": 0.05, "wait_gate": True, "flush": True}

    def prepare(self, requests: Requests) -> None:
        """Read cuts, caps and the gate; no turn has been taken."""
        super().prepare(requests)
        self.caps = self.explicit("caps")
        self.require(isinstance(self.parameters["wait_gate"], bool), "wait_gate", "True or False")
        self.turns = [0] * len(self.caps)
        self.segment_of: dict[int, int] = {}

    def limit(self, k: int) -> int:
        """Return the entries that segment k may take on its coming turn."""
        entry, last = self.segments[k]
        width, B, t = last - entry + 1, self.caps[k], self.turns[k]
        return (t + 1) * B // width - t * B // width

    def interior(self, k: int) -> list[int]:
        """Return the residents of segment k beyond its entry, by stage."""
        entry, last = self.segments[k]
        return [i for s in self.stages() if entry < s <= last for i in self.machine.at_stage(s)]

    def choose(self) -> list[int]:
        """Unite the segments that take a turn."""
        batch = []
        self.segment_of = {}
        for k, B in enumerate(self.caps):
            interior, entry = self.interior(k), self.entry(k)
            while not interior and self.limit(k) == 0:
                self.turns[k] += 1
            limit = self.limit(k)
            gate_open = len(interior) + len(entry) >= B or len(entry) >= limit
            if self.parameters["wait_gate"] and not gate_open and not self.flushing:
                continue
            entries = entry[: max(0, min(limit, B - len(interior)))]
            batch += entries + interior
            self.segment_of.update(dict.fromkeys(entries + interior, k))
        return batch

    def ran(self, batch: Batch) -> None:
        """A segment with somebody in the batch has taken its turn."""
        for k in {self.segment_of[i] for i in batch}:
            self.turns[k] += 1
