"""The chain of bounds: every lower bound is below the next, below the optimum, below every schedule."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from bounds_cases import dual_twin, instances
from hypothesis import given, settings
from hypothesis import strategies as st

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter, UnknownName
from lowerbounds import CLOSED_FORMS, best_closed_form, bound, brute_force, dual, lp, prices
from lowerbounds.ascent import ascend, memory_used
from lowerbounds.classes import group
from lowerbounds.closed_form import closed_form
from lowerbounds.decode import decode
from lowerbounds.exact_sums import exact_dot, exact_sum, sum_fractions
from lowerbounds.horizon import busy_horizon
from lowerbounds.recheck_closed import closed_form_value
from lowerbounds.recheck_dual import dual_numerator

SLACK = Fraction(1, 2**30)


@given(instances(max_requests=40, max_memory=60, latest=60))
def test_chain_of_closed_forms(inst):
    """LB1 <= LB1r <= LB1*; LB1 <= LB2 <= LB2r <= LB4r; LB2 <= LB4 <= LB4r; LB3 <= LB3r (rounding aside)."""
    v = {name: closed_form(inst, name).value for name in CLOSED_FORMS}
    for chain in (("LB1", "LB1r", "LB1*"), ("LB1", "LB2", "LB2r", "LB4r"), ("LB2", "LB4", "LB4r"), ("LB3", "LB3r")):
        for low, high in itertools.pairwise(chain):
            assert v[low] <= v[high] + SLACK, (low, high)
    if inst.is_batch:
        assert v["LB4"] == v["LB2"]
        assert v["LB4r"] == v["LB2r"]
        assert v["LB3"] == v["LB1"]


@given(instances(max_requests=6, max_memory=14))
def test_all_below_the_optimum(inst):
    """Every closed form, dual and LP value is at most the optimum, and every decoded order at least."""
    cost, _ = brute_force(inst)
    classes = group(inst)
    for name in CLOSED_FORMS:
        assert closed_form(inst, name).integer <= cost
    for make in (prices.batch_prices, prices.released_prices, prices.potential_prices):
        exact = dual.integer_prices(make(inst), classes)
        assert dual.evaluate(classes, exact).lower <= cost
        assert dual.evaluate_box(classes, exact).lower <= cost
    for order in (np.arange(inst.n), np.argsort(inst.volume, kind="stable")):
        assert decode(inst, order)[0] >= cost


@settings(max_examples=40)
@given(instances(max_requests=10, max_memory=20))
def test_below_the_lp(inst):
    """LB4r and every dual value are at most the LP, the LP's own duals attain it, the box does not lower it."""
    classes = group(inst)
    horizon = int(busy_horizon(classes)[0])
    solution, value = lp.solve_to_the_end(classes, horizon)
    assert float(closed_form(inst, "LB4r").value) <= solution.value + 1e-6
    assert value.value <= solution.value + 1e-6
    assert value.value >= solution.value - 1e-3 * max(1.0, solution.value)
    for make in (prices.batch_prices, prices.released_prices, prices.potential_prices):
        assert dual.evaluate(classes, dual.integer_prices(make(inst), classes)).value <= solution.value + 1e-6
    assert lp.solve_to_the_end(classes, horizon, box=True)[0].value >= solution.value - 1e-6


@given(instances(max_requests=30, max_memory=40, latest=40))
def test_closed_form_prices_reach_mean_busy_times(inst):
    """The dual at the potential prices is at least LB4 (LB2 in a batch), up to the rounding of the prices."""
    classes = group(inst)
    value = dual.evaluate(classes, dual.integer_prices(prices.potential_prices(inst), classes))
    assert value.value >= float(closed_form(inst, "LB4").value) - 1e-4 * inst.n


@given(instances(max_requests=30, max_memory=40, batch=True))
def test_price_formulas_agree_in_a_batch(inst):
    """Without arrivals the three price formulas are one."""
    expected = prices.batch_prices(inst)
    np.testing.assert_allclose(prices.released_prices(inst), expected, atol=1e-9)
    np.testing.assert_allclose(prices.potential_prices(inst), expected, atol=1e-9)


@given(instances(max_requests=12, max_memory=15, latest=20), st.lists(st.integers(0, 300), max_size=30), st.data())
def test_dual_evaluation(inst, numerators, data):
    """All ways to minimise (scan, hull, tree, the verifier's) give the value of the definition."""
    if data.draw(st.booleans(), label="falling"):
        numerators = sorted(numerators, reverse=True)
    exact = dual.Prices(np.array(numerators, dtype=np.int64), 128)
    expected = dual_twin(inst, numerators, 128)
    classes = group(inst)
    with pytest.MonkeyPatch.context() as patch:
        for step in (0.0, 8.0, 1e18):
            patch.setattr(dual, "TREE_STEP", step)
            value = dual.evaluate(classes, exact)
            assert value.numerator == expected
            for c in range(len(classes)):
                costs = dual.start_costs(classes, exact, c, max(int(classes.arrival[c]), len(numerators)))
                assert value.best_start[c] == classes.arrival[c] + int(costs.argmin())
    assert dual_numerator(inst, exact.numerators, 128, box=False) == expected
    boxed = dual.evaluate_box(classes, exact)
    assert boxed.numerator >= expected
    assert dual_numerator(inst, exact.numerators, 128, box=True) == boxed.numerator


@given(instances(max_requests=60, max_memory=30, batch=True))
def test_hull_of_lines(inst):
    """The hull for falling prices agrees with the scan, class by class, down to the earliest best start."""
    classes = group(inst)
    exact = dual.integer_prices(prices.batch_prices(inst), classes)
    T, Q = len(exact.numerators), exact.denominator
    sums, moments = dual._prefix_sums(exact)
    heads = np.append(np.flatnonzero(np.append(True, np.diff(classes.output) != 0)), len(classes))
    out = [np.empty(len(classes), np.int64) for _ in range(4)]
    dual._hulls(heads, classes.prompt, classes.output, 0, T, Q, sums, moments, out[0], out[1])
    dual._scan(classes.arrival, classes.prompt, classes.output, T, Q, sums, moments, out[2], out[3])
    np.testing.assert_array_equal(out[0], out[2])
    np.testing.assert_array_equal(out[1], out[3])


@settings(max_examples=20)
@given(instances(max_requests=10, max_memory=20))
def test_ascent(inst):
    """Ascent never falls below its start nor rises above the LP."""
    classes = group(inst)
    rates = prices.potential_prices(inst)
    start = dual.evaluate(classes, dual.integer_prices(rates, classes)).value
    upper, _ = decode(inst, np.argsort(inst.volume, kind="stable"))
    value = ascend(classes, rates, upper, 60, float("inf")).value
    top = lp.solve_to_the_end(classes, int(busy_horizon(classes)[0]))[0].value
    assert start <= value <= top + 1e-6


def test_memory_used():
    """Memory of starts past the last price is left out, that inside is counted in full."""
    inst = Instance(prompt=[2, 2, 0], output=[3, 3, 2], arrival=[0, 0, 5], memory=20)
    classes = group(inst)
    starts = np.where(classes.output == 3, 1, 5)
    assert memory_used(classes, starts, 6).tolist() == [0, 6, 8, 10, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 2**60), st.integers(1, 2**40)), max_size=80))
def test_sums(terms):
    """Sums are exact or, with many denominators, below the truth by less than one unit of the rounding each."""
    numerators = np.array([t for t, _ in terms], dtype=np.int64)
    denominators = np.array([d for _, d in terms], dtype=np.int64)
    truth = sum((Fraction(t, d) for t, d in terms), Fraction(0))
    for kind in (np.int64, object):
        total = sum_fractions(numerators.astype(kind), denominators)
        assert truth - len(terms) * Fraction(1, 2**40) <= total.value <= truth
        assert total.bits or total.value == truth
    assert exact_sum(numerators) == sum(t for t, _ in terms)
    counts = np.arange(len(terms), dtype=np.int64)
    assert exact_dot(counts, numerators) == sum(k * t for k, (t, _) in enumerate(terms))


def test_large_volumes_stay_exact():
    """Values near the edge of int64 take the path of Python integers and agree with the verifier."""
    big = 2**29
    inst = Instance(prompt=[big, 0, 5, big], output=[big, 3, big, 1], arrival=[0, 7, 0, 100], memory=2 * big)
    for name in CLOSED_FORMS:
        value = closed_form(inst, name)
        assert closed_form_value(inst, name) == (value.value, value.bits)


def test_rounded_sums_say_so():
    """With many denominators the certificate carries the rounding, and the verifier repeats it to the bit."""
    rng = np.random.default_rng(1)
    inst = Instance(
        prompt=rng.integers(0, 900, 400),
        output=rng.integers(1, 900, 400),
        memory=4000,
        arrival=rng.integers(0, 900, 400),
    )
    value = closed_form(inst, "LB4r")
    assert value.bits > 0
    assert closed_form_value(inst, "LB4r") == (value.value, value.bits)
    assert best_closed_form(inst).integer == max(closed_form(inst, name).integer for name in CLOSED_FORMS)


@settings(max_examples=25)
@given(instances(max_requests=6, max_memory=12))
def test_flow_is_completion_less_arrivals(inst):
    """For every method the flow bound is the completion bound minus the sum of arrivals."""
    shift = int(inst.arrival.sum())
    for method in ("best", "lp", "lagrangian", "squashed_area", "mean_busy_time", "srpt", "latency", "exact"):
        completion, flow = bound(inst, method), bound(inst, method, objective="flow")
        assert completion.lower - flow.lower == shift
        assert (completion.upper is None and flow.upper is None) or completion.upper - flow.upper == shift


def test_unknown_names_and_bad_prices():
    """Unknown closed forms and prices that are negative, infinite or too large are refused."""
    inst = Instance(prompt=[1], output=[2], memory=4)
    classes = group(inst)
    with pytest.raises(UnknownName, match="LB9"):
        closed_form(inst, "LB9")
    for rates in ([-1.0], [np.inf], [1e300]):
        with pytest.raises(BadParameter, match="prices"):
            dual.integer_prices(np.array(rates), classes)
    with pytest.raises(BadParameter, match=">= 0"):
        dual.evaluate(classes, dual.Prices(np.array([-1]), 4))
    with pytest.raises(BadParameter, match="too large"):
        dual.evaluate(classes, dual.Prices(np.array([2**61]), 4))
