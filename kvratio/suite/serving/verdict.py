"""Whether a load is stable: how fast requests pile up, over replications."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.service import Run
from kvratio.suite.serving.student import mean_and_half_width

#: share of arrivals that may pile up in a load called stable
LIMIT = 0.01
#: samples of the number in the system, and the share of the arrival period that is left out before the first
SAMPLES, FROM = 200, 0.3
#: replications that a verdict needs
REPLICATIONS = 10
#: requests per mean number in the system, and mean latencies per arrival period, that a verdict "stable" needs
LONG_ENOUGH = 20


def queue_growth(run: Run) -> float:
    """Return the share of arrivals that pile up.

    U(t), the requests that arrived and did not complete (refused ones aside), is sampled at 200 equally spaced times in
    [0.3 T, T], T the last arrival; the slope of the least-squares line is divided by the arrival rate. Requests that
    wait at time 0 are a start, not arrivals, and do not count in the rate.

    Raises
    ------
    BadParameter
        All requests arrive at once, or the run was cut before the last arrival.
    """
    T = _period(run)
    arrival = run.requests.arrival
    times = np.linspace(FROM * T, T, SAMPLES)
    present = ~run.refused
    done = np.sort(run.completion[run.completed])
    inside = np.searchsorted(arrival[present], times, side="right") - np.searchsorted(done, times, side="right")
    centred = times - times.mean()
    slope = float(centred @ inside) / float(centred @ centred)
    return slope / (int((arrival > 0).sum()) / T)


def mean_in_system(run: Run) -> float:
    """Return the time-averaged number of requests in the system up to the last arrival, refused ones aside."""
    T = _period(run)
    present = ~run.refused
    until = np.where(run.completed, np.minimum(run.completion, T), T)
    return float((until - run.requests.arrival)[present].sum()) / T


@dataclass(frozen=True)
class Evidence:
    """What the verdict needs of one run: small enough to come back from another process.

    Attributes
    ----------
    policy : str
    n : int
        Requests.
    growth : float
        `queue_growth`.
    crowd : float
        `mean_in_system`.
    latency : float
        Sum of the latencies of the completed requests, seconds.
    completed : int
    period : float
        Seconds to the last arrival.
    cached, prompt : int
        Most key-value tokens and most prompt tokens of an iteration.
    """

    policy: str
    n: int
    growth: float
    crowd: float
    latency: float
    completed: int
    period: float
    cached: int = 0
    prompt: int = 0

    @classmethod
    def of(cls, run: Run) -> Evidence:
        """Read a run."""
        return cls(
            run.policy,
            run.requests.n,
            queue_growth(run),
            mean_in_system(run),
            float(run.latency[run.completed].sum()),
            int(run.completed.sum()),
            run.requests.last_arrival,
            int(run.counters["largest_cached"]),
            int(run.counters["largest_prompt"]),
        )


@dataclass(frozen=True)
class Verdict:
    """What replications say of the stability of one policy at one load.

    Attributes
    ----------
    verdict : str
        "stable", "unstable" or "undecided".
    growth : float
        Mean of `queue_growth` over the replications.
    half_width : float
        Of its 95 % t-interval.
    replications : int
    n : int
        Requests per replication.
    n_needed : int
        Requests at which a run is long enough: n >= 20 mean numbers in the system and T >= 20 mean latencies.
    reason : str
        One line.
    """

    verdict: str
    growth: float
    half_width: float
    replications: int
    n: int
    n_needed: int
    reason: str


def stability_verdict(runs: Sequence[Run | Evidence], least: int = REPLICATIONS) -> Verdict:
    """Judge replications of one policy at one load.

    Unstable: mean growth g > 0.01 and g - h > 0. Stable: g + h < 0.01, on runs that are long enough. Else undecided:
    the caller doubles n.

    Parameters
    ----------
    runs : sequence of Run or Evidence
        Independent replications with the same number of requests.
    least : int
        Fewest replications that are judged.

    Raises
    ------
    BadParameter
        Too few runs, or runs that do not belong together.
    """
    if len(runs) < max(least, 2):
        raise BadParameter(f"stability_verdict: {len(runs)} runs: give at least {max(least, 2)} replications")
    found = [run if isinstance(run, Evidence) else Evidence.of(run) for run in runs]
    sizes = {(one.policy, one.n) for one in found}
    if len(sizes) > 1:
        raise BadParameter(
            f"stability_verdict: runs differ in policy or n ({sorted(sizes)}): give replications of one load"
        )
    g, h = mean_and_half_width([one.growth for one in found])
    n = found[0].n
    needed = _needed(found)
    if g > LIMIT and g - h > 0:
        verdict, why = "unstable", f"{g:.2%} of the arrivals pile up (+- {h:.2%})"
    elif g + h < LIMIT:
        long = needed <= n
        verdict = "stable" if long else "undecided"
        why = f"growth {g:.2%} +- {h:.2%} is below {LIMIT:.0%}"
        why += "" if long else f", but {n} requests are too few: take {needed}"
    else:
        verdict, why = "undecided", f"growth {g:.2%} +- {h:.2%} is on neither side of {LIMIT:.0%}: double n = {n}"
    return Verdict(verdict, g, h, len(runs), n, needed, why)


def _needed(found: Sequence[Evidence]) -> int:
    """Return the requests a replication needs by what these show."""
    n = found[0].n
    crowd = float(np.mean([one.crowd for one in found]))
    completed = sum(one.completed for one in found)
    if not completed:
        return 2 * n
    latency = math.fsum(one.latency for one in found) / completed
    period = float(np.mean([one.period for one in found]))
    return math.ceil(max(LONG_ENOUGH * crowd, n * LONG_ENOUGH * latency / period))


def _period(run: Run) -> float:
    T = run.requests.last_arrival
    if T <= 0:
        raise BadParameter("all requests arrive at time 0: growth of the queue needs arrivals over time")
    if run.end < T:
        raise BadParameter(f"the run was cut at {run.end:.6g} s, before the last arrival at {T:.6g} s: cut later")
    return T
