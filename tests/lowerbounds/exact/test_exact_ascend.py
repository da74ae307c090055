"""The smoothed ascent: valid prices, derivatives, monotone stages, equal bytes; and the order search."""

from __future__ import annotations

import itertools
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from exact_tiny import enumerate_optimum, random_tiny

from kvratio.problem import Instance, Schedule, check
from lowerbounds.exact import ascend, course, search
from lowerbounds.exact.ascend import Ascent, Prices, as_rows, heaviest, spread_table
from lowerbounds.exact.jobs import Jobs, arrange
from lowerbounds.exact.master import occupancy
from lowerbounds.exact.orders import first_schedule
from lowerbounds.exact.profiles import most_active
from lowerbounds.exact.root import Root, begin
from lowerbounds.exact.tables import all_completions
from lowerbounds.prices import potential_prices

DENOMINATOR = 1 << 30


def prepare(inst: Instance, upper: int) -> tuple[Jobs, Root, int]:
    """Return the requests, closed-form prices and the largest number of active requests."""
    jobs = arrange(inst)
    last = int(inst.arrival.max()) + int(inst.output.sum())
    root = begin(jobs, all_completions(jobs, last), potential_prices(inst), upper, DENOMINATOR, False)
    copies = np.bincount(jobs.state_of, minlength=len(jobs.state_left))
    sizes = int(most_active(jobs.state_memory, jobs.state_left, copies, jobs.memory, jobs.n))
    return jobs, root, sizes


def medium(seed: int, n: int, arrivals: bool) -> Instance:
    """Draw n requests with outputs up to the memory."""
    rng = np.random.default_rng([23, seed, n])
    M = int(rng.integers(15, 25))
    s = rng.integers(1, 5, n)
    a = rng.integers(0, 30, n) if arrivals else np.zeros(n, np.int64)
    return Instance(s, [int(rng.integers(1, M - x + 1)) for x in s], M, a)


@pytest.mark.parametrize("arrivals", [False, True])
def test_root_is_never_above_the_optimum(arrivals: bool) -> None:
    """After each of three stages the exact value of the prices is at most the enumerated optimum, and never falls."""
    raised = 0
    for k in range(200, 360):
        inst = random_tiny(k, arrivals)
        optimum = enumerate_optimum(inst)
        # A threshold that excludes nothing of interest: windows keep every optimal schedule.
        jobs, root, sizes = prepare(inst, optimum)
        for smoothing in (0.5, 0.1, 0.02):
            before = root.table.value
            root = course.ascend(jobs, root, optimum, sizes, math.inf, root.table.last, 30, smoothing)
            assert root.table.value >= before
            raised += root.table.value > before
            assert root.table.value <= optimum * DENOMINATOR, f"instance {k}"
    assert raised > 200


def test_heaviest_set_against_all_sets() -> None:
    """The recursion agrees with an enumeration of all sets of requests and the rounds they run through."""
    rng = np.random.default_rng(5)
    for k in range(12):
        inst = medium(k, 4, False)
        jobs = arrange(inst)
        states = len(jobs.state_left)
        weight = rng.integers(0, 9, (states, 1)) * rng.integers(0, 2, (states, 1))
        copies = np.bincount(jobs.state_of, minlength=states)
        best = 0
        chosen = np.flatnonzero((weight[:, 0] > 0) & (rng.random(states) < 12 / states))
        weight[np.setdiff1d(np.arange(states), chosen)] = 0
        most = np.minimum(copies, 2)[None, :]
        for take in itertools.product(*(range(int(most[0, q]) + 1) for q in chosen)):
            m = np.repeat(jobs.state_memory[chosen], take)
            r = np.repeat(jobs.state_left[chosen], take)
            if all(int((m + u)[r >= u].sum()) <= jobs.memory for u in r.tolist()):
                best = max(best, int(np.dot(take, weight[chosen, 0])))
        found = np.zeros(1, np.int64)
        value = np.empty((jobs.memory + 1, jobs.memory + 1), np.int64)
        heaviest(weight, most, jobs.state_memory, jobs.state_left, jobs.memory, jobs.memory, found, value)
        assert found[0] == best


def smooth_at(ascent: Ascent, W: npt.NDArray[np.float64]) -> float:
    """Return the smoothed value at W and leave the derivative in the ascent."""
    with ThreadPoolExecutor(ascend.WORKERS) as pool:
        return ascent.smooth(W, 0.7, np.full(ascent.rounds + 1, 0.3), pool)


def test_slope_is_the_derivative() -> None:
    """Difference quotients of the smoothed dual agree with its slope, and the smoothed value is below the true one."""
    jobs, root, sizes = prepare(medium(3, 6, True), 10**6)
    rounds = root.table.last
    ascent = Ascent(jobs, root.allowed, occupancy(jobs, root.allowed), sizes, rounds)
    rng = np.random.default_rng(2)
    W = spread_table(jobs, root.table, rounds) + 0.05 * rng.random((len(jobs.state_left), rounds + 1))
    value = smooth_at(ascent, W)
    slope = ascent.slope.copy()
    assert value <= ascent.evaluate(W) + 1e-9
    step = 1e-5
    for _ in range(20):
        q, t = int(rng.integers(len(W))), int(rng.integers(1, rounds + 1))
        moved = W.copy()
        moved[q, t] += step
        up = smooth_at(ascent, moved)
        moved[q, t] -= 2 * step
        assert (up - smooth_at(ascent, moved)) / (2 * step) == pytest.approx(slope[q, t], abs=1e-5)


def test_stage_never_loses_and_repeats() -> None:
    """A stage returns its start when it has no time or would end lower; two equal stages agree in every byte."""
    jobs, root, sizes = prepare(medium(1, 9, False), 10**6)
    rounds = root.table.last
    most = occupancy(jobs, root.allowed)
    ascent = Ascent(jobs, root.allowed, most, sizes, rounds)
    W = spread_table(jobs, root.table, rounds)
    start = Prices(W, ascent.evaluate(W))
    assert ascent.stage(start, 50, 1.0, time.monotonic() - 1.0) is start
    # So coarse a smoothing that no step gains anything.
    assert ascent.stage(start, 3, 1e9, math.inf).value >= start.value
    ends = [Ascent(jobs, root.allowed, most, sizes, rounds).stage(start, 80, 0.5, math.inf) for _ in range(2)]
    assert ends[0].value > start.value + 1.0
    assert ends[0].W.tobytes() == ends[1].W.tobytes()


def test_rows_hold_at_every_round_of_good_schedules() -> None:
    """The integer rows left by a stage, all of one price, are obeyed by feasible schedules."""
    for arrivals in (False, True):
        inst = medium(7, 10, arrivals)
        jobs, root, sizes = prepare(inst, 10**6)
        rounds = root.table.last
        most = occupancy(jobs, root.allowed)
        ascent = Ascent(jobs, root.allowed, most, sizes, rounds)
        W = spread_table(jobs, root.table, rounds)
        found = ascent.stage(Prices(W, ascent.evaluate(W)), 60, 0.5, math.inf)
        rows, prices = as_rows(jobs, found.W, most, sizes, DENOMINATOR)
        assert (prices == prices[0]).all()
        for seed in range(4):
            _, starts = first_schedule(inst, seed, 200, 10**6, math.inf)
            start = starts[jobs.index]
            for row in rows:
                active = np.flatnonzero((start < row.t) & (row.t <= start + jobs.output))
                states = jobs.state_of[jobs.offset[active] + row.t - start[active] - 1]
                assert row.weight[states].sum() <= row.rhs


def test_search_above_the_recorded_size_uses_the_ascent(monkeypatch: pytest.MonkeyPatch) -> None:
    """With proofs recorded for no instance, the ascent prices the search, which still proves enumerated optima."""
    monkeypatch.setattr(course, "RECORDED", 0)
    monkeypatch.setattr(course, "improve", None)
    for arrivals in (False, True):
        for k in range(400, 425):
            inst = random_tiny(k, arrivals)
            result = search(inst, time_limit=30)
            assert result.lower == result.upper == enumerate_optimum(inst), f"instance {k}"


def test_orders_stop_on_time_and_repeat() -> None:
    """No time gives the best of the plain orders; work gives a feasible schedule, no worse, equal from run to run."""
    inst = medium(11, 20, True)
    plain, _ = first_schedule(inst, 0, 10**6, 10**6, -math.inf)
    runs = [first_schedule(inst, 0, 20_000, 10**6, math.inf) for _ in range(2)]
    assert runs[0][0] < plain
    assert runs[0][1].tobytes() == runs[1][1].tobytes()
    schedule = Schedule.from_starts(inst, runs[0][1])
    check(inst, schedule)
    assert schedule.total_completion == runs[0][0]
