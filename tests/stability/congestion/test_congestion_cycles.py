"""Balanced cycles, their capture, pulse cycles, the collapse of one class, and the books of a period."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio.problem.errors import BadParameter
from stability.congestion import (
    accounts,
    balanced_cycle,
    balanced_cycles,
    equilibrium_rate,
    find_cycle,
    pulse_rate,
    simulate,
    simulate_exact,
    steps_to_worst_cycle,
    worst_rate,
)


def test_gaps_table():
    """l0=2, l1=4, M=48: the throughput of every balanced cycle, largest gaps first."""
    found = {cycle.gaps: float(cycle.throughput) for cycle in balanced_cycles(2, 4, 48)}
    table = {(1, 1, 1, 1): 2.6667, (2, 1, 1): 2.5263, (2, 2): 2.4, (3, 1): 2.2857, (4,): 2.0}
    assert found == {gaps: pytest.approx(rate, abs=6e-5) for gaps, rate in table.items()}
    assert found[1, 1, 1, 1] == pytest.approx(equilibrium_rate(2, 4, 48))
    assert found[4,] == pytest.approx(worst_rate(2, 4, 48))


def test_level_one_cycle():
    """l0=2, l1=3, M=24: the printed states, and the printed start that is captured by them."""
    cycle = balanced_cycle(2, 3, 24, (2, 1))
    assert set(cycle.states) == {
        (Fraction(72, 13), Fraction(24, 13), 0),
        (0, Fraction(48, 13), Fraction(24, 13)),
        (Fraction(24, 13), 0, Fraction(48, 13)),
    }
    assert cycle.captured() == ((Fraction(48, 13), Fraction(24, 13), Fraction(72, 65)),)
    run = simulate_exact(2, 3, 24, 1, start=cycle.captured()[0])
    assert run.y[1] == (0, Fraction(48, 13), Fraction(24, 13))
    assert run.evicted[1] == 0


@given(st.integers(0, 40), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_balanced_cycles_repeat(prompt, gaps):
    """In exact arithmetic a balanced cycle returns after l1 iterations with its throughput; captured starts join it."""
    decode = sum(gaps)
    cycle = balanced_cycle(prompt, decode, 1000, gaps)
    run = simulate_exact(prompt, decode, 1000, 2 * decode, start=cycle.states[0])
    assert run.y[decode] == cycle.states[0]
    assert set(run.y) == set(cycle.states)
    assert sum(run.completed) == 2 * decode * cycle.throughput
    for start in cycle.captured():
        assert start not in cycle.states
        assert simulate_exact(prompt, decode, 1000, 1, start=start).y[1] in cycle.states


def test_balanced_cycles_are_left():
    """A deviation of 10^-9 leaves a balanced cycle for the worst one."""
    cycle = balanced_cycle(2, 4, 48, (2, 2))
    start = np.array(cycle.states[0], dtype=np.float64)
    start[2] *= 1 + 1e-9
    assert simulate(2, 4, 48, 400, start=start, record="totals").throughput(301) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("prompt", "decode", "steps"), [(2, 3, 37), (5, 8, 74), (10, 40, 314), (20, 20, 293), (100, 10, 1015)]
)
def test_time_to_the_worst_cycle(prompt, decode, steps):
    """From x* with .1 % noise: the iterations of the table within a factor 1.6; it is the slowest of 20 starts."""
    rng = np.random.default_rng(0)
    best, w = equilibrium_rate(prompt, decode, 1000), prompt + 1 + np.arange(decode)
    starts = [best * (1 + 1e-3 * rng.standard_normal(decode))] + [rng.exponential(1, decode) for _ in range(19)]
    found = [steps_to_worst_cycle(prompt, decode, 1000, y * 1000 / (w @ y)) for y in starts]
    assert max(found) == found[0]
    assert steps / 1.6 < found[0] < steps * 1.6


def test_worst_cycle_is_for_good():
    """The printed start is on the worst cycle from iteration 16 on; an empty worker from the first; x* never is."""
    assert steps_to_worst_cycle(2, 3, 24, (2.5, 2, 1.7)) == 16
    assert steps_to_worst_cycle(2, 3, 24) == 0
    assert steps_to_worst_cycle(3, 4, 88, (4, 4, 4, 4), limit=50) is None
    with pytest.raises(BadParameter, match="one class"):
        steps_to_worst_cycle(2, (3, 4), 24)


@pytest.mark.parametrize(
    ("prompt", "decode", "period"),
    [(50, (2, 3), 1), (50, (2, 4), 2), (40, (4, 8), 4), (30, (2, 8, 12), 2), (30, (6, 10), 2), (30, (9, 15), 3)],
)
def test_pulse_cycles_are_found(prompt, decode, period):
    """From empty, M=600: the cycle has the period of the gcd, the pulse throughput, and mass at every g-th age only."""
    cycle = find_cycle(prompt, decode, 600, limit=500_000)
    assert cycle.period == period
    assert cycle.throughput == pytest.approx(pulse_rate(prompt, decode, 600), rel=1e-7)
    if period > 1:
        assert (cycle.states.max(axis=0) > 0).all()
        for row in cycle.states:
            ages = np.flatnonzero(row > 1e-6 * row.max())
            assert len(set(ages % period)) == 1
        assert cycle.evictions > 0


def test_no_cycle_in_time():
    """A search that is too short says so."""
    assert find_cycle(30, (9, 15), 600, limit=100) is None


@pytest.mark.parametrize(("prompt", "decode"), [(50, (2, 4)), (40, (4, 8)), (30, (6, 10)), (10, (12,))])
def test_books_of_a_period(prompt, decode):
    """Over a period, T = x* - wasted / (period sum w) where all classes complete in their shares."""
    cycle = find_cycle(prompt, decode, 600, limit=500_000)
    if cycle is None:
        pytest.fail("no cycle found")
    run = simulate(prompt, decode, 600, cycle.period, start=cycle.states[0])
    books = accounts(run, prompt, decode)
    assert books.used == pytest.approx(600 * cycle.period)
    assert books.held == pytest.approx(0, abs=1e-3)
    assert books.completed + books.wasted == pytest.approx(600 * cycle.period, rel=1e-6)
    best = equilibrium_rate(prompt, decode, 600)
    if np.ptp(run.by_class) < 1e-6:
        assert cycle.throughput == pytest.approx(best * (1 - books.wasted / books.used), rel=1e-6)


def test_bad_gaps():
    """Gaps must be at least 1 and sum to the decode length."""
    for gaps in [(2, 1), (4, 0), (), (5, -1)]:
        with pytest.raises(BadParameter, match="gaps"):
            balanced_cycle(2, 4, 48, gaps)
