"""The recursion: published trajectories, its exact and explicit twins, and what must hold on any input."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.congestion import (
    accounts,
    draw_shares,
    equilibrium_rate,
    pulse_rate,
    simulate,
    simulate_classes,
    simulate_exact,
    stage_weights,
    worst_rate,
)

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)
prompts = st.integers(0, 40)


@st.composite
def mixes(draw):
    """Prompts, decode lengths and shares of a few classes, with whole-number weights behind the shares."""
    decode = draw(lengths)
    prompt = draw(st.lists(prompts, min_size=len(decode), max_size=len(decode)))
    weight = draw(st.lists(st.integers(1, 5), min_size=len(decode), max_size=len(decode)))
    return prompt, decode, [Fraction(w, sum(weight)) for w in weight]


def floats(values):
    """Return rows of Fractions as float64."""
    return np.array([[float(v) for v in row] for row in values])


def random_start(V, memory, seed):
    """Return a state with exponential masses and full memory."""
    y = np.random.default_rng(seed).exponential(1, len(V))
    return y * memory / (V @ y)


def test_three_stages_exact():
    """l0=2, l1=3, M=24: the states printed as fractions follow exactly."""
    run = simulate_exact(2, 3, 24, 7, start=[Fraction(5, 2), 2, Fraction(17, 10)])
    assert run.y[6] == (Fraction(6037, 1458), Fraction(544, 243), Fraction(85, 162))
    assert run.y[7] == (0, Fraction(778, 243), Fraction(544, 243))


def test_three_stages_table():
    """l0=2, l1=3, M=24: states and evictions of the table, and the iterations that evict."""
    run = simulate(2, 3, 24, 21, start=(2.5, 2, 1.7))
    table = {
        1: (1.3333, 2.5, 2, 0),
        2: (2.0556, 1.3333, 2.5, 0),
        4: (0.5247, 3.0370, 2.0556, 0),
        7: (0, 3.2016, 2.2387, 0.9390),
        9: (4.4481, 2.6639, 0, 0),
        10: (0, 2.6701, 2.6639, 1.7780),
        13: (0, 1.5627, 3.5498, 1.7042),
        16: (0, 0, 4.8, 1.4015),
        17: (8, 0, 0, 0),
        18: (0, 6, 0, 2),
        19: (0, 0, 4.8, 1.2),
    }
    for n, row in table.items():
        np.testing.assert_allclose([*run.y[n], run.evicted[n]], row, atol=6e-5)
    assert np.flatnonzero(run.evicted).tolist() == [7, 10, 13, 16, 18, 19, 21]


def test_four_stages():
    """l0=2, l1=4, M=48: the printed evictions, one state on the way and the collapse."""
    x = 8 / 3
    run = simulate(2, 4, 48, 30, start=(x + 0.5, x, x, x - 0.25))
    assert np.flatnonzero(run.evicted).tolist() == [9, 13, 17, 20, 21, 23, 24, 25, 27, 28, 29]
    np.testing.assert_allclose(run.y[17], (0, 0, 3.2138, 5.3218), atol=6e-5)
    np.testing.assert_allclose(run.y[30], (16, 0, 0, 0), atol=1e-9)


@pytest.mark.parametrize(
    ("prompt", "decode", "rate"),
    [
        (50, (2, 3), 4.6332),
        (50, (2, 4), 3.7975),
        (40, (4, 7), 2.5105),
        (40, (4, 8), 2.2059),
        (30, (2, 7, 12), 2.4357),
        (30, (2, 9, 12), 2.2059),
        (30, (2, 8, 12), 2.2843),
        (30, (6, 10), 2.1277),
        (30, (6, 9, 10, 15), 1.6655),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_long_run_of_mixes(prompt, decode, rate, seed):
    """M=600, random starts: the long-run throughput of the table after 6000 iterations."""
    y = random_start(stage_weights(prompt, decode), 600, seed)
    run = simulate(prompt, decode, 600, 8520, start=y, record="totals")
    # 2520 iterations: a whole number of periods for every mix of the table.
    assert run.throughput(6001) == pytest.approx(rate, abs=6e-5)


def test_slow_pulse_mix():
    """{9, 15} at l0=30 converges slowly: after 6000 iterations within the printed range, later the pulse rate."""
    y = random_start(stage_weights(30, (9, 15)), 600, 0)
    assert 1.3196 - 6e-5 < simulate(30, (9, 15), 600, 8520, start=y, record="totals").throughput(6001) < 1.3205 + 6e-5
    late = simulate(30, (9, 15), 600, 62520, start=y, record="totals").throughput(60001)
    assert late == pytest.approx(pulse_rate(30, (9, 15), 600), rel=1e-6)


SHOWCASES = [
    (512, (20, 21), 0.9936, 0.021),
    (512, (50, 75, 77, 84), 0.9995, 0.039),
    (512, (100, 125), 0.9794, 0.206),
    (512, (100, 200), 0.9233, 0.267),
    (512, (128, 256, 512), 0.917, 0.53),
    (512, (127, 255, 509), 0.920, 0.52),
    (300, (5, 10), 0.9935, 0.020),
    (300, (6, 12), 0.9919, 0.025),
    (300, (5, 6, 10, 12), 1.0, 0.0),
    (5000, (1000, 1211), 0.98, 0.216),
    (64, (100, 101), 0.7032, 1.06),
]


def showcase(prompt, decode, steps, seed):
    """Return throughput and evictions over x*, second half, from a random start."""
    best = equilibrium_rate(prompt, decode, 1e6)
    y = random_start(stage_weights(prompt, decode), 1e6, seed)
    run = simulate(prompt, decode, 1e6, steps, start=y, record="totals")
    first = 1 + steps // 2
    return run.throughput(first) / best, run.evictions(first) / best


@pytest.mark.parametrize(("prompt", "decode", "rate", "cut"), [row for row in SHOWCASES if max(row[1]) <= 200])
def test_showcases(prompt, decode, rate, cut):
    """What greedy admission costs in the long run, 60,000 iterations: throughput within .002, evictions within 5 %."""
    found = showcase(prompt, decode, 60_000, 1)
    assert found[0] == pytest.approx(rate, abs=0.002)
    assert found[1] == pytest.approx(cut, rel=0.05, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("prompt", "decode", "rate", "cut"), SHOWCASES)
def test_showcases_in_full(prompt, decode, rate, cut):
    """The same over 400,000 iterations: the table's digits (one more in the last place for chaotic mixes)."""
    found = showcase(prompt, decode, 400_000, 2)
    assert found[0] == pytest.approx(rate, abs=0.0021 if rate in (0.917, 0.920, 0.98) else 0.0003)
    assert found[1] == pytest.approx(cut, abs=0.006)


@given(mixes(), st.integers(5, 30), st.integers(0, 5))
def test_exact_twin(mix, steps, seed):
    """The compiled recursion takes the steps of the rational one, start, evictions, admissions and completions."""
    prompt, decode, shares = mix
    rng = np.random.default_rng(seed)
    start = [Fraction(int(v), 7) for v in rng.integers(0, 30, max(decode))]
    slow = simulate_exact(prompt, decode, 200, steps, shares=shares, start=start)
    fast = simulate(prompt, decode, 200, steps, shares=[float(p) for p in shares], start=[float(v) for v in start])
    np.testing.assert_allclose(fast.y, floats(slow.y), atol=1e-7)
    for ours, theirs in zip(fast, (slow.y, slow.evicted, slow.admitted, slow.completed), strict=True):
        np.testing.assert_allclose(ours, np.array(theirs, dtype=np.float64), atol=1e-7)


@given(mixes(), st.one_of(st.just(math.inf), st.floats(0.1, 5)))
def test_explicit_twin(mix, cap):
    """One vector does what the state by class and age does, from empty, with and without a cap."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    one = simulate(prompt, decode, 300, 60, shares=split, cap=cap)
    full = simulate_classes(prompt, decode, 300, 60, shares=split, cap=cap)
    for ours, theirs in zip(
        (one.evicted, one.admitted, one.completed), (full.evicted, full.admitted, full.completed), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.sum(axis=1), atol=1e-7)
    np.testing.assert_allclose(one.by_class, full.completed.sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(one.used, full.used, rtol=1e-9)


@given(mixes(), st.integers(0, 10**6))
def test_conservation_and_memory(mix, seed):
    """Admitted = completed + evicted + change of what is held; memory is full from iteration 1 on, never above M."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    V = stage_weights(prompt, decode, split)
    run = simulate(prompt, decode, 500, 300, shares=split, start=random_start(V, 500, seed))
    held = run.y @ run.alpha
    np.testing.assert_allclose(run.admitted[1:], run.completed[1:] + run.evicted[1:] + np.diff(held), atol=1e-9)
    assert (run.used <= 500 * (1 + 1e-12)).all()
    assert (run.used[1:] >= 500 * (1 - 3e-12)).all()
    assert not (run.admitted * run.evicted).any()


@given(mixes(), st.integers(0, 10**6))
def test_accounts_balance(mix, seed):
    """Memory in use is work completed, evicted or still held."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    start = random_start(stage_weights(prompt, decode, split), 500, seed)
    run = simulate(prompt, decode, 500, 200, shares=split, start=start)
    books = accounts(run, prompt, decode, split)
    assert books.completed + books.wasted + books.held == pytest.approx(books.used, rel=1e-9)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 10**6))
def test_one_class_stays_between_its_cycles(prompt, decode, seed):
    """Long-run throughput of one class lies in [T_worst, x*]."""
    start = random_start(stage_weights(prompt, decode), 1000, seed)
    run = simulate(prompt, decode, 1000, 4000, start=start, record="totals")
    rate = run.throughput(4000 - 100 * decode + 1)
    assert worst_rate(prompt, decode, 1000) * (1 - 1e-9) <= rate <= equilibrium_rate(prompt, decode, 1000) * (1 + 1e-9)


@given(mixes(), st.integers(0, 10**6))
def test_floor(mix, seed):
    """No mix stays below the floor."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    start = random_start(stage_weights(prompt, decode, split), 500, seed)
    rate = simulate(prompt, decode, 500, 4000, shares=split, start=start, record="totals").throughput(1000)
    assert rate >= worst_rate(prompt, decode, 500, split) * (1 - 0.01)


@given(mixes(), st.integers(0, 10**6), st.sampled_from([0.25, 4.0, 1024.0]))
def test_scaling(mix, seed, factor):
    """Masses and memory times k give the run times k (powers of 2: to the bit)."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    start = random_start(stage_weights(prompt, decode, split), 500, seed)
    one = simulate(prompt, decode, 500, 100, shares=split, start=start)
    other = simulate(prompt, decode, 500 * factor, 100, shares=split, start=start * factor)
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours * factor, theirs)


@given(st.integers(0, 50), st.integers(1, 9), st.integers(1, 9), st.integers(0, 100))
def test_share_zero_is_no_class(prompt, a, b, seed):
    """Shares (1, 0) are one class: weights, run, and nothing completed in the other."""
    np.testing.assert_array_equal(stage_weights(prompt, [a, b], [1, 0]), stage_weights(prompt, a))
    start = random_start(stage_weights(prompt, a), 500, seed)
    one, two = (
        simulate(prompt, a, 500, 50, start=start),
        simulate(prompt, [a, b], 500, 50, shares=[1, 0], start=start),
    )
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert two.by_class[1] == 0


@given(mixes())
def test_split_class_changes_nothing(mix):
    """A class in two equal halves is the class."""
    prompt, decode, shares = mix
    whole = [float(p) for p in shares]
    halves = [whole[0] / 2, *whole[1:], whole[0] / 2]
    one = simulate(prompt, decode, 500, 60, shares=whole)
    two = simulate([*prompt, prompt[0]], [*decode, decode[0]], 500, 60, shares=halves)
    np.testing.assert_allclose(one.y, two.y, atol=1e-7)
    np.testing.assert_allclose(one.completed, two.completed, atol=1e-7)


@given(st.integers(0, 30), st.integers(1, 6), st.integers(1, 6), st.integers(2, 5), st.integers(0, 100))
def test_multiples_pulse_as_their_quotients(prompt, a, b, k, seed):
    """Lengths ka, kb at input k l0, with mass at every k-th age, do in k iterations what a, b at l0 do in one."""
    V = stage_weights(prompt, [a, b])
    small = simulate(prompt, [a, b], 500, 40, start=random_start(V, 500, seed))
    start = np.zeros(k * len(V))
    start[k - 1 :: k] = small.y[0]
    large = simulate(k * prompt, [k * a, k * b], 500 * k, 40 * k, start=start)
    np.testing.assert_allclose(large.y[::k, k - 1 :: k], small.y, atol=1e-7)
    np.testing.assert_allclose(large.completed[1:].reshape(40, k).sum(axis=1), small.completed[1:], atol=1e-7)


@given(mixes())
def test_cap_at_the_equilibrium_ends_evictions(mix):
    """With admissions capped at x*, nothing is evicted, and the throughput is x* once stages have filled."""
    prompt, decode, shares = mix
    split = [float(p) for p in shares]
    best = equilibrium_rate(prompt, decode, 500, split)
    start = random_start(stage_weights(prompt, decode, split), 500, 3)
    d = max(decode)
    for first in (None, start):
        run = simulate(prompt, decode, 500, 6 * d + 40, shares=split, start=first, cap=best)
        assert not run.evicted[d + 1 :].any()
        assert run.y[d:].max() <= best
    assert simulate(prompt, decode, 500, 40 * d, shares=split, cap=best).throughput(2 * d + 1) == pytest.approx(best)


def test_totals_equal_states():
    """A run that keeps totals only has the figures and the last state of one that keeps all, and can go on."""
    whole = simulate(40, (4, 7), 600, 20_000)
    first = simulate(40, (4, 7), 600, 12_000, record="totals")
    rest = simulate(40, (4, 7), 600, 8_000, start=first.last, record="totals")
    np.testing.assert_array_equal(whole.last, rest.last)
    np.testing.assert_array_equal(whole.y[12_000], first.last)
    np.testing.assert_array_equal(whole.y[-1:], rest.y)
    np.testing.assert_array_equal(whole.completed, [*first.completed, *rest.completed[1:]])
    np.testing.assert_allclose(whole.by_class, first.by_class + rest.by_class)


def test_states_are_those_of_the_run():
    """States made on demand belong to the totals: they cannot be changed from outside, nor can the start."""
    start = np.full(10, 1.0)
    run = simulate(30, (6, 10), 600, 50, start=start, cap=3.0)
    start[:] = 0
    np.testing.assert_allclose(np.diff(run.y @ run.alpha), (run.admitted - run.completed - run.evicted)[1:], atol=1e-9)
    np.testing.assert_array_equal(run.y[1:, 0], run.admitted[1:])
    with pytest.raises(ValueError, match="read-only"):
        run.start[0] = 5.0


def test_equilibrium_is_a_fixed_point():
    """With x* at every age of an exact mix, nothing changes."""
    best = Fraction(600) / sum(Fraction(length * (2 * 30 + length + 1), 4) for length in (6, 10))
    run = simulate_exact(30, (6, 10), 600, 30, start=[best] * 10)
    assert set(run.y) == {(best,) * 10}
    assert set(run.completed[1:]) == {best}
    assert float(best) == pytest.approx(equilibrium_rate(30, (6, 10), 600))


def test_trace_is_one_class_per_request():
    """Weights of a trace by one count equal the sum over requests as written."""
    rng = np.random.default_rng(0)
    prompt, output = rng.integers(0, 900, 500), rng.integers(1, 60, 500)
    V = stage_weights(prompt, output)
    by_hand = [(prompt + 1 + s)[output > s].sum() / 500 for s in range(output.max())]
    np.testing.assert_array_equal(V, by_hand)


def test_hundreds_of_thousands_of_requests():
    """A large trace runs: 300,000 requests, lengths up to 20,000."""
    rng = np.random.default_rng(1)
    prompt = rng.integers(1, 8000, 300_000)
    output = np.minimum(rng.geometric(1 / 900, 300_000), 20_000)
    output[0] = 20_000
    run = simulate(prompt, output, 1e7, 50, record="totals")
    assert run.last.shape == (20_000,)
    assert run.by_class.sum() == pytest.approx(run.completed.sum())


def test_random_draws_disturb():
    """Classes drawn at random make evictions in a mix that has none at constant shares; many draws make few."""
    shares = [0.25] * 4
    cut = [
        simulate_classes(30, (6, 9, 10, 15), 600, 6000, shares=draw_shares(shares, 6000, draws)).evicted[2000:].mean()
        for draws in (1, 100)
    ]
    assert cut[0] > 10 * cut[1]
    assert simulate_classes(30, (6, 9, 10, 15), 600, 6000, shares=shares).evicted[4000:].sum() == 0


def test_shares_over_time():
    """Shares that turn from one class to the other pass from one equilibrium load to the other."""
    split = np.repeat([[1.0, 0.0], [0.0, 1.0]], 200, axis=0)
    run = simulate_classes(50, (2, 3), 600, 400, shares=split)
    assert run.admitted[1:201, 1].sum() == 0
    assert run.admitted[201:, 0].sum() == 0
    assert run.completed[210:, 0].sum() == 0
    total = run.admitted[1:].sum() - run.completed.sum() - run.evicted.sum()
    assert total == pytest.approx(run.x.sum() - 600 / 51)
