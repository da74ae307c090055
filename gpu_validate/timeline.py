"""A schedule as the iterations of a batch engine: who ends, who is admitted, who runs, round by round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from kvratio.problem.checker import check
from kvratio.problem.instance import IntArray
from kvratio.problem.schedule import Schedule


class Ending(NamedTuple):
    """An attempt that ends at an epoch, before the round that follows."""

    request: int
    completed: bool


class Round(NamedTuple):
    """One busy round: what happens at the epoch before it, and who then runs.

    Attributes
    ----------
    number : int
        t >= 1; it lies between epochs t - 1 and t.
    endings : tuple of Ending
        Completions and kills since the busy round before this one; their memory is free in this round.
    admitted : tuple of int
        Requests whose attempt begins, in order of request.
    running : tuple of int
        All requests of the batch: those that go on, then the admitted.
    """

    number: int
    endings: tuple[Ending, ...]
    admitted: tuple[int, ...]
    running: tuple[int, ...]


class Loads(NamedTuple):
    """What each busy round holds and computes, int64[k] each.

    Attributes
    ----------
    number
        The rounds.
    batch
        Requests that run.
    cached
        K: the sum of s + j over the batch, which is the memory of the round.
    prompt
        P: prompt tokens processed (one token stands for an empty prompt); under ``recompute`` with the kept tokens.
    moved
        Tokens copied to or from the host under ``swap``.
    """

    number: IntArray
    batch: IntArray
    cached: IntArray
    prompt: IntArray
    moved: IntArray


@dataclass(frozen=True)
class Timeline:
    """The busy rounds of a checked schedule, in order. Rounds in which nobody runs are left out.

    Parameters
    ----------
    schedule : Schedule
        Feasible by `kvratio.check`, which is called here.

    Raises
    ------
    InfeasibleSchedule
    """

    schedule: Schedule

    def __post_init__(self) -> None:
        check(self.schedule.instance, self.schedule)

    def __iter__(self) -> Iterator[Round]:
        rows = self.schedule.attempts
        begins: dict[int, list[int]] = {}
        ends: dict[int, list[Ending]] = {}
        for request, start, stop, completed in rows.tolist():
            begins.setdefault(start, []).append(request)
            ends.setdefault(stop, []).append(Ending(request, completed))
        running: dict[int, None] = {}
        pending: list[Ending] = []
        events = sorted({*begins, *ends})
        for place, epoch in enumerate(events):
            for ending in ends.get(epoch, ()):
                del running[ending.request]
                pending.append(ending)
            admitted = tuple(sorted(begins.get(epoch, ())))
            going_on = tuple(running)
            running.update(dict.fromkeys(admitted))
            if not running:
                continue
            last = events[place + 1]  # whoever runs ends at a later event
            yield Round(epoch + 1, tuple(pending), admitted, going_on + admitted)
            pending = []
            everyone = tuple(running)
            for number in range(epoch + 2, last + 1):
                yield Round(number, (), (), everyone)

    @property
    def last_endings(self) -> tuple[Ending, ...]:
        """Attempts that end with the last round; no round follows that could name them."""
        rows = self.schedule.attempts
        final = rows[rows["stop"] == rows["stop"].max()]
        return tuple(Ending(int(row["request"]), bool(row["completed"])) for row in final)

    @cached_property
    def loads(self) -> Loads:
        """What each busy round holds and computes."""
        inst, eviction = self.schedule.instance, self.schedule.eviction
        prompt = np.maximum(inst.prompt, 1).tolist()
        held, kept, age = inst.prompt.copy(), [0] * inst.n, [0] * inst.n
        table: list[tuple[int, int, int, int, int]] = []
        for step in self:
            moved = 0
            for request, completed in step.endings:
                kept[request] = 0 if eviction == "restart" else age[request]
                if eviction == "swap" and not completed:
                    moved += prompt[request] + age[request] - 1
            computed = 0
            for request in step.admitted:
                age[request] = kept[request]
                held[request] = inst.prompt[request] + age[request]
                if eviction == "swap" and age[request]:
                    moved += prompt[request] + age[request] - 1
                else:
                    computed += prompt[request] + age[request]
            batch = list(step.running)
            held[batch] += 1
            for request in batch:
                age[request] += 1
            table.append((step.number, len(batch), int(held[batch].sum()), computed, moved))
        columns = np.array(table, dtype=np.int64).T
        return Loads(*columns)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Iterations, admissions, completions, kills and peak memory, by the schedule alone."""
        rows = self.schedule.attempts
        return {
            "iterations": len(self.loads.number),
            "admissions": len(rows),
            "completions": int(rows["completed"].sum()),
            "kills": int((~rows["completed"]).sum()),
            "peak_tokens": int(self.loads.cached.max()),
        }
