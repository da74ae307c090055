"""Time and what is written down of a run by the slow simulator.

Time is exact in whole numbers: the seconds at which the last idle period ended, plus the clock's rates times what all
iterations since then have added to its features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from kvratio.problem.clock import FEATURES, Clock, RooflineClock, seconds
from kvratio.problem.service import COUNTERS

NEVER = math.nan


@dataclass(frozen=True)
class Iteration:
    """What one iteration adds: requests and tokens of its batch, and the state while it runs."""

    decodes: int
    prefills: int
    prompt_tokens: int
    cached: int
    decode_cached: int
    footprint: int
    resident: int
    waiting: int


@dataclass
class Record:
    """Times of every request, counters, the log, and the present time.

    Parameters
    ----------
    clock : Clock or RooflineClock
    n : int
        Requests.
    """

    clock: Clock | RooflineClock
    n: int
    base: float = 0.0
    busy_before: float = 0.0
    token_seconds: float = 0.0
    unpaid_moves: int = 0
    log: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = [0] * len(FEATURES)
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.admitted = [NEVER] * self.n
        self.prefill_done = [NEVER] * self.n
        self.first_token = [NEVER] * self.n
        self.completion = [NEVER] * self.n
        self.max_gap = [NEVER] * self.n
        self.evictions = [0] * self.n
        self.gaps: list[list[float]] = [[] for _ in range(self.n)]
        self.losses: list[tuple[int, int, float]] = []
        self._attempt_prefill = [NEVER] * self.n
        self._attempt_first = [NEVER] * self.n
        self._last_token = [NEVER] * self.n

    # -- time -----------------------------------------------------------------------------------------------------
    @property
    def now(self) -> float:
        """Seconds since the start of the run."""
        return self.base + seconds(self.clock.rates, self.counts)

    @property
    def busy(self) -> float:
        """Seconds in iterations so far."""
        return self.busy_before + seconds(self.clock.rates, self.counts)

    def after(self, it: Iteration) -> list[int]:
        """Return what the counts will be when this iteration has ended."""
        computed = it.prompt_tokens + it.decodes
        light = computed <= self.clock.knee
        added = {
            "iterations": 1,
            "cached": it.cached,
            "prompt": it.prompt_tokens,
            "moved": self.unpaid_moves,
            "light": 1 if light else 0,
            "tokens": 0 if light else computed,
            "decodes": it.decodes,
            "decode_cached": it.decode_cached,
        }
        return [count + added[name] for count, name in zip(self.counts, FEATURES, strict=True)]

    def time_after(self, it: Iteration) -> float:
        """Return the seconds at which this iteration would end."""
        return self.base + seconds(self.clock.rates, self.after(it))

    def idle_until(self, then: float, footprint: int) -> None:
        """Let time pass with no iteration."""
        assert then >= self.now, "time went back"
        self.hold(footprint, then)
        self.busy_before = self.busy
        self.base, self.counts = then, [0] * len(FEATURES)

    def run(self, it: Iteration) -> None:
        """Let one iteration pass."""
        start, counts = self.now, self.after(it)
        self.hold(it.footprint, self.time_after(it))
        self.counts, self.unpaid_moves = counts, 0
        assert self.now >= start, "time went back"
        self.counters["iterations"] += 1
        self.counters["largest_cached"] = max(self.counters["largest_cached"], it.cached)
        self.counters["largest_prompt"] = max(self.counters["largest_prompt"], it.prompt_tokens)
        row = (it.decodes, it.prefills, it.prompt_tokens, it.cached, it.footprint, it.resident, it.waiting)
        self.log.append((start, self.now, 1, *row))

    def hold(self, footprint: int, then: float) -> None:
        """Add a stretch of time to the integral of the footprint."""
        self.token_seconds += footprint * (then - self.now)

    def decided(self, footprint: int) -> None:
        """Note the footprint after a decision."""
        self.counters["peak_footprint"] = max(self.counters["peak_footprint"], footprint)

    # -- what happens to requests ---------------------------------------------------------------------------------
    def admit(self, i: int) -> None:
        """Note when i became resident for the first time."""
        if math.isnan(self.admitted[i]):
            self.admitted[i] = self.now

    def move(self, tokens: int) -> None:
        """Note tokens moved to or from the host; the next iteration pays for them."""
        self.unpaid_moves += tokens
        self.counters["moved_tokens"] += tokens

    def lose(self, i: int, passes: int) -> None:
        """Note that an eviction ends an attempt of so many passes."""
        self.losses.append((i, passes, self.now))

    def evict(self, i: int, prefill_lost: int, decodes_lost: int, restarts: bool) -> None:
        """Note an eviction; a restart forgets the tokens of the attempt."""
        self.evictions[i] += 1
        self.counters["evictions"] += 1
        self.counters["wasted_prefill_tokens"] += prefill_lost
        self.counters["wasted_decode_tokens"] += decodes_lost
        if restarts:
            self._attempt_prefill[i] = self._attempt_first[i] = self._last_token[i] = self.max_gap[i] = NEVER
            self.gaps[i] = []

    def prefilled(self, i: int) -> None:
        """Note the end of the pass of stage 0."""
        self._attempt_prefill[i] = self.now
        if math.isnan(self.prefill_done[i]):
            self.prefill_done[i] = self.now

    def emit(self, i: int) -> None:
        """Note a token."""
        self.counters["emitted_tokens"] += 1
        if math.isnan(self._last_token[i]):
            self._attempt_first[i] = self.now
        else:
            gap = self.now - self._last_token[i]
            self.max_gap[i] = max(self.max_gap[i], gap) if self.gaps[i] else gap
            self.gaps[i].append(gap)
        if math.isnan(self.first_token[i]):
            self.first_token[i] = self.now
        self._last_token[i] = self.now

    def complete(self, i: int, restarts: bool) -> None:
        """Note the completion; with restarts the attempt that completes is the one that counts."""
        self.completion[i] = self.now
        if restarts:
            self.prefill_done[i], self.first_token[i] = self._attempt_prefill[i], self._attempt_first[i]
