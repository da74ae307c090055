"""Metrics and verdicts on runs made by hand, where every number can be written down."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from kvratio.problem.seeds import stream
from kvratio.problem.service import COUNTERS, ITERATION_DTYPE, Run
from kvratio.suite.serving.measure import measure
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.serving.verdict import mean_in_system, queue_growth, stability_verdict
from kvratio.suite.serving.warmup import mser5

CLOCK = Clock(0.1, 0.01)


def made_run(arrival, completion, output=None, **changed):
    """Return a run with these arrivals and completions; first tokens halfway, prefills a quarter of the way."""
    arrival, completion = np.array(arrival, dtype=float), np.array(completion, dtype=float)
    n = len(arrival)
    output = np.full(n, 5) if output is None else np.array(output)
    requests = Requests(np.full(n, 10), output, arrival, **changed.pop("requests", {}))
    known = completion[~np.isnan(completion)]
    settings = {
        "policy": "vllm",
        "eviction": "recompute",
        "memory": 200,
        "clock": CLOCK,
        "params": {},
        "seed": 0,
        "admitted": arrival,
        "prefill_done": arrival + (completion - arrival) / 4,
        "first_token": arrival + (completion - arrival) / 2,
        "completion": completion,
        "evictions": np.zeros(n, np.int64),
        "refused": np.zeros(n, bool),
        "max_gap": np.where(output > 1, 0.5, math.nan),
        "end": float(max([*known, arrival[-1]])),
        "busy": 5.0,
        "token_seconds": 400.0,
        "counters": dict.fromkeys(COUNTERS, 0) | {"iterations": 20, "peak_footprint": 150, "emitted_tokens": 60},
    }
    return Run(requests=requests, **(settings | changed))


def test_every_metric_of_ten_requests():
    """Ten requests, one a second, latencies 1..10 s: each metric of the middle six by hand."""
    arrival = np.arange(10.0)
    run = made_run(arrival, arrival + np.arange(1, 11), evictions=np.array([9, 9, 0, 2, 0, 1, 0, 0, 9, 9]))
    m = measure(run)
    assert (m.requests, m.measured, m.completed, m.refused, m.warmup, m.cooldown) == (10, 6, 6, 0, 2, 2)
    assert (m.window, m.completion_rate, m.lower_bound) == (5.0, 1.0, False)
    assert (m.latency_mean, m.latency_p50) == (5.5, 5.5)
    assert (m.latency_p90, m.latency_p99) == (pytest.approx(7.5), pytest.approx(7.95))
    assert (m.ttft_mean, m.prefill_mean) == (2.75, 1.375)
    assert m.tpot_mean == pytest.approx(2.75 / 4)
    assert m.tbt_mean == pytest.approx(2.75 / 4)
    assert (m.max_gap_p50, m.max_gap_p99) == (0.5, 0.5)
    # completions in (2, 7]: requests 1, 2, 3 end at 3, 5, 7
    assert (m.effective_throughput, m.request_rate) == (15 / 5, 3 / 5)
    assert (m.token_rate, m.token_rate_over) == (60 / 19, "run")
    assert (m.restarts, m.restarted_share) == (3 / 6, 2 / 6)
    assert (m.memory_mean, m.memory_peak) == (400 / (200 * 19), 0.75)
    assert (m.busy_fraction, m.mean_iteration) == (5 / 19, 0.25)
    assert (m.goodput, m.attainment) == (6 / 5, 1.0)
    assert set(m.row()) >= {"latency_mean", "goodput", "queue_growth"}


def test_goodput_under_targets():
    """Only requests within both targets count; one token has no TPOT to miss; unfinished and refused ones miss."""
    arrival = np.arange(6.0)
    completion = [1.0, 3.0, 5.0, 7.0, math.nan, math.nan]
    refused = np.array([False] * 5 + [True])
    run = made_run(arrival, completion, output=[5, 5, 5, 1, 5, 5], refused=refused)
    both = measure(run, 0, 0, ttft_target=1.6, tpot_target=0.3)
    assert (both.attainment, both.goodput) == (2 / 6, 2 / 5)  # latencies 1, 2, 3, 4: TTFT .5, 1, 1.5, 2; TPOT /4
    assert measure(run, 0, 0, ttft_target=1.6).attainment == 3 / 6
    assert measure(run, 0, 0, tpot_target=0.3).attainment == 3 / 6
    assert (both.completion_rate, both.refused, both.lower_bound) == (4 / 6, 1, True)
    assert both.latency_mean == 2.5
    assert both.latency_text() == ">= 2.5 s (66.7% completed)"


def test_nothing_completed():
    """A run in which nobody completes has nan latencies and rates of zero, without a warning."""
    m = measure(made_run([0.0, 1.0, 2.0], [math.nan] * 3), 0, 0)
    assert math.isnan(m.latency_mean)
    assert math.isnan(m.tpot_p99)
    assert (m.completion_rate, m.effective_throughput, m.goodput) == (0.0, 0.0, 0.0)


def test_all_at_once():
    """A batch has no window: rates and growth are nan, latencies stand."""
    m = measure(made_run([0.0, 0.0], [1.0, 3.0]), 0, 0)
    assert (m.latency_mean, m.window) == (2.0, 0.0)
    assert all(math.isnan(value) for value in (m.goodput, m.effective_throughput, m.queue_growth))


def test_token_rate_reads_the_log():
    """With a log, tokens count by the end of their iteration, inside stretches of alike iterations too."""
    log = np.zeros(3, ITERATION_DTYPE)
    log[0] = (0.0, 0.3, 1, 0, 2, 20, 20, 20, 2, 0)
    # six decodes of two requests from K = 22 on: 0.1 + 0.01 K each
    ends = 0.3 + np.cumsum([0.1 + 0.01 * (22 + 2 * i) for i in range(6)])
    log[1] = (0.3, ends[-1], 6, 2, 0, 0, 22, 22, 2, 0)
    log[2] = (ends[-1], ends[-1] + 0.25, 1, 1, 0, 0, 17, 17, 1, 0)
    low, high = ends[1] - 1e-6, ends[4] + 1e-6
    run = made_run([low, (low + high) / 2, high], [3.0, 3.0, 3.0], iterations=log)
    m = measure(run, 0, 0)
    assert m.token_rate_over == "window"
    assert m.token_rate == pytest.approx(2 * 4 / (high - low))  # iterations 2 to 5 of the stretch end inside
    whole = measure(made_run([0.01, 1.0, 4.0], [4.0] * 3, iterations=log), 0, 0)
    assert whole.token_rate == pytest.approx((2 * 6 + 1) / 3.99)


def test_warm_up_and_cool_down():
    """Shares cut by arrival index; 'auto' drops what MSER-5 drops; nonsense is refused."""
    arrival = np.arange(400.0)
    latency = np.where(arrival < 60, 50 - arrival / 2, 3 + (arrival % 7) / 10)
    run = made_run(arrival, arrival + latency)
    assert (measure(run, 0.1, 0.25).warmup, measure(run, 0.1, 0.25).cooldown) == (40, 100)
    auto = measure(run, "auto", 0.0)
    assert 60 <= auto.warmup <= 70
    assert auto.latency_mean == pytest.approx(latency[auto.warmup :].mean())
    for warmup, cooldown, message in (
        (0.5, 0.5, "leave none of 400"),
        (-0.1, 0.2, "warmup is -0.1"),
        (0.1, 1.0, "cooldown is 1.0"),
        ("most", 0.1, "warmup is 'most'"),
        (True, 0.1, "warmup is True"),
    ):
        with pytest.raises(BadParameter, match=message):
            measure(run, warmup, cooldown)
    with pytest.raises(BadParameter, match="ttft_target is 0"):
        measure(run, ttft_target=0)


def test_mser5_against_its_definition():
    """The prefix dropped minimises the squared deviations over the squared number left, tried one by one."""
    values = stream("test mser").standard_normal(503) + 8 * np.exp(-np.arange(503) / 30)
    means = values[:500].reshape(100, 5).mean(axis=1)
    marginal = [((means[d:] - means[d:].mean()) ** 2).sum() / (100 - d) ** 2 for d in range(51)]
    assert mser5(values) == 5 * int(np.argmin(marginal)) > 30
    assert mser5(np.linspace(100, 0, 100)) == 50  # never more than half
    assert mser5([1.0] * 9) == 0


def test_wait_needs_a_long_cool_down():
    """For WAIT each type needs more than (o+1) n arrivals in the cool-down; the message says which n gives them."""
    n = 1000
    arrival = np.arange(n) / 10.0
    changed = {"policy": "wait", "requests": {"types": [(10, 5, 10.0)]}}
    fine = made_run(arrival, arrival + 1, params={"thresholds": (33,)}, **changed.copy())
    assert measure(fine).measured == 600  # 200 arrivals > 6 * 33
    changed = {"policy": "wait", "requests": {"types": [(10, 5, 10.0)]}}
    short = made_run(arrival, arrival + 1, params={"thresholds": (34,)}, **changed)
    with pytest.raises(
        BadParameter, match=r"type 0 has 200 arrivals .* \(o\+1\) n = 204: take n at least 1025 requests"
    ):
        measure(short)
    with pytest.raises(BadParameter, match="give a cool-down above 0"):
        measure(short, 0, 0)


def growing(share, seed, n=4000, rate=2.0, **changed):
    """Return a run that fills by a share of the arrivals: request k leaves at its arrival / (1-g)."""
    arrival = np.cumsum(stream("test growth", seed).standard_exponential(n)) / rate
    completion = arrival / (1 - share) + 0.5
    return made_run(arrival, completion, end=float(completion[-1]), **changed)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_growth_is_the_share_that_piles_up(share):
    """If departures run at (1-g) times the arrival rate, the growth is g."""
    found = np.mean([queue_growth(growing(share, seed)) for seed in range(10)])
    assert found == pytest.approx(share, abs=0.004)


def test_growth_does_not_count_a_backlog_or_the_refused():
    """Requests at time 0 do not change the rate, refused ones are not in the system."""
    arrival = np.concatenate((np.zeros(500), np.arange(1, 1001) / 10.0))
    late = np.where(arrival == 0, 1e6, arrival + 1.0)
    assert queue_growth(made_run(arrival, late)) == pytest.approx(0, abs=1e-3)
    half = np.where(np.arange(1500) % 2 == 0, arrival + 1.0, math.nan)
    half[:500] = 0.5
    assert queue_growth(made_run(arrival, half)) == pytest.approx(0.5, abs=1e-2)
    refused = np.isnan(half)
    assert queue_growth(made_run(arrival, half, refused=refused)) == pytest.approx(0, abs=1e-2)


def test_mean_in_system_is_littles():
    """One request per half second that stays 3 s: 6 in the system; those inside at the end count until then."""
    arrival = np.arange(1, 2001) / 2.0
    assert mean_in_system(made_run(arrival, arrival + 3.0)) == pytest.approx(6, rel=0.01)


def test_verdicts():
    """Stable, unstable and undecided loads are told apart, with the interval over replications."""
    stable = stability_verdict([growing(0.0, seed) for seed in range(10)])
    assert (stable.verdict, stable.replications, stable.n) == ("stable", 10, 4000)
    assert stable.n_needed <= 4000
    unstable = stability_verdict([growing(0.05, seed) for seed in range(10)])
    assert unstable.verdict == "unstable"
    assert unstable.growth - unstable.half_width > 0
    assert unstable.reason.endswith("%)")
    undecided = stability_verdict([growing(0.01, seed) for seed in range(10)])
    assert undecided.verdict == "undecided"
    assert "double n = 4000" in undecided.reason


def test_stable_needs_long_runs():
    """No growth, but latencies of a tenth of the run: undecided, and the verdict says how many requests to take."""
    runs = []
    for seed in range(10):
        arrival = np.arange(1, 2001) * (1 + seed / 1000)
        runs.append(made_run(arrival, arrival + 200))
    found = stability_verdict(runs)
    assert found.growth + found.half_width < 0.01
    assert found.verdict == "undecided"
    assert found.n_needed == pytest.approx(4000, rel=0.03)
    assert f"take {found.n_needed}" in found.reason


def test_verdict_refusals():
    """Too few runs, mixed runs, arrivals all at once, and runs cut too early are refused in one line."""
    run = growing(0.0, 1, n=100)
    with pytest.raises(BadParameter, match="9 runs: give at least 10"):
        stability_verdict([run] * 9)
    with pytest.raises(BadParameter, match="runs differ in policy or n"):
        stability_verdict([run] * 9 + [growing(0.0, 1, n=101)])
    with pytest.raises(BadParameter, match="all requests arrive at time 0"):
        queue_growth(made_run([0.0, 0.0], [1.0, 2.0]))
    with pytest.raises(BadParameter, match="the run was cut at 1 s, before the last arrival at 5 s"):
        queue_growth(made_run([0.0, 5.0], [1.0, math.nan], end=1.0))
    with pytest.raises(BadParameter, match="at least 2 replications"):
        mean_and_half_width([1.0])


def test_intervals_are_student():
    """Mean and half width of a small sample by the textbook formula."""
    values = [1.0, 2.0, 4.0, 9.0]
    mean, half = mean_and_half_width(values)
    assert mean == 4.0
    assert half == pytest.approx(student.ppf(0.975, 3) * np.std(values, ddof=1) / 2)


def test_gaps_between_tokens_of_the_measured():
    """Quantiles over all gaps of completed measured requests; nan where a run has kept none."""
    run = made_run([0.0, 1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, math.nan, 6.0], output=[9, 3, 2, 4, 9])
    gaps = np.concatenate([np.full(8, 99.0), [1.0, 2.0], [4.0], np.full(3, 99.0), np.full(8, 99.0)])
    m = measure(replace(run, gaps=gaps.astype(np.float32)))
    assert (m.tbt_p50, m.tbt_p99) == (2.0, pytest.approx(3.96))
    assert math.isnan(measure(run).tbt_p99)
