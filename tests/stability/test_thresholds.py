"""Thresholds of WAIT and Nested WAIT, the buffer, and refusals that name the inequality."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from stability.batch_time import batch_seconds
from stability.buffer import safety_buffer, theta
from stability.caps import caps_for_load, caps_from_tokens
from stability.conditions import NoThresholds, violated
from stability.fluid import equilibrium
from stability.segments import segments
from stability.thresholds import (
    conditions_nested,
    conditions_wait,
    plan_nested,
    thresholds_nested,
    thresholds_wait,
    wait_batch,
    wait_interval,
)

SEVEN = Clock.preset("a100-llama2-7b")
THEORY = Clock.preset("a100-llama2-7b-theory")
ROOF = Clock.preset("a100-llama2-7b-roofline")
MIXED = [(512, 20, 16.1), (512, 50, 6.9)]

mixes = st.lists(st.tuples(st.integers(1, 600), st.integers(1, 60), st.floats(0.01, 4.0)), min_size=1, max_size=3)
clocks = st.sampled_from([SEVEN, THEORY, ROOF])


@pytest.mark.parametrize(
    ("n_k", "n_prev", "p", "root", "bound"),
    [(4, 10, 0.3, 0.8711, 0.8), (7, 10, 0.5, 1.8011, 1.6), (35, 100, 0.3, 0.4514, 0.4)],
)
def test_theta_golden(n_k, n_prev, p, root, bound):
    """The three published roots, and the bound that each respects."""
    assert theta(n_k, n_prev, p) == pytest.approx(root, abs=5e-5)
    assert 8 * (n_k - n_prev * p) / n_prev == pytest.approx(bound)
    assert theta(n_k, n_prev, p) >= bound


@given(st.integers(2, 300), st.data())
def test_theta_solves_its_equation(n_prev, data):
    """The root makes both sides equal, is positive, and is at least 8 (n_k - p n_prev)/n_prev."""
    n_k = data.draw(st.integers(1, n_prev - 1))
    p = data.draw(st.floats(1e-3, 0.999)) * n_k / n_prev
    x = theta(n_k, n_prev, p)
    left = n_prev * (x + math.log(p + (1 - p) * math.exp(-x)))
    assert left == pytest.approx(n_k * x, rel=1e-9, abs=1e-10)
    assert x >= 8 * (n_k - n_prev * p) / n_prev * (1 - 1e-9)


def test_theta_limits():
    """A queue that cannot grow has an infinite rate; one that grows for ever is refused."""
    assert theta(10, 10, 0.4) == math.inf
    for n_k, n_prev, p in ((3, 10, 0.3), (2, 10, 0.3), (4, 10, 0.0), (0, 10, 0.5)):
        with pytest.raises(BadParameter, match="theta:"):
            theta(n_k, n_prev, p)


@given(mixes, clocks)
def test_wait_thresholds_are_least(types, clock):
    """They satisfy the strict conditions with the margin, and lowering any one of them breaks its own."""
    try:
        n = thresholds_wait(types, clock, 100_000)
    except NoThresholds:
        return
    assert not violated(conditions_wait(types, n, clock, 100_000, strict=True)[:-1])
    assert wait_batch(types, n, clock)[0] <= 100_000
    rates = np.array([rate for _, _, rate in types])
    assert (1.05 * wait_batch(types, n, clock)[1] < n / rates).all()
    for j in np.flatnonzero(n > 1):
        fewer = n - (np.arange(len(n)) == j)
        assert 1.05 * wait_batch(types, fewer, clock)[1] >= fewer[j] / rates[j] * (1 - 1e-12)


def test_wait_thresholds_by_search():
    """For two types, no pair that keeps pace with the margin is smaller in either entry, by trying them all."""
    types, memory = [(300, 12, 27.0), (700, 6, 7.0)], 137_000
    found = thresholds_wait(types, SEVEN, memory)
    keeps_pace = [
        (a, b)
        for a in range(1, 40)
        for b in range(1, 40)
        if 1.05 * wait_batch(types, (a, b), SEVEN)[1] < min(a / 27.0, b / 7.0)
        and wait_batch(types, (a, b), SEVEN)[0] <= memory
    ]
    assert found.tolist() == [min(a for a, _ in keeps_pace), min(b for _, b in keeps_pace)]
    assert found.max() > 1


def test_wait_thresholds_grow_with_the_load():
    """p512d20 on the 7B preset: 1 at 10 requests/s, 2 at 22, the least that keeps pace at 25, none beyond the limit."""
    at = lambda rate, margin=0.05: thresholds_wait([(512, 20, rate)], SEVEN, 137_000, margin).tolist()  # noqa: E731
    assert (at(10), at(22)) == ([1], [2])
    assert at(25, 0.0)[0] == min(n for n in range(1, 13) if wait_batch([(512, 20, 25)], [n], SEVEN)[1] < n / 25)
    with pytest.raises(NoThresholds):
        at(26.4)


def test_wait_interval():
    """Real thresholds r t satisfy the conditions at both ends of the interval and not outside."""
    types = [(300, 12, 9.0), (700, 6, 5.0)]
    low, high = wait_interval(types, SEVEN, 20_000)
    rates = np.array([9.0, 5.0])
    assert low == pytest.approx(equilibrium(types, SEVEN).dT)
    for t, fine in ((low * 1.000001, True), (high, True), (low * 0.99, False), (high * 1.01, False)):
        assert (not violated(conditions_wait(types, rates * t, SEVEN, 20_000))) == fine


def test_wait_refusals():
    """Too little memory, too many types, an impossible rate: which inequality, by how much, and what to use."""
    with pytest.raises(NoThresholds, match=r"no integer thresholds.*M\(n\) <= C.*violated by .* tokens; wait_capped"):
        thresholds_wait([(60, o, 0.1) for o in range(50, 550, 5)], SEVEN, 137_000)
    with pytest.raises(NoThresholds, match="no integer thresholds: unstable: per-token work takes"):
        thresholds_wait([(512, 20, 40.0)], SEVEN, 137_000)
    with pytest.raises(BadParameter, match="margin is -1"):
        thresholds_wait([(512, 20, 4.0)], SEVEN, 137_000, margin=-1)


def test_conditions_say_by_how_much():
    """A given threshold that is too small is named with both sides."""
    failing = violated(conditions_wait([(512, 20, 22.0)], [1], SEVEN, 10_000))
    assert [str(c).split(":")[0] for c in failing] == ["D(n) <= n_0/r_0", "M* <= M(n)", "M(n) <= C"]
    assert "10962 against 10000 tokens, violated by 962 tokens" in str(failing[2])


def test_segments_of_the_mixed_workload():
    """Two lengths: rates, survivors, widths and mean stages of serving.md 6.2."""
    parts = segments(MIXED)
    assert parts.cuts.tolist() == [20, 50]
    assert parts.rate == pytest.approx([23.0, 6.9])
    assert parts.share == pytest.approx([1.0, 0.3])
    assert parts.width.tolist() == [21, 30]
    assert parts.stage.tolist() == [10.0, 35.5]
    assert parts.tokens([1, 1]) == (512 + 10) * 21 + (512 + 35.5) * 30


def test_one_segment_is_wait():
    """With equal outputs, M(n) and D(n) of Nested WAIT are those of WAIT, on both clocks."""
    for clock in (SEVEN, ROOF):
        parts = segments([(512, 20, 22.0)])
        assert (parts.tokens([3]), parts.seconds([3], clock)) == pytest.approx(
            wait_batch([(512, 20, 22.0)], [3], clock)
        )


def test_all_segments_full_hold_a_stack_of_the_longest():
    """One in every stage of every segment: the tokens of one longest request, whatever the cuts."""
    for cuts in ([7, 90], [10, 40, 90], None):
        parts = segments([(30, 10, 1), (30, 40, 2), (30, 90, 1)], cuts)
        assert parts.tokens(np.ones(len(parts))) == 91 * (30 + 45)


def test_segments_merge_and_refuse():
    """Cuts nobody passes are merged; cuts that end too early or do not increase are refused."""
    assert segments(MIXED, [20, 60, 80]).cuts.tolist() == [20, 50]
    for cuts, message in (
        ([20, 40], "below the largest output 50"),
        ([20, 20, 50], "increasing"),
        ([0, 50], "increasing"),
    ):
        with pytest.raises(BadParameter, match=message):
            segments(MIXED, cuts)


def test_segment_prompts_are_the_largest_that_arrive():
    """Requests give their own largest prompt, not the mean of their type; short outputs do not count further up."""
    requests = Requests([900, 10, 100, 300], [5, 5, 9, 9], [0.0, 1.0, 2.0, 3.0])
    assert segments(requests).prompt.tolist() == [900.0, 300.0]


def test_buffer_by_hand():
    """(l_2 + r_1)(n_2 + ln(L (1 + T/d0)/delta)/theta_2); without the logarithm once n_2 >= n_1."""
    parts = segments(MIXED)
    log = math.log(2 * (1 + 100 / 0.0106) / 0.05)
    assert safety_buffer([10, 4], parts, SEVEN, 100, 0.05) == pytest.approx(
        532 * (4 + log / theta(4, 10, parts.share[1]))
    )
    assert safety_buffer([4, 4], parts, SEVEN, 100, 0.05) == 532 * 4


def test_nested_thresholds_of_the_mixed_workload():
    """mix_512 at 23: the first n_1 whose conditions hold; the one before fails its pace or its memory."""
    plan = plan_nested(MIXED, SEVEN, 137_000)
    n = plan.thresholds
    assert n[1] == math.floor(0.3 * n[0]) + 1
    assert not violated(conditions_nested(plan.segments, n, SEVEN, 137_000, margin=0.05, horizon=plan.horizon))
    for first in range(1, n[0]):
        before = [first, math.floor(0.3 * first) + 1]
        assert violated(conditions_nested(plan.segments, before, SEVEN, 137_000, margin=0.05, horizon=plan.horizon))
    assert plan.memory_needed <= 137_000
    assert thresholds_nested(MIXED, SEVEN, 137_000).tolist() == n.tolist()


def test_nested_refusals_name_the_inequality():
    """Too little memory or time: both sides and the gap, in one line."""
    with pytest.raises(NoThresholds, match=r"wait_capped.*D\(n\) < n_1/Lambda_1: .* violated by .* s"):
        thresholds_nested(MIXED, SEVEN, 20_000)
    with pytest.raises(NoThresholds, match=r"M\(n\) \+ buffer <= C: .* violated by .* tokens"):
        thresholds_nested([(512, 20, 14.0), (512, 50, 6.0)], SEVEN, 42_000)
    with pytest.raises(BadParameter, match="delta is 0"):
        thresholds_nested(MIXED, SEVEN, 137_000, delta=0)


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(1, 40), st.floats(0.1, 2.0)), min_size=1, max_size=5), clocks
)
def test_nested_thresholds_satisfy_their_conditions(types, clock):
    """Whatever the mix, thresholds that are returned satisfy every condition."""
    try:
        plan = plan_nested(types, clock, 60_000)
    except NoThresholds:
        return
    assert not violated(
        conditions_nested(plan.segments, plan.thresholds, clock, 60_000, plan.delta, plan.horizon, margin=0.05)
    )


def test_caps_from_a_token_budget():
    """Section 7: q_k = min(p_k + eta, 0.99), sum n_k width_k = budget, B_k = max(1, round(n_k width_k))."""
    found = caps_from_tokens([(10, 10, 1.0), (10, 20, 1.0)], 64)
    assert found.wanted[1] / found.wanted[0] == pytest.approx(0.55)
    assert found.wanted @ found.segments.width == pytest.approx(64)
    assert found.caps.tolist() == [43, 21]
    assert caps_from_tokens([(10, 10, 1.0), (10, 20, 1.0)], 0.5).caps.tolist() == [1, 1]


def test_caps_for_a_load_keep_pace():
    """The caps, as whole requests, take at most n_1/Lambda_1 per batch with the margin, and little less would not."""
    for clock in (SEVEN, ROOF):
        found = caps_for_load(MIXED, clock, 137_000)
        n, parts = found.thresholds, found.segments
        assert 1.05 * parts.seconds(n, clock) <= n[0] / parts.rate[0]
        # Of the real thresholds 3 % fewer would not keep up, or not once they are rounded.
        fewer = np.maximum(1, np.floor(0.97 * found.wanted * parts.width + 0.5)) / parts.width
        assert not (1.05 * parts.seconds(fewer, clock) <= fewer[0] / parts.rate[0]) or clock is ROOF


def test_caps_on_a_roofline_keep_up():
    """Where only some turns read a prompt, the caps for a load of one type serve it: nobody piles up."""
    load = [(512, 20, 22.0)]
    caps = caps_for_load(load, ROOF, 137_000).caps
    # From the turn with the mean prompt alone the cap would be smaller, too small for turns with a whole prompt.
    n = caps[0] / 21
    whole, more = int(n), n - int(n)
    turn = (1 - more) * batch_seconds(ROOF, n * 10_962, 512 * whole, 20 * n) + more * batch_seconds(
        ROOF, n * 10_962, 512 * (whole + 1), 20 * n
    )
    assert 1.05 * turn <= n / 22.0
    assert turn > batch_seconds(ROOF, n * 10_962, 512 * n, 20 * n)


def test_no_caps_for_too_much():
    """What needs more memory than there is, or more time than passes, is refused with the inequality that fails."""
    with pytest.raises(NoThresholds, match=r"no thresholds for wait_capped.*M\(n\) <= C"):
        caps_for_load(MIXED, SEVEN, 20_000)
    with pytest.raises(NoThresholds, match="per unit of n_1"):
        caps_for_load([(512, 20, 40.0)], SEVEN, 137_000)


def test_groups_of_types_share_a_threshold():
    """Types each in a group of its own are as without groups; of a group the rate is the sum, the batch the mean."""
    clock, types = Clock(0.0106, 4.01e-7), [(20, 100, 3.0), (20, 200, 2.0), (20, 300, 1.0)]
    apart = thresholds_wait(types, clock, 10**6)
    assert thresholds_wait(types, clock, 10**6, groups=[0, 1, 2]).tolist() == apart.tolist()
    together = int(thresholds_wait(types, clock, 10**6, groups=[0, 0, 0])[0])
    mean = sum(rate / 6 * (o + 1) * (prompt + o / 2) for prompt, o, rate in types)
    seconds = [clock.d0 + clock.d1 * mean * n for n in (together - 1, together)]
    assert together > 6 * 1.05 * seconds[1]
    assert together == 1 or together - 1 <= 6 * 1.05 * seconds[0]
    with pytest.raises(BadParameter, match="group 1 has no type"):
        thresholds_wait(types, clock, 10**6, groups=[0, 2, 2])


def test_caps_keep_up_in_every_segment():
    """Rounding leaves no segment behind: each lets its requests through faster than they come."""
    clock, cuts = Clock.preset("a100-llama2-7b-roofline"), (21, 41, 72, 118, 175, 236, 318, 500)
    types = [(59, o, 10 / 500) for o in range(1, 501)]
    found = caps_for_load(types, clock, 137_000, cuts)
    turns = found.thresholds / found.segments.rate
    assert turns.min() >= 1.05 * found.segments.seconds(found.thresholds, clock)
