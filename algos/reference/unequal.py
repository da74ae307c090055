"""Unequal prompts: `rect`, `response` (docs/policies.md section 7).

Feng, Liu, Yang, Zhang, "General Non-Clairvoyant KV-Cache Scheduling via Regime-Aware Routing" (arXiv 2607.09248).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from algos.reference.engine import Worker
from algos.reference.policy import RESTART_ONLY, Policy
from algos.reference.timetable import Phase, PhasedPolicy, pipeline_width


def is_large(prompt: int, memory: int) -> bool:
    """Return whether 4 s > M."""
    return 4 * prompt > memory


def attempt_lengths(prompt: int, memory: int) -> list[int]:
    """Return the caps of a request: powers of two up to M - s, with s itself in place of the one between s and 2s."""
    lengths: list[int] = []
    for r in count():
        length = min(2**r, memory - prompt)
        if not is_large(prompt, memory) and prompt < 2**r < 2 * prompt:
            length = prompt
        if length not in lengths:
            lengths.append(length)
        if 2**r >= memory:
            return lengths
    raise AssertionError("unreachable")


class Rectangles:
    """The attempts of rect: each request has a cap, reserves a rectangle for it, and waits by the rectangle's area.

    Parameters
    ----------
    worker : Worker
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.lengths = [attempt_lengths(s, worker.memory) for s in worker.prompt]
        self.attempt = [0] * worker.n  # which cap is next

    def cap(self, i: int) -> int:
        """Return c, the cap of the present or next attempt."""
        return self.lengths[i][self.attempt[i]]

    def reservation(self, i: int) -> int:
        """Return w = min(M, max(2 s, s + c))."""
        s = self.worker.prompt[i]
        return min(self.worker.memory, max(2 * s, s + self.cap(i)))

    def order(self, i: int) -> tuple[int, tuple[int, int]]:
        """Return (b, rank) with b = 2 max(1, s) c."""
        return 2 * max(1, self.worker.prompt[i]) * self.cap(i), self.worker.rank(i)

    def stop_capped(self) -> list[int]:
        """Stop the running requests that have reached their cap; each will wait with the next one. Return them."""
        stopped = [i for i in self.worker.running() if self.worker.age(i) >= self.cap(i)]
        for i in stopped:
            self.worker.evict(i)
            self.attempt[i] += 1
        return stopped

    def admit(self, candidates: list[int], slot_end: int | None = None) -> None:
        """Start candidates in order while reservations fit (and caps end by ``slot_end``); stop at a misfit."""
        worker = self.worker
        reserved = sum(self.reservation(j) for j in worker.running())
        for i in sorted(candidates, key=self.order):
            if slot_end is not None and worker.now + self.cap(i) > slot_end:
                break
            if reserved + self.reservation(i) > worker.memory:
                break
            worker.start(i)
            reserved += self.reservation(i)


class Rect(Policy):
    """`rect`: attempts of doubling length, each inside a reserved rectangle."""

    name = "rect"
    evictions = RESTART_ONLY

    def prepare(self) -> None:
        """Set every request to its first cap."""
        self.rectangles = Rectangles(self.worker)

    def end_timed(self) -> None:
        """Stop the attempts that reach their cap."""
        self.rectangles.stop_capped()

    def admit(self) -> None:
        """Start waiting requests by (b, rank) while reservations fit."""
        self.rectangles.admit(self.worker.waiting())


class Response(PhasedPolicy):
    """`response`: stages r = 0, 1, .. of staggered slices 2^r over the requests with s_i <= 2^r."""

    name = "response"
    evictions = RESTART_ONLY

    def phases(self) -> Iterator[Phase | int]:
        """Yield the phase of each stage that has requests, then, after the first with 2^r >= M, the tail."""
        worker = self.worker
        M = worker.memory
        for r in count():
            J = [i for i in self.alive if worker.prompt[i] <= 2**r]
            if J:
                S = max(worker.prompt[i] for i in J)
                tau = min(2**r, M - S)
                yield Phase(tuple(J), worker.now, tau, pipeline_width(tau, S, M))
            if 2**r >= M:
                break
        yield from list(self.alive)
