"""What a clock says about a schedule: seconds of every round, hence of every request, and the bound in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu_validate.timeline import Timeline
from kvratio.problem.clock import Clock
from kvratio.problem.instance import Instance

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Seconds by a clock, request by request.

    Attributes
    ----------
    seconds : float64[k]
        Of each busy round; idle rounds take none.
    latency, ttft : float64[n]
    """

    seconds: FloatArray
    latency: FloatArray
    ttft: FloatArray


def predict(timeline: Timeline, clock: Clock) -> Prediction:
    """Return what a clock says a replay of the schedule takes: round t lasts ``d0 + d1 K_t + d2 P_t``."""
    loads, schedule = timeline.loads, timeline.schedule
    seconds = clock.d0 + clock.d1 * loads.cached + clock.d2 * loads.prompt + clock.swap * loads.moved
    passed = np.concatenate([[0.0], np.cumsum(seconds)])

    def at(epochs: npt.ArrayLike) -> FloatArray:
        return passed[np.searchsorted(loads.number, np.asarray(epochs), side="right")]

    arrival = schedule.instance.arrival
    begun = at(arrival)
    return Prediction(seconds, at(schedule.completion) - begun, at(schedule.ttft + arrival) - begun)


def seconds_bound(inst: Instance, lower: int, clock: Clock) -> float | None:
    """Return seconds below which no schedule's total latency can be, if iterations take what the clock says.

    Let N_t be the requests that are not complete when round t begins. The total latency is the sum over busy rounds of
    N_t (d0 + d1 K_t + d2 P_t). The three parts are bounded apart:

    - busy rounds alone are a feasible schedule of a batch, so sum N_t is its total completion, at least ``lower``;
    - all rounds of the attempt that completes the m-th request to finish have N_t >= n - m + 1, and the attempt alone
      adds its volume v to the sum of K_t; so sum N_t K_t >= sum of v(m) (n - m + 1) with v ascending, the least over
      all orders; prompts (at least one token) likewise.

    Kills, restarts and recomputation only add rounds.

    Parameters
    ----------
    inst : Instance
    lower : int
        A certified lower bound of the total completion, in rounds.
    clock : Clock
        Linear.

    Returns
    -------
    float or None
        None for an instance with arrivals: there idle rounds take no time in a replay, and the first step fails.

    Notes
    -----
    Derived here. It is as true as the clock: no bound on what a machine can do.
    """
    if not inst.is_batch:
        return None
    waiting = np.arange(inst.n, 0, -1, dtype=np.float64)
    cached = float(np.sort(inst.volume).astype(np.float64) @ waiting)
    prompt = float(np.sort(np.maximum(inst.prompt, 1)).astype(np.float64) @ waiting)
    return clock.d0 * lower + clock.d1 * cached + clock.d2 * prompt
