"""Degenerate input: the right value, or one clear line."""

import math
from functools import partial

import numpy as np
import pytest

from kvratio.problem.errors import BadParameter
from stability.congestion import (
    diagnose,
    draw_shares,
    equilibrium_rate,
    find_cycle,
    min_prompt,
    pulse_rate,
    roots,
    simulate,
    simulate_classes,
    simulate_exact,
    spectral_radius,
    stage_weights,
    unstable_modes,
    worst_rate,
)

RATES = [equilibrium_rate, worst_rate, pulse_rate]
OF_MIX = [stage_weights, roots, spectral_radius, unstable_modes]
EVERY = [*OF_MIX, *(partial(f, memory=600) for f in (*RATES, diagnose, partial(simulate, steps=3)))]


@pytest.mark.parametrize("call", EVERY)
@pytest.mark.parametrize(
    ("prompt", "decode", "shares", "says"),
    [
        (30, [], None, "no classes"),
        ([], [], None, "no classes"),
        (30, 0, None, "class 0: decode length is 0"),
        (30, (6, -1), None, "class 1: decode length is -1"),
        (30, (6, 2.5), None, "class 1: decode length is 2.5"),
        (30, (6, math.nan), None, "finite"),
        (30, "six", None, "decode is 'six'"),
        (30, [[1, 2], [3, 4]], None, "dimensions"),
        (30, 10**9, None, "at most"),
        (-1, (6, 10), None, "class 0: prompt is -1"),
        ((30, math.inf), (6, 10), None, "finite"),
        ((30, 40), (6, 7, 8), None, "2 prompts for 3"),
        (30, (6, 10), (0.5, 0.4), "sum to 0.9"),
        (30, (6, 10), (0, 0), "sum to 0"),
        (30, (6, 10), (1.5, -0.5), "class 1: share"),
        (30, (6, 10), (1,), "1 shares for 2"),
        (30, (6, 10), (0.5, math.nan), "finite"),
    ],
)
def test_bad_mixes(call, prompt, decode, shares, says):
    """A mix without meaning is refused in one line, by every function."""
    with pytest.raises(BadParameter, match=says) as caught:
        call(prompt=prompt, decode=decode, shares=shares)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("memory", [0, -5, math.inf, math.nan, "much", None])
def test_bad_memory(memory):
    """Memory must be a positive number of tokens."""
    for call in (*RATES, diagnose, partial(simulate, steps=1), find_cycle):
        with pytest.raises(BadParameter, match="memory"):
            call(prompt=30, decode=(6, 10), memory=memory)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"steps": 1, "cap": -1}, "cap"),
        ({"steps": 1, "cap": math.nan}, "cap"),
        ({"steps": 1, "cap": "1"}, "cap"),
        ({"steps": 1, "record": "all"}, "record"),
        ({"steps": 1, "start": (1, 2)}, "start has shape"),
        ({"steps": 1, "start": [-1, *[0] * 9]}, "age 0"),
        ({"steps": 1, "start": [0] * 9 + [math.nan]}, "age 9"),
        ({"steps": 1, "start": "full"}, "start"),
        ({"steps": 10**9}, "record='totals'"),
    ],
)
def test_bad_runs(options, says):
    """Options of a run without meaning are refused in one line."""
    with pytest.raises(BadParameter, match=says):
        simulate(30, (6, 10), 600, **options)


def test_one_stage():
    """Decode length 1: full at once, no roots, every rate the same, no evictions."""
    assert stage_weights(3, 1).tolist() == [4]
    assert len(roots(3, 1)) == 0
    assert spectral_radius(3, 1) == spectral_radius(3, 1, method="winding") == 0
    assert unstable_modes(3, 1) == unstable_modes(3, 1, method="winding") == 0
    assert equilibrium_rate(3, 1, 100) == worst_rate(3, 1, 100) == pulse_rate(3, 1, 100) == 25
    run = simulate(3, 1, 100, 5)
    np.testing.assert_array_equal(run.completed, [0, 25, 25, 25, 25, 25])
    assert run.evicted.sum() == 0


def test_no_prompt():
    """Prompts of 0 tokens: the weights are 1, 2, ..., and the worst cycle serves little more than half of x*."""
    assert stage_weights(0, 4).tolist() == [1, 2, 3, 4]
    assert worst_rate(0, 1000, 1) / equilibrium_rate(0, 1000, 1) == pytest.approx(0.5, abs=1e-3)
    assert spectral_radius(0, 4) == pytest.approx(spectral_radius(0, 4, method="winding"))


def test_no_steps():
    """A run of 0 iterations is its start."""
    run = simulate(30, (6, 10), 600, 0)
    assert run.y.shape == (1, 10)
    assert run.y[0, 0] == pytest.approx(600 / 31)
    assert run.evicted.tolist() == run.admitted.tolist() == run.completed.tolist() == [0]
    with pytest.raises(BadParameter, match="first"):
        run.throughput()


def test_cap_zero_and_empty_start():
    """With nothing admitted nothing happens; an empty start fills in the first iteration."""
    run = simulate(30, (6, 10), 600, 20, start=np.zeros(10), cap=0)
    assert not run.y.any()
    run = simulate(30, (6, 10), 600, 2, start=np.zeros(10))
    assert run.y[1, 0] == run.admitted[1] == pytest.approx(600 / 31)


@pytest.mark.parametrize("cap", [0.5, math.inf])
def test_default_start_is_a_filled_worker(cap):
    """The default start is (M/V_0, 0, ..., 0) whatever the cap, in all three forms of the recursion."""
    V = stage_weights(30, (6, 10))
    assert simulate(30, (6, 10), 600, 3, cap=cap).y[0].tolist() == [600 / V[0]] + [0] * 9
    full = simulate_classes(30, (6, 10), 600, 3, cap=cap)
    assert full.used[0] == pytest.approx(600)
    exact = simulate_exact(30, (6, 10), 600, 3, cap=None if cap == math.inf else cap)
    assert float(exact.y[0][0]) == 600 / V[0]


def test_start_above_memory():
    """A start above M is cut to M by the first iteration."""
    run = simulate(30, (6, 10), 600, 3, start=np.full(10, 100.0))
    assert run.used[0] > 600
    assert run.used[1:] == pytest.approx(600)


def test_requests_longer_than_memory():
    """Divisible requests longer than M have the rates of the formulas, and a run that keeps to M."""
    assert worst_rate(1, 1000, 1000) == pytest.approx(1000 / (1000 * 1001))
    run = simulate(500, 600, 1000, 2000)
    assert (run.used <= 1000 * (1 + 1e-12)).all()
    assert run.throughput(801) == pytest.approx(worst_rate(500, 600, 1000))


def test_zero_shares_are_left_out():
    """A class of share 0 changes no figure, not even the gcd or the number of stages."""
    assert stage_weights(30, (6, 10, 7), (0.5, 0.5, 0)).tolist() == stage_weights(30, (6, 10)).tolist()
    assert pulse_rate(30, (6, 10, 7, 99), 600, (0.5, 0.5, 0, 0)) == pulse_rate(30, (6, 10), 600)
    assert worst_rate(30, (6, 99), 600, (1, 0)) == worst_rate(30, 6, 600)


def test_many_prompts_one_length():
    """One decode length with several prompts is one class at the mean prompt."""
    assert stage_weights((10, 30), 5).tolist() == stage_weights(20, 5).tolist()
    assert simulate((10, 30), 5, 600, 10).by_class.shape == (2,)


def test_all_roots_have_a_limit():
    """All roots are refused beyond 2000 stages, with the way out named."""
    with pytest.raises(BadParameter, match="spectral_radius"):
        roots(100, 2001)
    with pytest.raises(BadParameter, match="method"):
        spectral_radius(100, 20, method="guess")


def test_bad_pairs():
    """Pairs of lengths without meaning are refused."""
    for pair, says in [((5, 3), "shorter"), ((0, 3), "a is 0"), ((2, 3.5), "b is 3.5"), ((2, 3, 1.2), "share")]:
        with pytest.raises(BadParameter, match=says):
            min_prompt(*pair)


def test_bad_class_runs():
    """The explicit twin refuses shares and starts of the wrong shape."""
    with pytest.raises(BadParameter, match="one row per iteration"):
        simulate_classes(30, (6, 10), 600, 5, shares=np.full((4, 2), 0.5))
    with pytest.raises(BadParameter, match="start has shape"):
        simulate_classes(30, (6, 10), 600, 5, start=np.zeros(10))
    with pytest.raises(BadParameter, match="ages that its class never has"):
        simulate_classes(30, (6, 10), 600, 5, start=np.ones((2, 10)))
    with pytest.raises(BadParameter, match="sum to"):
        simulate_classes(30, (6, 10), 600, 5, shares=np.full((5, 2), 0.6))
    with pytest.raises(BadParameter, match="at least 1 request"):
        draw_shares([0.5, 0.5], 5, 0)
    with pytest.raises(BadParameter, match="exact run"):
        simulate_exact(30, (6, 10), 600, 5, shares=[1])
