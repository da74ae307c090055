"""The upper side: which searches for schedules run on which instances, and for how long."""

from __future__ import annotations

import time
from numbers import Integral

import numpy as np

from kvratio.problem.errors import BadParameter
from lowerbounds.decode import ORDER_WORK, improve_order, list_orders, perturb_starts
from lowerbounds.interval import Evidence
from lowerbounds.keys import search_keys
from lowerbounds.rolling import improve_windows

#: largest number of requests whose order is improved move by move, and whose prices are improved step by step
SMALL = 3000
#: placements of the search for schedules, per request, up to ORDER_WORK in all
WORK_PER_REQUEST = 20_000
#: perturbations of the volume order that come before all else on large instances
FIRST_TRIALS = 3
#: requests from which on windows in time are searched before moves in the order
WINDOWS_LEAST = 100
#: placements per request from which on windows in time are searched
WINDOWS_FROM = 64
#: shares of the search for schedules given to keys, and to noise, before windows in time
FIRST_SHARE = 0.1
#: decodings with noise at most, where time limits them
PERTURB_MOST = 10_000
#: share of the time left that the search leaves for what comes after it
RESERVE = 0.03


def find_schedules(evidence: Evidence, work: int | None = None) -> None:
    """Look for schedules: list orders, then moves in the order (small) or a little noise on the starts (large)."""
    incumbent, n = evidence.incumbent, evidence.inst.n
    stop = time.monotonic() + evidence.left / 4
    if _is_varied(evidence):
        # Volume order and a little noise come first: on large instances the other orders rarely win. Noise does
        # nothing for many copies of few requests; those need pacing, the last of the list orders.
        incumbent.try_order(np.argsort(evidence.inst.volume, kind="stable"))
        perturb_starts(incumbent, evidence.seed, stop, FIRST_TRIALS * n)
    list_orders(incumbent, stop)
    if _is_varied(evidence):
        return
    work = min(ORDER_WORK, WORK_PER_REQUEST * n) if work is None else work
    if n > SMALL:
        perturb_starts(incumbent, evidence.seed + 1, stop, work)
        return
    if n >= WINDOWS_LEAST and _is_mixed(evidence) and work >= WINDOWS_FROM * n:
        improve_windows(incumbent, evidence.seed, stop, work // 2)
        work -= work // 2
    improve_order(incumbent, evidence.seed + 1, stop, work)


def _is_mixed(evidence: Evidence) -> bool:
    """Whether most requests differ."""
    return len(evidence.classes) > evidence.inst.n // 10


def _is_varied(evidence: Evidence) -> bool:
    """Whether the instance is large and most requests differ: then `refine` finds the better schedules."""
    return evidence.inst.n > SMALL and _is_mixed(evidence)


def refine(evidence: Evidence, work: int | None) -> None:
    """Improve the schedules of large varied instances by keys, noise and windows in time, until time or work ends."""
    if not _is_varied(evidence) or evidence.closed or evidence.left <= 0:
        return
    incumbent, n, seed = evidence.incumbent, evidence.inst.n, evidence.seed
    if work is not None and work < WINDOWS_FROM * n:
        perturb_starts(incumbent, seed + 1, evidence.deadline, work)
        return
    # What follows needs a little time to check and to write down the schedule.
    stop = evidence.deadline - RESERVE * evidence.left
    left = max(0.0, stop - time.monotonic())
    if work is None:
        # Each search gets its share of the time.
        first, second = (time.monotonic() + k * FIRST_SHARE * left for k in (1, 2))
        search_keys(incumbent, seed, first)
        perturb_starts(incumbent, seed + 1, second, PERTURB_MOST * n)
        improve_windows(incumbent, seed, stop)
    else:
        part = int(FIRST_SHARE * work)
        search_keys(incumbent, seed, stop, part)
        perturb_starts(incumbent, seed + 1, stop, part)
        improve_windows(incumbent, seed, stop, work - 2 * part)


def work_of(work: int | None, work_limit: int | None) -> int | None:
    """Return the limit on placements: ``work`` is the older name of ``work_limit``."""
    if work is not None and work_limit is not None:
        raise BadParameter("work and work_limit are the same option: give one of them")
    limit = work if work_limit is None else work_limit
    if limit is not None and not (isinstance(limit, Integral) and limit >= 0):
        raise BadParameter(f"work_limit is {limit!r}: give a number of placements >= 0")
    return limit
