"""What a policy may not read, tried by changing it: nothing decided before it was revealed may change.

Hidden are the outputs of unfinished requests, beyond the tokens they were seen to produce; all that has not arrived;
and predictions that the card does not ask for. Code that inspects the interpreter's frames, or objects of the engine,
to reach what it is not given is not walled off; where it makes a difference to the schedule, it is found here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule

Run = Callable[[Instance], Schedule]
Decisions = list[tuple[int, int, int, bool]]


def lengths(run: Run, inst: Instance, information: str, waits: bool, pauses: bool) -> str:
    """Say how a decision depends on a length that was not revealed; empty where none does."""
    sch = run(inst)
    for epoch in _epochs(sch):
        hidden = np.flatnonzero(sch.completion > epoch)
        least = seen_lengths(sch, epoch, pauses)
        longest = inst.memory - inst.prompt
        for changed in (longest, least, (least + longest + 1) // 2):
            output = inst.output.copy()
            output[hidden] = changed[hidden]
            if np.array_equal(output, inst.output):
                continue
            # Where no prediction is given it is the output: it must not move with it.
            given = {"predicted": inst.predicted, "predicted_low": inst.predicted_low}
            other = inst.replace(output=output, predicted_high=inst.predicted_high, **given)
            one, two = decisions(sch, epoch, pauses), decisions(run(other), epoch, pauses)
            if one != two:
                i = int(hidden[np.flatnonzero(output[hidden] != inst.output[hidden])[0]])
                return (
                    f"decisions up to epoch {epoch} depend on lengths not yet revealed: with output {output[i]} in "
                    f"place of {inst.output[i]} for request {i}, {_difference(one, two)}"
                )
    return ""


def arrivals(run: Run, inst: Instance, information: str, waits: bool, pauses: bool) -> str:
    """Say how a decision depends on what arrives later; empty where none does."""
    if inst.is_batch:
        return ""
    for epoch in sorted({int(a) for a in inst.arrival})[:-1][:4]:
        present = np.flatnonzero(inst.arrival <= epoch)
        now = inst.subset(present)
        # The requests to come, twice as long and in the other order; a policy that waits is told that some will come.
        later = np.setdiff1d(np.arange(inst.n), present)[::-1]
        late = inst.subset(later)
        changed = late.replace(output=late.output[::-1].clip(1, inst.memory - late.prompt), predicted=None)
        futures = [_joined(now, changed, late.arrival.max()), *([] if waits else [now])]
        base = _joined(now, late, late.arrival.max())
        one = decisions(run(base), epoch, pauses, now.n)
        for future in futures:
            two = decisions(run(future), epoch, pauses, now.n)
            if one != two:
                return f"decisions up to epoch {epoch} depend on what arrives after it: {_difference(one, two)}"
    return ""


def predictions(run: Run, inst: Instance, information: str, waits: bool, pauses: bool) -> str:
    """Say how the schedule depends on predictions that the card does not ask for; empty where it does not."""
    other = {}
    if information in ("none", "interval"):
        other["point predictions"] = {"predicted": inst.predicted[::-1] + 3}
    if information != "interval":
        other["intervals"] = {"predicted_low": np.ones(inst.n, np.int64), "predicted_high": inst.predicted_high + 7}
    for what, columns in other.items():
        one, two = (run(one).attempts.tolist() for one in (inst, inst.replace(**columns)))
        if one != two:
            return f"information is {information!r}, and the schedule depends on {what}: {_difference(one, two)}"
    return ""


def decisions(sch: Schedule, epoch: int, pauses: bool = False, requests: int | None = None) -> Decisions:
    """Return what was decided up to and including an epoch, for the first so many requests (default: all).

    Rows are (request, start, stop, completed); an attempt that has not stopped by then has stop -1, or no row where its
    start says nothing (``pauses``).
    """
    n = sch.instance.n if requests is None else requests
    rows = sch.attempts[(sch.attempts["stop" if pauses else "start"] <= epoch) & (sch.attempts["request"] < n)]
    return [(i, a, b, done) if b <= epoch else (i, a, -1, False) for i, a, b, done in rows.tolist()]


def seen_lengths(sch: Schedule, epoch: int, pauses: bool = False) -> np.ndarray:
    """Return the smallest output of each request that agrees with what was seen up to an epoch, int64[n]."""
    if pauses:
        return sch.instance.output
    least = np.ones(sch.instance.n, np.int64)
    kept = np.zeros(sch.instance.n, np.int64)
    for i, start, stop, completed in sch.attempts.tolist():
        if start > epoch:
            continue
        tokens = int(kept[i]) + min(stop, epoch) - start
        least[i] = max(least[i], tokens if completed and stop <= epoch else tokens + 1)
        if sch.eviction != "restart":
            kept[i] = tokens
    return least


def _epochs(sch: Schedule) -> list[int]:
    """A few epochs of a run: the first, those of starts, and some between."""
    times = sorted({0, *sch.attempts["start"].tolist(), sch.makespan // 2})
    return times[:3] + times[len(times) // 2 : len(times) // 2 + 1]


def _joined(now: Instance, late: Instance, last: int) -> Instance:
    columns = ("prompt", "output", "arrival", "predicted", "predicted_low", "predicted_high")
    joined: dict[str, Any] = {name: np.concatenate([getattr(now, name), getattr(late, name)]) for name in columns}
    joined["arrival"][-1] = last
    return Instance(memory=now.memory, **joined)


def _difference(one: Decisions, two: Decisions) -> str:
    for a, b in zip(one, two, strict=False):
        if a != b:
            return f"attempt (request, start, stop, completed) {a} becomes {b}"
    return f"{len(one)} attempts become {len(two)}"


__all__ = ["arrivals", "decisions", "lengths", "predictions", "seen_lengths"]
