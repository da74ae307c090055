"""Where a run ends: the period of its cycle, and how long one class takes to collapse into one cohort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import FloatArray, classes_of, memory_of
from stability.congestion.trajectory import Trajectory, simulate

#: states are compared after so many iterations at first; then the distance doubles
CHUNK = 64
#: mass below this share of the largest is none
EMPTY = 1e-9
#: periods between the two looks that must give the same period
SETTLED = 16


@dataclass(frozen=True, eq=False)
class Cycle:
    """The cycle that a run has settled on.

    Attributes
    ----------
    period : int
        Iterations.
    reached : int
        Iteration at which the run was known to be on it (it may have been earlier).
    throughput : float
        Completions per iteration, mean over the period.
    evictions : float
        Evicted requests per iteration, mean over the period.
    states : float64[period, d]
        Mass at each age.
    """

    period: int
    reached: int
    throughput: float
    evictions: float
    states: FloatArray


def find_cycle(
    prompt: Any,
    decode: Any,
    memory: float,
    *,
    shares: Any = None,
    start: Any = None,
    limit: int = 100_000,
    tolerance: float = 1e-9,
) -> Cycle | None:
    """Run until the state repeats, and return the cycle; None if it has not within ``limit`` iterations.

    Parameters
    ----------
    prompt, decode, memory, shares, start
        As `simulate`.
    limit : int
        Most iterations of the search.
    tolerance : float
        States are equal if no mass differs by more than this share of the largest.

    Notes
    -----
    The state is compared with the one at the last power-of-two multiple of 64 iterations, so a period is found
    within about four times the time to reach it. An equilibrium is a cycle of period 1.
    """
    memory_of(memory)
    run = simulate(prompt, decode, memory, 0, shares=shares, start=start)
    done, period = 0, 0
    while True:
        found = _returns(prompt, decode, memory, shares, run.last, done, limit, tolerance)
        if found is None:
            return None
        done, again, state = found
        run = simulate(prompt, decode, memory, again * SETTLED, shares=shares, start=state, record="totals")
        if again == period:
            break
        # Still coming closer, the state may first return after several periods: look again later.
        period = again
    return _cycle(simulate(prompt, decode, memory, period, shares=shares, start=run.last), done)


def _returns(
    prompt: Any, decode: Any, memory: float, shares: Any, start: Any, done: int, limit: int, tolerance: float
) -> tuple[int, int, FloatArray] | None:
    """Return when a state came back for the first time, after how many iterations, and the state."""
    reference, span = start, CHUNK
    while done < limit:
        run = None
        seen = 0
        while seen < span:
            here = reference if run is None else run.last
            run = simulate(prompt, decode, memory, min(CHUNK, span - seen), shares=shares, start=here)
            gap = np.abs(run.y[1:] - reference).max(axis=1)
            same = np.flatnonzero(gap <= tolerance * reference.max())
            if len(same):
                return done + seen, seen + int(same[0]) + 1, reference
            seen += run.steps
        done += span
        span *= 2
        reference = run.last if run is not None else reference
    return None


def steps_to_worst_cycle(
    prompt: float, decode: int, memory: float, start: Any = None, *, limit: int = 1_000_000
) -> int | None:
    """Return the iteration from which one class is a single cohort for good: the worst cycle of arXiv 2606.15555.

    Parameters
    ----------
    prompt, decode, memory, start
        As `simulate`, one class only.
    limit : int
        Most iterations.

    Returns
    -------
    int or None
        None: not within ``limit``.

    Raises
    ------
    BadParameter
        More than one class.
    """
    if len(classes_of(prompt, decode)) > 1:
        raise BadParameter("the worst cycle is known for one class: use find_cycle for a mix")
    memory_of(memory)
    done = 0
    run = simulate(prompt, decode, memory, 0, start=start)
    while True:
        alone = run.y.sum(axis=1) - run.y.max(axis=1) <= EMPTY * run.y.max(axis=1)
        # A cohort that fills memory alone stays alone: all that is admitted later is evicted, or enters when it ends.
        full = np.abs(run.used - run.memory) <= EMPTY * run.memory
        hit = np.flatnonzero(alone & full)
        if len(hit):
            return done + int(hit[0])
        done += run.steps
        if done >= limit:
            return None
        run = simulate(prompt, decode, memory, min(CHUNK * 16, limit - done), start=run.last)


def _cycle(run: Trajectory, reached: int) -> Cycle:
    return Cycle(run.steps, reached, run.throughput(), run.evictions(), run.y[:-1])
