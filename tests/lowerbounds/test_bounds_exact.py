"""Exact optima of tiny instances: three ways that share nothing agree, and horizons never cut an optimum off."""

from __future__ import annotations

import numpy as np
import pytest
from bounds_cases import instances, optimum_twin
from hypothesis import given, settings

from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter, SolverError
from lowerbounds import best_closed_form, bound, brute_force, dual, lp, milp, prices
from lowerbounds.classes import group
from lowerbounds.decode import decode
from lowerbounds.horizon import busy_horizon, latest_completions
from lowerbounds.program import build, count_nonzeros, keep


@settings(max_examples=40)
@given(instances(max_requests=3, max_memory=5, latest=4))
def test_brute_force_is_exhaustive(inst):
    """Brute force equals the least cost over all start times."""
    cost, starts = brute_force(inst)
    check(inst, Schedule.from_starts(inst, starts))
    assert cost == int((starts + inst.output).sum()) == optimum_twin(inst)


@settings(max_examples=40)
@given(instances(max_requests=6, max_memory=14))
def test_solvers_agree_with_brute_force(inst):
    """HiGHS and CBC, with and without price fixing, find brute force's optimum."""
    cost, _ = brute_force(inst)
    for solver in ("highs", "cbc"):
        for fix_prices in (True, False):
            answer = bound(inst, "milp", solver=solver, fix_prices=fix_prices)
            assert (answer.lower, answer.upper) == (cost, cost)
            answer.verify()


@settings(max_examples=20)
@given(instances(max_requests=6, max_memory=12))
def test_horizons_keep_the_optimum(inst):
    """Each rule T1 to T4 alone leaves the optimum, solved without a warm start."""
    cost, starts = brute_force(inst)
    classes = group(inst)
    for rules in (("T1",), ("T2",), ("T3",), ("T1", "T2", "T3")):
        latest = latest_completions(inst, cost + 2, rules)
        # Every completion of an optimal schedule respects the caps.
        assert (starts + inst.output <= latest[classes.of]).all()
        latest = np.minimum(latest, busy_horizon(classes))
        assert milp.solve(inst, build(classes, latest)).cost == cost
    program = build(classes, busy_horizon(classes))
    for rates in (prices.potential_prices(inst), lp.solve(classes, program.rounds).prices):
        value = dual.evaluate(classes, dual.integer_prices(rates, classes))
        useful = dual.keeps_optimum(classes, value, program.cls, program.start, cost)
        assert milp.solve(inst, keep(program, useful)).cost == cost


def test_a_thousand_tiny_instances():
    """On a thousand instances brute force gives a feasible schedule between the closed forms and the list schedule."""
    rng = np.random.default_rng(7)
    for _ in range(1000):
        M = int(rng.integers(2, 14))
        n = int(rng.integers(1, 7))
        prompt = rng.integers(0, M, n)
        output = np.array([rng.integers(1, M - s + 1) for s in prompt])
        inst = Instance(prompt=prompt, output=output, memory=M, arrival=rng.integers(0, 10, n) * rng.integers(0, 2))
        cost, starts = brute_force(inst)
        check(inst, Schedule.from_starts(inst, starts))
        assert best_closed_form(inst).integer <= cost <= decode(inst, np.argsort(inst.volume, kind="stable"))[0]


def test_far_arrivals():
    """Gaps between arrivals are jumped, and the optimum is the sum of its parts."""
    inst = Instance(prompt=[1, 2, 0, 3], output=[4, 3, 5, 2], arrival=[0, 1, 10**9, 10**9 + 1], memory=6)
    cost, starts = brute_force(inst)
    parts = [inst.subset([0, 1]), inst.subset([2, 3])]
    assert cost == sum(brute_force(part)[0] for part in parts)
    check(inst, Schedule.from_starts(inst, starts))


def test_brute_force_says_what_it_cannot_do():
    """Too many requests, or too little work allowed, is one clear error."""
    inst = Instance(prompt=[1] * 9, output=[3] * 9, memory=8)
    with pytest.raises(BadParameter, match="at most limit=8"):
        brute_force(inst)
    hard = Instance(prompt=[2, 3, 1, 4, 5, 2, 1, 3], output=[30, 17, 25, 9, 33, 21, 14, 28], memory=41)
    with pytest.raises(SolverError, match="raise time_limit"):
        brute_force(hard, time_limit=0.0)


def test_solver_stopped_early_is_an_interval():
    """A solver stopped at a node or time limit gives an interval, whatever PuLP calls its status."""
    rng = np.random.default_rng(3)
    inst = Instance(prompt=rng.integers(0, 6, 20), output=rng.integers(1, 16, 20), memory=40)
    for options in ({"nodes": 1}, {"nodes": 1, "solver": "cbc"}):
        answer = bound(inst, "milp", time_limit=20, **options)
        answer.verify()
        assert answer.lower < answer.upper
        assert answer.status == "interval"


def test_answers_repeat_under_a_node_limit():
    """With a limit on work instead of time the whole bound repeats, certificates included."""
    rng = np.random.default_rng(4)
    inst = Instance(prompt=rng.integers(0, 6, 12), output=rng.integers(1, 12, 12), memory=30)
    assert bound(inst, nodes=2, time_limit=120) == bound(inst, nodes=2, time_limit=90)


def test_too_large_programs_are_refused():
    """The integer program is not even written when it has too many entries."""
    inst = Instance(prompt=np.arange(300) % 7, output=1 + np.arange(300) % 40, memory=50)
    classes = group(inst)
    assert count_nonzeros(classes, busy_horizon(classes)) == build(classes, busy_horizon(classes)).nonzeros
    with pytest.raises(SolverError, match="entries"):
        bound(inst, "milp", time_limit=5, max_nonzeros=1000)
    with pytest.raises(SolverError, match="entries"):
        bound(inst, "lp", time_limit=5, max_nonzeros=1000)
