"""The staggered timetable shared by the slice policies (docs/policies.md section 6.1).

Feng, Yang, Zhang, "Competitive Non-Clairvoyant KV-Cache Scheduling for LLM Inference" (arXiv 2601.22996).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

from algos.reference.policy import BatchPolicy


def pipeline_width(tau: int, S: int, M: int) -> int:
    """Return k(tau) = (2M - tau + 1) // (2S + tau + 1), the number of requests in the pipeline."""
    return (2 * M - tau + 1) // (2 * S + tau + 1)


def slices(alpha: float, first: float, cap: int) -> Iterator[int]:
    """Emit the slice lengths floor(first alpha^q), each larger than the last, ending with ``cap`` = M - S."""
    x = float(first)
    last = 0
    while last < cap:
        tau = min(floor(x + 1e-9), cap)
        if tau > last:
            yield tau
            last = tau
        x = x * alpha


@dataclass(frozen=True)
class Phase:
    """A timetable: slot r opens at ``begin`` + (r tau) // k and lasts tau rounds, for r = 0 .. N-1.

    Parameters
    ----------
    members : tuple of int
        J, in slot order.
    begin : int
        T.
    tau, k : int
        Slice length and pipeline width.
    """

    members: tuple[int, ...]
    begin: int
    tau: int
    k: int

    def opening(self, r: int) -> int:
        """Return the epoch at which slot r opens."""
        return self.begin + (r * self.tau) // self.k

    def openings(self) -> list[tuple[int, int]]:
        """Return (request, epoch) for each slot."""
        return [(i, self.opening(r)) for r, i in enumerate(self.members)]

    @property
    def end(self) -> int:
        """Epoch at which the phase ends: the end of the last slot, whether or not its request ends early."""
        return self.opening(len(self.members) - 1) + self.tau


class PhasedPolicy(BatchPolicy):
    """Runs phases one after another, then a tail of requests that run alone to their end.

    A subclass writes `phases` as a generator that is resumed when the phase it yielded is over, so it reads like
    the pseudocode; an ``int`` in place of a phase means: run this request alone, uncapped.
    """

    phase: Phase | int | None = None

    @abstractmethod
    def phases(self) -> Iterator[Phase | int]:
        """Yield the phases of the present batch, each beginning at ``worker.now``."""

    def begin(self, batch: list[int]) -> None:
        """Start the generator."""
        self.upcoming = self.phases()
        self.phase = None

    def phase_is_over(self) -> bool:
        """Return whether the present phase has ended."""
        if isinstance(self.phase, Phase):
            return self.worker.now >= self.phase.end
        return not self.worker.running()

    def end_timed(self) -> None:
        """Stop requests that are unfinished at the end of their slice."""
        if isinstance(self.phase, Phase):
            for i in self.worker.running():
                if self.worker.age(i) >= self.phase.tau:
                    self.worker.evict(i)

    def admit(self) -> None:
        """Begin the next phase when one is over; start the requests whose slot opens now."""
        if not self.alive:
            return
        if self.phase_is_over():
            self.phase = next(self.upcoming)
            if not isinstance(self.phase, Phase):
                self.worker.start(self.phase)
        if isinstance(self.phase, Phase):
            for i, opening in self.phase.openings():
                if opening == self.worker.now:
                    self.worker.start(i)
