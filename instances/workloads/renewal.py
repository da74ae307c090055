"""Arrival times: unit-mean gaps from one stream, divided by the rate."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import numpy.typing as npt

from instances.workloads.checks import positive, whole
from instances.workloads.varying import VaryingRate, varies
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.requests import Requests
from kvratio.problem.seeds import stream

FloatArray = npt.NDArray[np.float64]

ARRIVAL_KINDS = ("poisson", "gamma", "deterministic", "trace")


def arrivals(
    kind: str,
    rate: float | VaryingRate | None,
    n: int,
    seed: int = 0,
    cv: float | None = None,
    trace: Any = None,
) -> FloatArray:
    """Return arrival times in seconds.

    Gaps of mean 1 are drawn first and divided by the rate, so that runs at different rates see the same draws.

    Parameters
    ----------
    kind : {"poisson", "gamma", "deterministic", "trace"}
        Exponential gaps; gamma gaps of coefficient of variation ``cv``; arrival k at k / rate, k = 1, 2, ...; recorded
        times.
    rate : float or VaryingRate
        Requests per second. A rate that varies stretches time (`PiecewiseRate`, `Sinusoid`). For ``trace``: the time
        axis is scaled so that the n requests arrive at this rate, (n-1)/span; None leaves it.
    n : int
        Number of requests.
    seed : int
        >= 0.
    cv : float, optional
        For ``gamma``: standard deviation over mean of the gaps, > 0; 1 is Poisson.
    trace : array of float, path, name, `Instance` or `Requests`
        For ``trace``: recorded seconds, of which the first n are taken and shifted to start at 0.

    Returns
    -------
    float64[n]
        Nondecreasing.

    Raises
    ------
    UnknownName, BadParameter
        One line: what, which value, what to give.
    """
    if kind not in ARRIVAL_KINDS:
        near = difflib.get_close_matches(str(kind), ARRIVAL_KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(ARRIVAL_KINDS)}"
        raise UnknownName(f"no arrival process {kind!r}: {hint}")
    n, seed = whole("n", n, 1), whole("seed", seed, 0)
    if (kind == "gamma") != (cv is not None):
        raise BadParameter(f"cv is {cv!r} with {kind} arrivals: give cv > 0 with gamma, and only there")
    if (kind == "trace") != (trace is not None):
        raise BadParameter(
            f"trace is {'missing' if trace is None else 'given'} with {kind} arrivals: it goes with 'trace'"
        )
    if kind == "trace":
        return _replayed(trace, rate, n)
    units = np.cumsum(_gaps(kind, n, seed, cv))
    if varies(rate):
        return rate.times(units)
    return units / positive("rate", rate, "requests per second")


def scaled_times(seconds: FloatArray, rate: float | None) -> FloatArray:
    """Shift recorded times to start at 0 and scale them to a rate, (n-1)/span requests per second.

    Raises
    ------
    BadParameter
        A rate for times that are all equal.
    """
    since = seconds - seconds[0]
    if rate is None:
        return since
    span, wanted = float(since[-1]), positive("rate", rate, "requests per second")
    if span == 0:
        raise BadParameter(
            f"rate is {rate!r}: {len(since)} recorded times are all equal, so they have no rate to scale"
        )
    return since * ((len(since) - 1) / span / wanted)


def _gaps(kind: str, n: int, seed: int, cv: float | None) -> FloatArray:
    if kind == "deterministic":
        return np.ones(n)
    rng = stream("gaps", seed)
    if kind == "poisson":
        return rng.standard_exponential(n)
    shape = 1 / positive("cv", cv, "a coefficient of variation") ** 2
    return rng.standard_gamma(shape, n) / shape


def _replayed(trace: Any, rate: Any, n: int) -> FloatArray:
    seconds = _recorded(trace)
    if len(seconds) < n:
        raise BadParameter(f"n is {n}, but the trace has {len(seconds)} arrivals: take n smaller")
    if varies(rate):
        raise BadParameter(f"rate is {rate!r}: recorded times are scaled to a number of requests per second, or None")
    return scaled_times(seconds[:n], rate)


def _recorded(trace: Any) -> FloatArray:
    if isinstance(trace, (str, bytes)) or hasattr(trace, "__fspath__"):
        from instances.workloads.replay import from_trace

        return from_trace(trace).arrival
    if isinstance(trace, Instance):
        return Requests.of(trace).arrival
    if isinstance(trace, Requests):
        return trace.arrival
    try:
        seconds = np.array(trace, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadParameter("trace is not a list of seconds: give times, a path, an Instance or Requests") from None
    if seconds.ndim != 1 or not np.isfinite(seconds).all():
        raise BadParameter(f"trace has shape {seconds.shape}: give a flat list of finite seconds")
    bad = np.flatnonzero(seconds < 0)
    if bad.size:
        raise BadParameter(f"trace: time {bad[0]} is {seconds[bad[0]]:g}: give seconds >= 0")
    bad = np.flatnonzero(np.diff(seconds) < 0)
    if bad.size:
        i = int(bad[0]) + 1
        raise BadParameter(f"trace: time {i} is {seconds[i]:g}, before {seconds[i - 1]:g}: sort the times")
    return seconds
