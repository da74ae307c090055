"""The judge: does a schedule obey the model? Integers only; shares no code with any engine."""

from __future__ import annotations

import numpy as np

from kvratio.problem.errors import InfeasibleSchedule
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.schedule import ATTEMPT_DTYPE, Schedule


def check(instance: Instance, schedule: Schedule) -> bool:
    """Return True, or raise unless the schedule is feasible for the instance and its totals follow from its attempts.

    Verified: every attempt has an existing request, a start no earlier than its arrival and at least one round;
    attempts of one request do not overlap; each request completes exactly once, in its last attempt, after its
    full output (under ``restart`` in one attempt, otherwise over all); memory stays within the budget in every
    round; completion, start and the counters agree with the attempts. O(k log k) for k attempts: demand rises
    until something ends, so it is tested in the last round before each end.

    Raises
    ------
    InfeasibleSchedule
        One line that names request, round and memory.
    """
    if schedule.instance.key != instance.key:
        raise InfeasibleSchedule(f"the schedule was made for another instance ({schedule.instance!r})")
    rows = schedule.attempts
    if rows.dtype != ATTEMPT_DTYPE:
        raise InfeasibleSchedule(f"attempts have dtype {rows.dtype}, not {ATTEMPT_DTYPE}")
    request = rows["request"]
    bad = np.flatnonzero((request < 0) | (request >= instance.n))
    if bad.size:
        raise InfeasibleSchedule(f"attempt {bad[0]} names request {request[bad[0]]}; there are {instance.n}")
    order = np.lexsort((rows["start"], request))
    rows, request = rows[order], request[order]
    _check_attempts(instance, rows["request"], rows["start"], rows["stop"])
    kept = _check_progress(instance, schedule.eviction, request, rows["start"], rows["stop"], rows["completed"])
    _check_memory(instance, request, rows["start"] - kept, rows["start"], rows["stop"])
    _check_totals(instance, schedule, rows, kept)
    return True


def _check_attempts(instance: Instance, request: IntArray, start: IntArray, stop: IntArray) -> None:
    early = np.flatnonzero(start < instance.arrival[request])
    if early.size:
        i = request[early[0]]
        raise InfeasibleSchedule(
            f"request {i} starts at {start[early[0]]}, before its arrival at {instance.arrival[i]}"
        )
    empty = np.flatnonzero(stop <= start)
    if empty.size:
        k = empty[0]
        raise InfeasibleSchedule(f"request {request[k]} has an attempt from {start[k]} to {stop[k]}: no rounds")
    overlap = np.flatnonzero((request[1:] == request[:-1]) & (start[1:] < stop[:-1]))
    if overlap.size:
        k = overlap[0]
        raise InfeasibleSchedule(
            f"request {request[k]} starts again at {start[k + 1]}, before its attempt ends at {stop[k]}"
        )


def _check_progress(
    instance: Instance, eviction: str, request: IntArray, start: IntArray, stop: IntArray, completed: np.ndarray
) -> IntArray:
    """Check conservation and lengths; return the tokens each attempt starts with."""
    length = stop - start
    done = np.bincount(request[completed], minlength=instance.n)
    wrong = np.flatnonzero(done != 1)
    if wrong.size:
        raise InfeasibleSchedule(f"request {wrong[0]} completes {done[wrong[0]]} times instead of once")
    last = np.append(request[1:] != request[:-1], True)
    after = np.flatnonzero(completed & ~last)
    if after.size:
        raise InfeasibleSchedule(f"request {request[after[0]]} runs again after it completed at {stop[after[0]]}")
    if eviction == "restart":
        kept = np.zeros(len(request), np.int64)
    else:
        before = np.cumsum(length) - length
        kept = before - before[np.searchsorted(request, request, side="left")]
    produced = kept + length
    need = instance.output[request]
    bad = np.flatnonzero(np.where(completed, produced != need, produced >= need))
    if bad.size:
        k = bad[0]
        what = "completes" if completed[k] else "is evicted"
        raise InfeasibleSchedule(
            f"request {request[k]} {what} at {stop[k]} with {produced[k]} tokens; "
            f"its output is {need[k]} (eviction={eviction})"
        )
    return kept


def _check_memory(instance: Instance, request: IntArray, virtual: IntArray, start: IntArray, stop: IntArray) -> None:
    """Test the demand in the last round before each end; ``virtual`` is the start that explains the age."""
    offset = instance.prompt[request] - virtual
    ends = np.unique(stop)
    by_start, by_stop = np.argsort(start, kind="stable"), np.argsort(stop, kind="stable")
    zero = np.zeros(1, np.int64)
    started_offset = np.concatenate([zero, np.cumsum(offset[by_start])])
    stopped_offset = np.concatenate([zero, np.cumsum(offset[by_stop])])
    # Running in round `end`: started before `end`, stopped at `end` or later.
    started = np.searchsorted(start[by_start], ends, side="left")
    stopped = np.searchsorted(stop[by_stop], ends, side="left")
    demand = started_offset[started] - stopped_offset[stopped] + (started - stopped) * ends
    over = np.flatnonzero(demand > instance.memory)
    if over.size:
        end = int(ends[over[0]])
        running = np.flatnonzero((start < end) & (stop >= end))
        largest = running[np.argmax(offset[running] + end)]
        raise InfeasibleSchedule(
            f"round {end} needs {demand[over[0]]} of {instance.memory} memory with {len(running)} requests running; "
            f"the largest is request {request[largest]} with {offset[largest] + end}"
        )


def _check_totals(instance: Instance, schedule: Schedule, rows: np.ndarray, kept: IntArray) -> None:
    """Compare what the schedule says of itself with what its attempts say."""
    request, start, stop, completed = (rows[name] for name in ATTEMPT_DTYPE.names or ())
    expected = np.empty(instance.n, np.int64)
    for name, value in (("completion", stop), ("start", start)):
        expected[request[completed]] = value[completed]
        stated = getattr(schedule, name)
        wrong = np.flatnonzero(stated != expected) if stated.shape == expected.shape else np.zeros(1, np.int64)
        if wrong.size:
            i = wrong[0]
            raise InfeasibleSchedule(f"request {i}: {name} is stated as {stated[i]}, its attempts give {expected[i]}")
    length = (stop - start)[~completed]
    prompt = instance.prompt[request[~completed]]
    restart = schedule.eviction == "restart"
    resumed = (kept > 0) & (schedule.eviction == "recompute")
    totals = {
        "evictions": len(length),
        "wasted_rounds": int(length.sum()) if restart else 0,
        "wasted_token_rounds": int((prompt * length + length * (length + 1) // 2).sum()) if restart else 0,
        "recomputed_tokens": int((instance.prompt[request] + kept)[resumed].sum()),
    }
    for name, total in totals.items():
        if getattr(schedule, name) != total:
            raise InfeasibleSchedule(f"{name} is stated as {getattr(schedule, name)}, the attempts give {total}")
