"""The fluid equilibrium: the numbers of the theory, its identities, and what it refuses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio.problem.clock import Clock, RooflineClock
from kvratio.problem.errors import BadParameter
from kvratio.problem.presets import PRESETS
from kvratio.problem.requests import Requests
from stability.batch_time import batch_seconds
from stability.fluid import equilibrium, region
from stability.mix import area

SHORT = [(512, 20, 1.0)]
MIXED = [(512, 20, 0.7), (512, 50, 0.3)]
LONG = [(512, 1000, 1.0)]
THEORY = Clock.preset("a100-llama2-7b-theory")

mixes = st.lists(st.tuples(st.integers(1, 2000), st.integers(1, 800), st.floats(0.01, 3.0)), min_size=1, max_size=5)
clocks = st.sampled_from([preset.clock for preset in PRESETS.values()])


@pytest.mark.parametrize(("rate", "tokens"), [(50, 34_377), (60, 55_758), (70, 100_327), (80, 250_509)])
def test_memory_table(rate, tokens):
    """The published M* of the chat mix follows from d0 E[A] = 298.84 and d1 E[A] = 0.0113071, to 0.01 %."""
    prompt, output = 27.0, 150
    mean_area = float(area(prompt, output))
    clock = Clock(298.84 / mean_area, 0.0113071 / mean_area)
    found = equilibrium([(prompt, output, rate)], clock)
    assert found.M / tokens == pytest.approx(1, rel=1e-4)


def test_largest_rate_of_the_table():
    """With the two products of the table, M* reaches 137,000 tokens at 74.1 requests per second."""
    mean_area = float(area(27.0, 150))
    clock = Clock(298.84 / mean_area, 0.0113071 / mean_area)
    assert equilibrium([(27.0, 150, 1.0)], clock, 137_000).r_c == pytest.approx(74.1, abs=0.05)


@pytest.mark.parametrize(
    ("types", "preset", "limit"),
    [
        (SHORT, "a100-llama2-7b", 26.3),
        (SHORT, "a100-llama3-8b", 25.6),
        (MIXED, "a100-llama2-7b", 24.8),
        (MIXED, "a100-llama3-8b", 24.9),
        (LONG, "a100-llama3-8b", 3.7),
    ],
)
def test_fluid_limits(types, preset, limit):
    """The largest stable rates that the specification lists, to the digit printed."""
    assert equilibrium(types, Clock.preset(preset), PRESETS[preset].memory).r_c == pytest.approx(limit, abs=0.05)


def test_long_decodes_limit():
    """512 + 1000 tokens: 1.93 requests per second on the 7B preset."""
    assert equilibrium(LONG, Clock.preset("a100-llama2-7b"), 137_000).r_c == pytest.approx(1.93, abs=0.005)


def test_without_prefill_term_the_short_workload_is_far_from_its_limit():
    """d2 = 0: memory allows about 190 requests per second and the slack about 227; with 0.0115 ms per token, 7.9."""
    assert equilibrium(SHORT, THEORY, 137_000).r_c == pytest.approx(190, abs=1)
    assert equilibrium(SHORT, THEORY).r_c == pytest.approx(227, abs=1)
    assert equilibrium(SHORT, Clock(0.276, 1.15e-5)).r_c == pytest.approx(7.9, abs=0.05)


def test_tight_example():
    """Prompt and output 1, rate 4, C = 12: dT* = 1, n* = 4, M* = 12, exactly at the limit and stable."""
    found = equilibrium([(1, 1, 4)], Clock(0.5, 0.5 / 12), 12)
    assert (found.dT, found.M, found.n.tolist(), found.R, found.S) == (1.0, 12.0, [4.0], 12.0, 4.0)
    assert (found.stable, found.r_c, found.throughput, found.latency.tolist()) == (True, 4.0, 4.0, [2.0])
    assert not equilibrium([(1, 1, 4.001)], Clock(0.5, 0.5 / 12), 12).stable


@given(mixes, clocks)
def test_iteration_time_is_a_fixed_point(types, clock):
    """dT* is the time of the fluid batch at dT*, n* = r dT*, M* = dT* R, latency = (o+1) dT*: any mix, either clock."""
    found = equilibrium(types, clock)
    assert (found.slack > 0) == math.isfinite(found.dT) == found.stable
    if not found.stable:
        return
    prompt, output, rate = np.array(types).T
    took = batch_seconds(clock, found.dT * found.R, found.dT * found.S, found.dT * float(rate @ output))
    assert took == pytest.approx(found.dT, rel=1e-9)
    tokens = sum(n * sum(s + j for j in range(int(o) + 1)) for n, s, o in zip(found.n, prompt, output, strict=True))
    assert tokens == pytest.approx(found.M, rel=1e-9)
    assert found.latency == pytest.approx((output + 1) * found.dT)


@given(mixes)
def test_roofline_agrees_with_bisection(types):
    """The closed form for the roofline clock is the least root of dT = tau(fluid batch at dT) that bisection finds."""
    clock = Clock.preset("a100-llama2-7b-roofline")
    found = equilibrium(types, clock)
    prompt, output, rate = np.array(types).T
    R, S, B = rate @ area(prompt, output), rate @ prompt, rate @ output

    def late(dT):
        tokens = dT * (S + B)
        body = max(clock.floor, clock.base + clock.token * tokens)
        return body + clock.fixed + clock.decode * B * dT + clock.cached * (R - S) * dT - dT

    if not found.stable:
        assert late(1e9) > 0
        return
    low, high = 0.0, found.dT * 2 + 1
    assert late(high) < 0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if late(middle) > 0 else (low, middle)
    assert found.dT == pytest.approx(high, rel=1e-9)


@given(mixes, clocks, st.integers(6000, 500_000))
def test_largest_rate_fills_memory(types, clock, memory):
    """At r_c the fluid fills C exactly, below it is stable, above not; `region` says the same of every mix."""
    found = equilibrium(types, clock, memory)
    at = lambda k: equilibrium([(s, o, r * found.scale * k) for s, o, r in types], clock, memory)  # noqa: E731
    assert at(1).M / memory == pytest.approx(1, rel=1e-6)
    assert at(0.999).stable
    assert not at(1.001).stable
    loads = region(types, clock, memory)
    rates = np.array([r for _, _, r in types])
    assert (loads @ rates).max() == pytest.approx(1 / found.scale)
    assert found.r_c < equilibrium(types, clock).r_c


def test_d2_formula():
    """The closed form r_c = C / (d0 E[A] + C (d1 E[A] + d2 E[l])) for a linear clock."""
    clock, C = Clock(0.01, 5e-7, 6e-5), 50_000
    shares, A, prompt = np.array([0.25, 0.75]), area([300, 40], [70, 400]), np.array([300, 40])
    mean_area, mean_prompt = shares @ A, shares @ prompt
    expected = C / (clock.d0 * mean_area + C * (clock.d1 * mean_area + clock.d2 * mean_prompt))
    assert equilibrium([(300, 70, 2.5), (40, 400, 7.5)], clock, C).r_c == pytest.approx(expected)


def test_both_signatures_and_sources():
    """A clock or its seconds, rows or requests: the same equilibrium."""
    rows = [(100, 10, 3.0), (50, 30, 1.0)]
    requests = Requests([100, 50], [10, 30], [0.0, 1.0], kind=[0, 1], types=rows)
    clock = Clock(0.01, 4e-7, 6e-5)
    wanted = equilibrium(rows, clock, 9000)
    for other in (
        equilibrium(requests, clock, memory=9000),
        equilibrium(rows, 0.01, 4e-7, 6e-5, 9000),
        equilibrium(rows, d0=0.01, d1=4e-7, d2=6e-5, memory=9000),
    ):
        assert (other.dT, other.M, other.r_c, other.reason) == (wanted.dT, wanted.M, wanted.r_c, wanted.reason)


def test_reasons():
    """The verdict says which limit is passed, and by how much."""
    clock = Clock(0.01, 0.0, 1e-3)
    assert "per-token work takes 2 s per second" in equilibrium([(100, 10, 20)], clock, 1000).reason
    over = equilibrium([(100, 10, 8)], Clock(0.1, 0.0), 500)
    assert over.reason.startswith("overloaded: M* = 924 tokens > memory 500 by 424;")


@pytest.mark.parametrize(
    ("types", "clock", "memory", "message"),
    [
        ([], THEORY, None, "types is empty"),
        ([(10, 5, 0)], THEORY, None, "type 0: rate is 0"),
        ([(10, 5, -1)], THEORY, None, "type 0: rate is -1"),
        ([(10, 5, 1), (0, 5, 1)], THEORY, None, "type 1: prompt is 0"),
        ([(10, 2.5, 1)], THEORY, None, "type 0: output is 2.5"),
        ([(10, 5)], THEORY, None, "type 0 is"),
        ([(10, 5, float("nan"))], THEORY, None, "type 0: rate is nan"),
        ([(10, 5, 1)], THEORY, 0, "memory is 0"),
        ([(10, 5, 1)], THEORY, 14, "type 0: prompt 10 + output 5 = 15 > memory 14"),
        ([(10, 5, 1)], "a100", None, "equilibrium: give"),
    ],
)
def test_refusals(types, clock, memory, message):
    """Every meaningless input is one clear line."""
    with pytest.raises(BadParameter) as caught:
        equilibrium(types, clock, memory=memory)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_roofline_batch_is_the_clock_for_whole_tokens():
    """The fluid batch time is the clock's own iteration time wherever tokens are whole."""
    clock = Clock.preset("a100-llama2-7b-roofline")
    assert isinstance(clock, RooflineClock)
    for prompt, decodes, cached in ((0, 1, 40), (0, 108, 9000), (0, 109, 9000), (512, 30, 17_000)):
        own = clock.iteration(cached, prompt, decodes=decodes)
        assert batch_seconds(clock, cached + prompt, prompt, decodes) == pytest.approx(own, rel=1e-12)
