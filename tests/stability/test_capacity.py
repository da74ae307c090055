"""Capacity: the numbers of the theory, its identities, provisioning, warnings, and what is refused."""

import math
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instances.traces.loader import load_trace
from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.problem.instance import Instance
from kvratio.problem.presets import PRESETS
from kvratio.problem.requests import Requests
from stability.capacity import (
    Independent,
    Joint,
    Mixed,
    area,
    capacity,
    distribution,
    fleet,
    gpus_needed,
    measured_slot,
    mixture,
    mu_interval,
    published,
    sensitivity,
    worst_burst,
)
from stability.fluid import equilibrium

M, B = 131_000, 0.0372
MODEL = (0.0106, 4.01e-7, 2.5e-5)
requests = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 700), st.floats(0.1, 5)), min_size=1, max_size=6)


def uniform(prompt, output):
    """Return independent uniform lengths from 10."""
    return Independent(distribution(f"uniform:10:{prompt}"), distribution(f"uniform:10:{output}"))


# -- numbers ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("S", "O", "closed", "exact", "b", "mu", "safe"),
    [
        (1600, 1600, 1_079_151.33, 1_079_497.64, 0.0372, 3.2632, 3.184),
        (2133, 1066, 770_034.09, 770_520.60, 0.0430, 3.9563, 3.860),
        (1066, 2133, 1_339_675.42, 1_339_879.87, 0.0337, 2.9016, 2.831),
    ],
)
def test_published_rows(S, O, closed, exact, b, mu, safe):  # noqa: E741 - the symbols of the table
    """Mean areas of both forms, mu and the safe rate of the published uniform workloads, to the digit printed."""
    found = capacity(uniform(S, O), M, b)
    assert found.mean_area == pytest.approx(closed, abs=0.005)
    assert capacity(uniform(S, O), M, b, exact=True).mean_area == pytest.approx(exact, abs=0.005)
    assert found.mu == pytest.approx(mu, abs=5e-5)
    assert found.safe_rate == pytest.approx(safe, abs=5e-4)


def test_published_figures_that_do_not_follow():
    """The printed 3.385 and 25.808 are not what the formulas give; the three plain rows are."""
    rows = published()
    assert [row.printed for row in rows if row.follows] == [3.263, 3.956, 2.902]
    odd = {row.printed: row for row in rows if row.follows is False}
    assert odd[3.385].ours == pytest.approx(3.348, abs=5e-4)
    assert odd[25.808].ours == pytest.approx(26.106, abs=5e-4)
    assert "6.7%" in odd[3.385].why
    assert "0.03763" in odd[25.808].why
    assert [row.ours for row in rows if row.follows is None] == [None] * 3
    gaps = [abs((row.ours or row.printed) / row.measured - 1) for row in rows]
    assert max(gaps) < 0.1


TRACES = [
    ("azure_2023_conv", M, 251_577.0, 252_028.1, 13.9977, 0.10755, 5.9063, 0.07866, 6.6079),
    ("azure_2023_code", M, 67_408.4, 68_370.7, 52.2414, 0.05985, 3.1305, 0.16085, 11.9116),
    ("vtc_arena", M, 94_829.0, 94_879.1, 37.1353, 0.01265, 2.4983, 0.06783, 20.3540),
    ("mooncake_synthetic", 700_000, 1_654_381.5, 1_661_830.0, 11.3742, 0.27341, 3.9060, 0.45269, 0.9305),
    ("servegen_deepseek_r1_synth", M, 2_209_616.8, 2_210_087.2, 1.5937, 0.34132, 19.8609, 0.06468, 0.9164),
]


@pytest.mark.skipif("KVRATIO_TRACES" not in os.environ, reason="KVRATIO_TRACES does not name a folder of traces")
@pytest.mark.parametrize("row", TRACES, ids=[row[0] for row in TRACES])
def test_shared_traces(row):
    """Areas, mu, delta and rate of the shared traces at b = .0372, and the b and mu that an iteration model gives."""
    name, memory, closed, exact, mu, delta, rate, slot, modelled = row
    trace = load_trace(name, memory)
    found = capacity(trace, memory, B)
    assert found.mean_area == pytest.approx(closed, abs=0.05)
    assert found.mu == pytest.approx(mu, abs=5e-5)
    assert found.delta == pytest.approx(delta, abs=5e-6)
    assert found.rate == pytest.approx(rate, abs=5e-5)
    other = capacity(trace, memory, exact=True, iteration_model=MODEL)
    assert other.mean_area == pytest.approx(exact, abs=0.05)
    assert other.slot_seconds == pytest.approx(slot, abs=5e-6)
    assert other.mu == pytest.approx(modelled, abs=5e-5)
    if name.startswith("servegen"):
        assert (found.gpus, found.least_gpus) == (14, 13)


# -- identities -------------------------------------------------------------------------------------------------------
@given(rows=requests, clock=st.sampled_from([p.clock for p in PRESETS.values()]), memory=st.integers(1600, 10**6))
def test_whole_prompts_are_the_fluid_model(rows, clock, memory):
    """With exact areas and a chunk that takes every prompt, mu is the critical rate of the fluid equilibrium."""
    s, o, w = (np.array(column) for column in zip(*rows, strict=True))
    found = capacity((s, o, w), memory, iteration_model=clock, chunk=900, exact=True)
    assert found.mu == pytest.approx(equilibrium(rows, clock, memory).r_c, rel=1e-9)


@given(rows=requests, at=st.integers(0, 5), side=st.integers(0, 1), more=st.integers(1, 50), exact=st.booleans())
def test_mu_falls_in_every_length(rows, at, side, more, exact):
    """A longer prompt or output of any request lowers mu, with b given and with b from a model."""
    s, o, w = (np.array(column) for column in zip(*rows, strict=True))
    longer = [s.copy(), o.copy()]
    longer[side][at % len(s)] += more
    for how in ({"slot_seconds": B}, {"iteration_model": MODEL}):
        here = capacity((s, o, w), 4000, exact=exact, chunk=128, **how).mu
        assert capacity((*longer, w), 4000, exact=exact, chunk=128, **how).mu < here


@given(rows=requests)
def test_all_forms_of_the_same_lengths_agree(rows):
    """Weights, repeated rows, instances, mixes of single requests: one workload, one mu."""
    s, o, _ = (np.array(column) for column in zip(*rows, strict=True))
    k = np.arange(1, len(s) + 1)
    weighted = capacity((s, o, k), M, B)
    repeated = capacity(Instance(np.repeat(s, k), np.repeat(o, k), M), M, B)
    parts = Mixed(tuple(Joint([a], [b]) for a, b in zip(s, o, strict=True)), k)
    mixed = capacity(parts, M, B)
    for other in (repeated, mixed, capacity(Requests(np.repeat(s, k), np.repeat(o, k), np.zeros(k.sum())), M, B)):
        assert other.mu == pytest.approx(weighted.mu, rel=1e-12)
        assert other.delta == weighted.delta
        assert other.floor == pytest.approx(weighted.floor, rel=1e-12)
    singles = [capacity(([a], [b]), M, B).mu for a, b in zip(s, o, strict=True)]
    assert mixture(singles, k / k.sum()) == pytest.approx(weighted.mu, rel=1e-12)


def test_independent_marginals_equal_their_table_of_pairs():
    """The product of two marginals gives the mu of all pairs written out, b from a roofline clock included."""
    s, o = np.arange(3, 40), np.arange(1, 21)
    pairs = (np.repeat(s, len(o)), np.tile(o, len(s)))
    law = Independent(distribution("uniform:3:39"), distribution("uniform:1:20"))
    for how in ({"slot_seconds": B}, {"iteration_model": "a100-llama2-7b-roofline"}):
        assert capacity(law, 5000, chunk=16, exact=True, **how).mu == pytest.approx(
            capacity(pairs, 5000, chunk=16, exact=True, **how).mu, rel=1e-12
        )


def test_zero_weights_leave_a_request_out():
    """A request of weight 0 counts neither for mu nor for delta, and not as too large."""
    found = capacity(([100, 10**6], [50, 9], [1, 0]), M, B)
    assert found.mu == pytest.approx(capacity((100, 50), M, B).mu)
    assert found.delta == 150 / M


def test_self_consistent_slot():
    """The roofline clock charges keys to decodes alone: b is that of a batch of mean composition."""
    clock = PRESETS["a100-llama2-7b-roofline"].clock
    found = capacity((500, 100), 20_000, iteration_model=clock, chunk=100, exact=True)
    per_slot = 20_000 / area(500, 100, 100, exact=True)
    cached = per_slot * (100 * 500 + 100 * 101 / 2)
    work = per_slot * 600
    body = max(clock.floor, clock.base + clock.token * work)
    assert found.slot_seconds == pytest.approx(
        body + clock.fixed + clock.decode * per_slot * 100 + clock.cached * cached
    )


# -- provisioning -----------------------------------------------------------------------------------------------------
def test_gpus_and_mixtures():
    """Counts are rounded up, a whole quotient is not; mixtures are harmonic; fleets add up and share by capacity."""
    assert gpus_needed(19.8609, 1.5937) == 14
    assert gpus_needed(10, 2.5, 1.0) == 4
    assert gpus_needed(0.3, 0.1, 1.0) == 3
    assert mixture([3.956, 2.902], [0.5, 0.5]) == pytest.approx(3.348, abs=5e-4)
    assert mixture([2.0, 7.0], [1, 0]) == 2.0
    many = fleet([3.0, 1.0], [2, 4], deltas=[0.1, 0.3], rate=5)
    assert (many.mu, many.load, many.replicas) == (10.0, 0.5, 6)
    assert many.safe_rate == pytest.approx(7.0)
    assert many.shares.tolist() == [0.3, 0.3, 0.1, 0.1, 0.1, 0.1]
    for how in ("pipeline", "split-prefill"):
        with pytest.raises(BadParameter, match="outside the theory"):
            fleet([3.0], parallel=how)


def test_measured_slot_is_robust():
    """The median, unless the tail is heavy: then the mean less a tenth at each end; the source says which."""
    assert measured_slot([3, 1, 2]).seconds == 2
    heavy = measured_slot([1.0] * 8 + [2.0, 50.0])
    assert heavy.seconds == pytest.approx((7 * 1.0 + 2.0) / 8)
    assert "heavy tail" in heavy.source
    for bad in ([], [1, -1], [math.nan], ["x"]):
        with pytest.raises(BadParameter, match="batch times"):
            measured_slot(bad)


def test_bootstrap_covers_and_repeats():
    """Equal seeds give equal intervals around mu; about 95 of 100 samples of a known law cover its mu."""
    law = uniform(600, 300)
    true = capacity(law, M, B).mu
    rng = np.random.default_rng(5)
    hits = 0
    for k in range(100):
        found = mu_interval(law.draw(150, rng), M, B, replications=200, seed=k)
        hits += found.low <= true <= found.high
    assert 86 <= hits <= 100
    sample = law.draw(50, rng)
    assert mu_interval(sample, M, B, seed=1) == mu_interval(sample, M, B, seed=1)
    model = mu_interval(sample, M, iteration_model=MODEL, seed=1, block=5)
    assert model.low < capacity(sample, M, iteration_model=MODEL).mu < model.high
    drifting = Joint(np.repeat([100, 900], 200), np.full(400, 50), seconds=np.arange(400.0))
    free, blocks = (mu_interval(drifting, M, B, block=block) for block in (1, None))
    assert blocks.block == 20
    assert blocks.high - blocks.low > 2 * (free.high - free.low)
    assert mu_interval(law, M, B) is None
    assert mu_interval((5, 5), M, B) is None


def test_sensitivity_moves_the_right_way():
    """Slots scale mu inversely, M in proportion when b is given; heavier outputs cost; counts go with them."""
    rows = sensitivity(uniform(1600, 1600), M, B, rate=10)
    asked, slow, fast, large, small, heavy = rows
    assert slow.mu == pytest.approx(asked.mu / 1.1)
    assert fast.mu == pytest.approx(asked.mu / 0.9)
    assert large.mu == pytest.approx(asked.mu * 1.1)
    assert small.mu == pytest.approx(asked.mu * 0.9)
    assert heavy.mu < asked.mu
    # 90 % of 1591 equal values: 1432 of them, the last being 1441; so 160 values count twice.
    outputs = np.arange(10, 1601)
    weight = np.where(outputs >= 1441, 2, 1)
    pairs = Independent(distribution("uniform:10:1600"), distribution("uniform:10:1600")).prompt
    mean = np.average([area(pairs.values, o).mean() for o in outputs], weights=weight)
    assert heavy.mu == pytest.approx(M / (B * mean))
    assert [row.gpus for row in rows] == [math.ceil(10 / row.mu / 0.9) for row in rows]


# -- warnings ---------------------------------------------------------------------------------------------------------
def test_restart_floor_and_worst_cycle():
    """Equal lengths: floor and worst cycle are M/(b o (s+o)), .750 of mu for 805 tokens, and each has its count."""
    found = capacity((805, 805), 65_500, B, rate=3)
    assert found.worst_rate == pytest.approx(65_500 / (B * 805 * 1610))
    assert found.floor == found.worst_rate
    assert found.worst_rate / found.mu == pytest.approx(0.750, abs=0.002)
    assert found.near_equal
    assert found.gpus_worst == math.ceil(3 / 0.9 / found.worst_rate)
    assert found.floor_with_prefill == pytest.approx(found.floor * 805 / 807)
    assert any("metastable" in line and f"{found.worst_rate:.4g}" in line for line in found.warnings)
    wide = capacity(uniform(1600, 1600), M, B, rate=3)
    assert not wide.near_equal
    assert wide.floor == pytest.approx(M / (B * 1600 * 3200))


def test_large_delta_is_told():
    """Above .2 the safe rate says little; below nothing is said."""
    assert any("delta = 0.300" in line for line in capacity((20, 10), 100, 1.0).warnings)
    assert not any("delta" in line for line in capacity((20, 10), 1000, 1.0).warnings)
    edge = capacity((60, 40), 100, 1.0, rate=1)
    assert (edge.safe_rate, edge.gpus_safe) == (0.0, None)


def burst_twin(seconds, work):
    """Return the backlog after each arrival by the recursion itself."""
    left, before, found = 0.0, seconds[0], []
    for now, brought in zip(seconds, work, strict=True):
        left = max(0.0, left - (now - before)) + brought
        before = now
        found.append(left)
    return found


@given(gaps=st.lists(st.floats(0, 40), min_size=2, max_size=60), rate=st.floats(0.5, 20))
def test_burst_against_the_recursion(gaps, rate):
    """Worst minute and backlog equal what a plain walk over the arrivals finds."""
    seconds = np.cumsum(gaps) - gaps[0]
    if seconds[-1] == 0:
        return
    areas = np.arange(1.0, len(gaps) + 1)
    found = worst_burst(seconds, areas, rate, 1.0, workers=2)
    window = min(60.0, seconds[-1])
    counts = [int(((seconds >= t) & (seconds < t + window)).sum()) for t in seconds]
    assert found.requests == max(counts)
    assert seconds[int(np.argmax(counts))] == found.start
    left = burst_twin(seconds, areas / (2 * rate))
    assert found.largest_backlog == pytest.approx(max(left))
    last = int(np.argmax(counts)) + max(counts) - 1
    assert found.backlog == pytest.approx(max(0.0, left[last] - (found.start + window - seconds[last])), abs=1e-9)


def test_burst_is_told():
    """A trace whose worst minute exceeds mu says so, with the rate and the backlog; its time follows the rate asked."""
    seconds = np.concatenate([np.linspace(0, 600, 61), np.linspace(600, 610, 200), np.linspace(620, 1200, 60)])
    trace = Requests(np.full(321, 500), np.full(321, 100), seconds)
    found = capacity(trace, 20_000, 0.15)
    assert found.burst.rate > found.burst.mu
    assert any(line.startswith("burst: the worst 60 s") for line in found.warnings)
    assert found.rate == pytest.approx(320 / 1200)
    faster = capacity(trace, 20_000, 0.15, rate=2 * found.rate)
    assert faster.burst.start == pytest.approx(found.burst.start / 2, abs=60)
    assert faster.burst.requests > found.burst.requests


def test_dependence_is_told():
    """Long prompts with short outputs: the joint sample gives the larger mu, and the warning the other one."""
    s, o = np.array([1000, 10]), np.array([10, 1000])
    found = capacity((s, o), M, B)
    assert found.product_area > found.mean_area
    wrong = capacity((np.repeat(s, 2), np.tile(o, 2)), M, B).mu
    assert any("depend on each other" in line and f"{wrong:.4g}" in line for line in found.warnings)
    assert capacity((805, 805), M, B).product_area is None


# -- bad use ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "options", "named"),
    [
        ((([], []), M, B), {}, "prompt is empty"),
        ((([1, 2], [1]), M, B), {}, "prompt has 2"),
        ((([1], [1], [0]), M, B), {}, "all 0"),
        ((([1, 2], [1, 2], [1, -1]), M, B), {}, "entry 1"),
        ((([1, 2], [1, 2], [1]), M, B), {}, "weights"),
        ((([1], [1], [math.nan]), M, B), {}, "weights"),
        ((([math.nan], [1]), M, B), {}, "prompt"),
        ((([-5], [1]), M, B), {}, "prompt"),
        ((([0], [0]), M, B), {}, "mean area"),
        ((([100, 90_000], [10, 50_000]), M, B), {}, "request 1 has prompt 90000"),
        (((1, 1), 0, B), {}, "memory"),
        (((1, 1), math.nan, B), {}, "memory"),
        (((1, 1), M, 0), {}, "slot_seconds"),
        (((1, 1), M), {}, "slot_seconds"),
        (((1, 1), M, B), {"iteration_model": MODEL}, "either"),
        (((1, 1), M), {"iteration_model": (1, -2, 3)}, "Clock"),
        (((1, 1), M), {"iteration_model": (0.1,)}, "iteration_model"),
        (((1, 1), M), {"iteration_model": "no-such"}, "no-such"),
        (((1, 1), M, B), {"chunk": 0}, "chunk"),
        (((1, 1), M, B), {"utilisation": 0}, "utilisation"),
        (((1, 1), M, B), {"utilisation": 1.01}, "utilisation"),
        (((1, 1), M, B), {"rate": 0}, "rate"),
        (((1, 1), M, B), {"rate": -1}, "rate"),
        (((1, 1), M, B), {"rate": math.inf}, "rate"),
        (("azure_2023_conv", M, B), {}, "load_trace"),
        ((7, M, B), {}, "lengths"),
    ],
)
def test_bad_use_is_one_line(arguments, options, named):
    """Lengths, weights, memory, times, shares and rates without meaning are refused by name."""
    with pytest.raises(KvratioError, match=named) as told:
        capacity(*arguments, **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("mus", "fractions"), [([1, 2], [0.5, 0.6]), ([1, 2], [1.5, -0.5]), ([0, 1], [0.5, 0.5]), ([1], [0.5, 0.5])]
)
def test_mixture_refuses(mus, fractions):
    """Shares that do not sum to 1 and capacities of 0 have no mixture."""
    with pytest.raises(BadParameter):
        mixture(mus, fractions)


def test_one_request_is_enough():
    """A single request has a capacity, no rate, no interval and no burst."""
    found = capacity(Instance([100], [20], M, arrival_seconds=[3.0]), M, B)
    assert found.mu == pytest.approx(M / (B * area(100, 20)))
    assert (found.rate, found.load, found.gpus, found.burst) == (None, None, None, None)
    assert capacity((5, 0), M, 0.1).floor == pytest.approx(M / (0.1 * 5))
