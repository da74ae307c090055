"""What WAIT, Nested WAIT and `wait_capped` share: a batch from queues by stage, and the memory rule that follows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from algos.serving.reference.machine import Batch, Machine
from algos.serving.reference.policy import Policy
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests


def fitted(machine: Machine, chosen: list[int]) -> Batch | None:
    """Make the chosen requests fit (sections 5 and 6.1), admit those that remain, and return the batch.

    New admissions that do not fit are dropped, latest arrival first. If the growth of survivors still does not fit,
    residents are evicted as in section 1.4. None when evictions emptied the batch: decide again at once.
    """
    m = machine
    new = sorted((i for i in chosen if i in m.waiting()), key=m.rank)
    old: Batch = {i: 0 for i in chosen if i not in new}
    while new and m.used(old) + sum(m.need(i) for i in new) > m.memory:
        new.pop()
    evicted = False
    while m.used(old) > m.memory:
        last = m.last_admitted()
        m.evict(last)
        old.pop(last, None)
        evicted = True
    for i in new:
        m.admit(i)
    batch = {i: m.prefill(i) if i in new else 0 for i in chosen if i in new or i in old}
    return None if evicted and not batch else batch


class QueuePolicy(Policy):
    """A policy that runs stages of a pipeline, with `flush` to let the pipeline run dry at the end."""

    def prepare(self, requests: Requests) -> None:
        """Read `flush`."""
        self.require(isinstance(self.parameters["flush"], bool), "flush", "True or False")

    @property
    def flushing(self) -> bool:
        """Whether arrivals have stopped and everything counts as ready."""
        return bool(self.parameters["flush"]) and self.machine.all_arrived()

    def form(self) -> Batch | None:
        """Choose, then make it fit."""
        return fitted(self.machine, self.choose())

    @abstractmethod
    def choose(self) -> list[int]:
        """Return the requests of the batch in the order in which they join their next queue."""

    def stages(self, of: Callable[[int], bool] = lambda i: True) -> list[int]:
        """Return the stages >= 1 at which there are residents, ascending."""
        return sorted({self.machine.stage[i] for i in self.machine.residents() if of(i)})


class SegmentPolicy(QueuePolicy):
    """A policy whose pipeline is cut into segments after stages r_1 < ... < r_L."""

    def prepare(self, requests: Requests) -> None:
        """Read the cuts, and mark the boundary queues."""
        super().prepare(requests)
        if self.parameters["cuts"] is None:
            self.parameters["cuts"] = sorted({kind.output for kind in requests.mix})
        cuts = self.integers("cuts")
        self.require(all(a < b for a, b in pairwise(cuts)), "cuts", "ascending")
        accepted = [o for i, o in enumerate(requests.output.tolist()) if i not in self.machine.refused]
        longest = max(accepted, default=1)
        if cuts[-1] < longest:
            raise BadParameter(
                f"{self.name}: the last cut is {cuts[-1]}, below the largest output {longest}: extend cuts"
            )
        #: (entry stage, last stage) of each segment
        self.segments = list(zip([0, *(r + 1 for r in cuts)], cuts, strict=False))
        self.machine.entry_stages = {entry for entry, _ in self.segments[1:]}

    def entry(self, k: int) -> list[int]:
        """Return the queue at the entry of segment k: who waits, or the survivors at its boundary."""
        return self.machine.waiting() if k == 0 else self.machine.at_stage(self.segments[k][0])

    def explicit(self, parameter: str) -> Any:
        """Return one integer per segment; this simulator does not choose them."""
        return self.integers(parameter, len(self.segments))
