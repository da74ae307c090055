"""The worst minute of a trace: its rate against mu, and the work that has piled up when it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.capacity.checks import FloatArray, number

#: seconds over which the worst rate is taken
WINDOW = 60.0


@dataclass(frozen=True)
class Burst:
    """The window with the most arrivals.

    Attributes
    ----------
    window : float
        Seconds; the whole trace where that is shorter.
    start : float
        When it begins, seconds from the first arrival.
    requests : int
        That arrive in it.
    rate : float
        Requests per second in it.
    mu : float
        What all workers carry together, requests per second.
    workers : int
    backlog : float
        Seconds of work for all workers that stand there when it ends.
    largest_backlog : float
        The same, largest over the trace.
    """

    window: float
    start: float
    requests: int
    rate: float
    mu: float
    workers: int
    backlog: float
    largest_backlog: float


def worst_burst(seconds: FloatArray, areas: FloatArray, area_rate: float, mu: float, workers: int = 1) -> Burst:
    """Return the worst window of a trace.

    Parameters
    ----------
    seconds : float64[n]
        Arrivals, nondecreasing, n >= 2 and not all at once.
    areas : float64[n]
        Of the requests, token-slots.
    area_rate : float
        Token-slots per second that one worker carries, M / b.
    mu : float
        Capacity of one worker, requests per second.
    workers : int

    Notes
    -----
    Work is fluid: a request brings its area, and all workers together take M N / b of it away per second. So the
    backlog is a lower estimate: it leaves out that a batch cannot be filled to the last token.
    """
    if len(seconds) < 2 or not seconds[-1] > seconds[0]:
        raise BadParameter(f"{len(seconds)} arrivals at one time have no worst minute: give a trace that takes time")
    number("area_rate", area_rate, "token-slots per second above 0")
    window = min(WINDOW, float(seconds[-1] - seconds[0]))
    inside = np.searchsorted(seconds, seconds + window, side="left") - np.arange(len(seconds))
    first = int(np.argmax(inside))
    count = int(inside[first])
    work = areas / (area_rate * workers)
    left = backlog_after(seconds, work)
    end, last = seconds[first] + window, first + count - 1
    return Burst(
        window=window,
        start=float(seconds[first] - seconds[0]),
        requests=count,
        rate=count / window,
        mu=mu * workers,
        workers=workers,
        backlog=max(0.0, float(left[last] - (end - seconds[last]))),
        largest_backlog=float(left.max()),
    )


def backlog_after(seconds: FloatArray, work: FloatArray) -> FloatArray:
    """Return the seconds of work just after each arrival, float64[n], of a server that works whenever there is any.

    Notes
    -----
    The recursion ``V_i = max(V_{i-1} - (t_i - t_{i-1}), 0) + w_i`` in closed form: with S the running sum of the work,
    ``V_i = S_i - t_i - min_{k <= i} (S_{k-1} - t_k)``.
    """
    total = np.cumsum(work)
    lowest = np.minimum.accumulate(total - work - seconds)
    return np.asarray(total - seconds - lowest, dtype=np.float64)
