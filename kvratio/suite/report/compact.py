"""A schedule in few bytes: what a page needs to draw it, in full where small, thinned out where large."""

from __future__ import annotations

from typing import Any

import numpy as np

from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.schedule import Attempts, Schedule

#: a schedule with more attempts is thinned out to about this many
FULL_ATTEMPTS = 1200
#: points of a memory curve that is thinned out
BUCKETS = 500


def compact_schedule(inst: Instance, schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as columns of small integers.

    Parameters
    ----------
    inst : Instance
        As the run keeps it.
    schedule : Schedule
        Of ``inst``, or of its augmented copy.

    Returns
    -------
    dict
        ``attempts``: request, steps between starts, lengths (rounds), in the order of their starts; ``void``: places
        in that order that did not complete; ``total``: attempts in all; ``every``: only each such request is there
        (1: all are); ``curve``: None, or the memory curve as steps between rounds, least and largest demand, where
        not all attempts are there. ``memory`` and ``arrival`` stand where the policy had others than the instance.
    """
    rows = schedule.attempts
    every, kept = _thinned(rows, inst.n)
    data: dict[str, Any] = {
        "eviction": schedule.eviction,
        "makespan": schedule.makespan,
        "utilisation": round(schedule.utilisation, 6),
        "total": len(rows),
        "every": every,
        "attempts": [
            kept["request"].tolist(),
            np.diff(kept["start"], prepend=0).tolist(),
            (kept["stop"] - kept["start"]).tolist(),
        ],
        "void": np.flatnonzero(~kept["completed"]).tolist(),
        "curve": None if len(kept) == len(rows) else _envelope(schedule),
    }
    if schedule.instance.memory != inst.memory:
        data["memory"] = schedule.instance.memory
    if not np.array_equal(schedule.instance.arrival, inst.arrival):
        data["arrival"] = schedule.instance.arrival.tolist()
    return data


def _thinned(rows: Attempts, n: int) -> tuple[int, Attempts]:
    """Keep every k-th request with all its attempts, k as small as the size allows; cut what is still too long."""
    every = max(1, -(-len(rows) // FULL_ATTEMPTS))
    kept = rows[rows["request"] % every == 0]
    while len(kept) > 2 * FULL_ATTEMPTS and every < n:
        every *= 2
        kept = rows[rows["request"] % every == 0]
    # One request alone may be evicted more often than can be drawn: its last attempts stay, so that it completes.
    return every, kept[-2 * FULL_ATTEMPTS :]


def _envelope(schedule: Schedule) -> list[list[int]]:
    """Least and largest demand within equal stretches of time."""
    epoch, first, last = schedule.memory_curve()
    times = np.column_stack([epoch[:-1], epoch[1:]]).ravel()
    demand = np.column_stack([first[:-1], last[:-1]]).ravel()
    edges: IntArray = np.unique(np.linspace(0, schedule.makespan, BUCKETS + 1).astype(np.int64))[:-1]
    # A stretch begins with what the curve is at its edge, so no bucket is empty.
    joined = np.concatenate([times, edges])
    values = np.concatenate([demand, np.interp(edges, times, demand).astype(np.int64)])
    order = np.argsort(joined, kind="stable")
    at = np.searchsorted(joined[order], edges, side="left")
    least, most = np.minimum.reduceat(values[order], at), np.maximum.reduceat(values[order], at)
    return [np.diff(edges, prepend=0).tolist(), least.tolist(), most.tolist()]
