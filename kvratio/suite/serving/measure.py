"""What a run shows: latency, throughput, waste, memory and goodput of the requests measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.fitting import warn_outside
from kvratio.problem.service import Run
from kvratio.suite.serving.verdict import queue_growth
from kvratio.suite.serving.warmup import measured_range

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measure:
    """Metrics of one run. Means and quantiles are over completed measured requests; nan where there is none.

    Attributes
    ----------
    requests, measured, completed, refused : int
        All requests; those measured; of these, the completed and the refused ones.
    warmup, cooldown : int
        Requests left out at the start and at the end.
    completion_rate : float
        Completed over measured. Below 1, means and quantiles of latency are lower bounds.
    window : float
        Seconds from the first to the last measured arrival; rates are per second of it (nan if it is 0).
    latency_mean, latency_p50, latency_p90, latency_p99 : float
        Completion minus arrival, seconds; quantiles by linear interpolation.
    ttft_mean, ttft_p50, ttft_p90, ttft_p99 : float
        End of the pass of stage 1 minus arrival.
    prefill_mean, prefill_p50, prefill_p90, prefill_p99 : float
        End of the prefill minus arrival.
    tpot_mean, tpot_p50, tpot_p90, tpot_p99 : float
        Seconds per token after the first, of requests with two tokens or more.
    tbt_mean, tbt_p50, tbt_p90, tbt_p99 : float
        Over all gaps between successive tokens. The quantiles are nan of a run that has not kept its gaps.
    max_gap_p50, max_gap_p90, max_gap_p99 : float
        Of each request's longest gap.
    effective_throughput : float
        Output tokens per second of requests that complete in the window.
    token_rate : float
        Emitted tokens per second, lost ones too. In the window where the run has an iteration log; else over the run.
    token_rate_over : str
        "window" or "run": which of the two.
    request_rate : float
        Requests per second that complete in the window.
    goodput : float
        Measured requests per second that complete within the targets.
    attainment : float
        Share of the measured requests that do.
    ttft_target, tpot_target : float
        Seconds; inf: no target.
    restarts : float
        Evictions per measured request.
    restarted_share : float
        Share of measured requests evicted at least once.
    wasted_prefill_tokens, wasted_decode_tokens : int
        Of the whole run.
    memory_mean, memory_peak : float
        Time-averaged and peak footprint over C, of the whole run.
    busy_fraction : float
        Seconds in iterations over seconds of the run.
    mean_iteration : float
        Seconds.
    queue_growth : float
        Share of arrivals that pile up (`kvratio.suite.serving.verdict.queue_growth`); nan when all arrive at once.
    """

    requests: int
    measured: int
    completed: int
    refused: int
    warmup: int
    cooldown: int
    completion_rate: float
    window: float
    latency_mean: float
    latency_p50: float
    latency_p90: float
    latency_p99: float
    ttft_mean: float
    ttft_p50: float
    ttft_p90: float
    ttft_p99: float
    prefill_mean: float
    prefill_p50: float
    prefill_p90: float
    prefill_p99: float
    tpot_mean: float
    tpot_p50: float
    tpot_p90: float
    tpot_p99: float
    tbt_mean: float
    tbt_p50: float
    tbt_p90: float
    tbt_p99: float
    max_gap_p50: float
    max_gap_p90: float
    max_gap_p99: float
    effective_throughput: float
    token_rate: float
    token_rate_over: str
    request_rate: float
    goodput: float
    attainment: float
    ttft_target: float
    tpot_target: float
    restarts: float
    restarted_share: float
    wasted_prefill_tokens: int
    wasted_decode_tokens: int
    memory_mean: float
    memory_peak: float
    busy_fraction: float
    mean_iteration: float
    queue_growth: float

    @property
    def lower_bound(self) -> bool:
        """Whether means are lower bounds only, since some measured requests did not complete."""
        return self.completion_rate < 1

    def row(self) -> dict[str, Any]:
        """Return the metrics by name, one row of a table."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    def latency_text(self) -> str:
        """Return the mean latency with the completion rate beside it; as a lower bound where some did not complete."""
        sign = ">= " if self.lower_bound else ""
        return f"{sign}{self.latency_mean:.4g} s ({self.completion_rate:.1%} completed)"


def measure(
    run: Run,
    warmup: float | str = 0.2,
    cooldown: float = 0.2,
    *,
    ttft_target: float | None = None,
    tpot_target: float | None = None,
) -> Measure:
    """Return the metrics of a run.

    Parameters
    ----------
    run : Run
    warmup : float or "auto"
        Share of the requests, by arrival, left out at the start; ``"auto"``: MSER-5, at most half.
    cooldown : float
        Share left out at the end. For WAIT it must hold more than (o_j + 1) n_j arrivals of each type.
    ttft_target, tpot_target : float, optional
        Seconds to the first token, and per token after it, within which a request counts for the goodput.

    Raises
    ------
    BadParameter
        A share or target without meaning; a cool-down too short for WAIT, with the n that is needed.

    Warns
    -----
    FitWarning
        The run left the range that its clock was fitted on.
    """
    warn_outside(run.clock, run.counters["largest_cached"], run.counters["largest_prompt"])
    first_target, token_target = _target("ttft_target", ttft_target), _target("tpot_target", tpot_target)
    start, stop = measured_range(run, warmup, cooldown)
    arrival = run.requests.arrival
    inside = np.zeros(run.requests.n, dtype=np.bool_)
    inside[start:stop] = True
    done = inside & run.completed
    window = float(arrival[stop - 1] - arrival[start])
    rate_base = window if window > 0 else math.nan
    ended = run.completed & _between(run.completion, arrival[start], arrival[stop - 1])
    in_time = done & ~(run.ttft > first_target) & ~(run.tpot > token_target)
    emitted, over = _emitted(run, float(arrival[start]), float(arrival[stop - 1]))
    measured, iterations = stop - start, int(run.counters["iterations"])
    return Measure(
        requests=run.requests.n,
        measured=measured,
        completed=int(done.sum()),
        refused=int((inside & run.refused).sum()),
        warmup=start,
        cooldown=run.requests.n - stop,
        completion_rate=float(done.sum()) / measured,
        window=window,
        **_spread("latency", run.latency[done]),
        **_spread("ttft", run.ttft[done]),
        **_spread("prefill", (run.prefill_done - arrival)[done]),
        **_spread("tpot", run.tpot[done]),
        tbt_mean=_mean_gap(run, done),
        **_quantiles("tbt", run.token_gaps(done) if len(run.gaps) else run.gaps),
        **_quantiles("max_gap", run.max_gap[done]),
        effective_throughput=float(run.requests.output[ended].sum()) / rate_base,
        token_rate=emitted,
        token_rate_over=over,
        request_rate=float(ended.sum()) / rate_base,
        goodput=float(in_time.sum()) / rate_base,
        attainment=float(in_time.sum()) / measured,
        ttft_target=first_target,
        tpot_target=token_target,
        restarts=float(run.evictions[inside].mean()),
        restarted_share=float((run.evictions[inside] > 0).mean()),
        wasted_prefill_tokens=int(run.counters["wasted_prefill_tokens"]),
        wasted_decode_tokens=int(run.counters["wasted_decode_tokens"]),
        memory_mean=run.utilisation,
        memory_peak=run.counters["peak_footprint"] / run.memory,
        busy_fraction=run.busy / run.end if run.end > 0 else math.nan,
        mean_iteration=run.busy / iterations if iterations else math.nan,
        queue_growth=queue_growth(run) if run.requests.last_arrival > 0 else math.nan,
    )


def _target(what: str, value: float | None) -> float:
    if value is None:
        return math.inf
    if not (isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and value > 0):
        raise BadParameter(f"{what} is {value!r}: give seconds above 0, or None for no target")
    return float(value)


def _between(times: FloatArray, low: float, high: float) -> BoolArray:
    """Whether each time lies in (low, high]; nan does not."""
    return np.asarray((times > low) & (times <= high), dtype=np.bool_)


def _spread(name: str, values: npt.NDArray[Any]) -> dict[str, float]:
    """Return mean and quantiles of the numbers among the values."""
    values = values[~np.isnan(values)]
    keys = (f"{name}_mean", f"{name}_p50", f"{name}_p90", f"{name}_p99")
    if not len(values):
        return dict.fromkeys(keys, math.nan)
    quantiles = np.quantile(values, [0.5, 0.9, 0.99])
    return dict(zip(keys, (float(values.mean()), *quantiles.tolist()), strict=True))


def _quantiles(name: str, values: npt.NDArray[Any]) -> dict[str, float]:
    """Return the quantiles of `_spread` alone."""
    return {key: value for key, value in _spread(name, values).items() if key != f"{name}_mean"}


def _mean_gap(run: Run, done: BoolArray) -> float:
    """Return the mean over all gaps between successive tokens of these requests."""
    gaps = int((run.requests.output[done] - 1).sum())
    return float((run.completion - run.first_token)[done].sum()) / gaps if gaps else math.nan


def _emitted(run: Run, low: float, high: float) -> tuple[float, str]:
    """Return emitted tokens per second, and over what: the window where iterations were logged, else the run."""
    if not len(run.iterations):
        return (run.counters["emitted_tokens"] / run.end if run.end > 0 else math.nan), "run"
    log = run.iterations
    inside = log["decodes"] * log["repeats"] * _between(log["stop"], low, high)
    total = int(inside[log["start"] >= low].sum())
    for row in log[((log["start"] < low) & (log["stop"] > low)) | ((log["start"] < high) & (log["stop"] > high))]:
        total += int(row["decodes"]) * int(_between(_ends(run, row), low, high).sum())
    return (total / (high - low) if high > low else math.nan), "window"


def _ends(run: Run, row: Any) -> FloatArray:
    """Return the ends of the iterations of a row of the log: each reads its decodes' new tokens beside the old ones."""
    k = int(row["repeats"])
    rates = run.clock.rates
    growth = float(rates[1] + rates[7]) * int(row["decodes"])
    first = (float(row["stop"] - row["start"]) - growth * k * (k - 1) / 2) / k
    i = np.arange(1, k + 1)
    ends = row["start"] + first * i + growth * i * (i - 1) / 2
    ends[-1] = row["stop"]
    return np.asarray(ends, dtype=np.float64)
