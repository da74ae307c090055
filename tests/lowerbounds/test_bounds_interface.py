"""`bound` as users meet it: limits, objectives, options, errors, extreme input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from golden_bounds import INSTANCES, requests

from kvratio.problem import Instance, Schedule
from kvratio.problem.errors import BadParameter, InfeasibleSchedule, SolverError, UnknownName
from lowerbounds import METHODS, bound, dual, lp, milp, starts_lp
from lowerbounds.classes import group
from lowerbounds.lp import solver_version


def true_interval(inst: Instance, method: str = "best", **options):
    """Return a bound after checking that it is what it says."""
    answer = bound(inst, method, **options)
    answer.verify()
    assert answer.upper is None or answer.lower <= answer.upper
    return answer


@pytest.mark.parametrize(
    ("inst", "optimum"),
    [
        (Instance(prompt=[3], output=[4], memory=7, arrival=[5]), 9),
        (Instance(prompt=[0] * 5, output=[1] * 5, memory=1), 15),
        (Instance(prompt=[0, 0], output=[1, 1], memory=1, arrival=[0, 10**9]), 10**9 + 2),
        (Instance(prompt=[4, 3, 2, 1], output=[1, 2, 3, 4], memory=5), 1 + 3 + 6 + 10),
        (Instance(prompt=[2] * 6, output=[1] * 6, memory=9), 2 * (1 + 2) + 3),
        (Instance(prompt=[6, 0], output=[1, 7], memory=7, arrival=[1, 0]), 2 + 9),
    ],
    ids=["n=1", "M=1", "far apart", "serial", "pure packing", "one behind the other"],
)
def test_limits(inst, optimum):
    """Limit cases have their optimum, by every complete method."""
    for method in ("best", "brute", "exact"):
        answer = true_interval(inst, method)
        assert (answer.lower, answer.upper) == (optimum, optimum) or len(inst) == 2


def test_a_million_copies():
    """10^6 copies of one request give a true interval without trying what cannot be done; 10^4 a narrow one."""
    few = Instance(prompt=np.full(10**4, 5), output=np.full(10**4, 3), memory=400)
    narrow = true_interval(few, solver=None)
    assert narrow.upper < 1.04 * narrow.lower
    inst = Instance(prompt=np.full(10**6, 5), output=np.full(10**6, 3), memory=4000)
    answer = true_interval(inst, time_limit=1)
    for method in ("squashed_area", "mean_busy_time", "srpt", "latency"):
        assert true_interval(inst, method).lower <= answer.upper


@pytest.mark.parametrize("name", INSTANCES)
def test_time_limit_zero(name):
    """Time limit 0 still gives a true interval with a schedule."""
    answer = true_interval(INSTANCES[name], time_limit=0, objective="flow")
    assert answer.upper is not None


@pytest.mark.parametrize("method", ["milp", "lp", "exact", "lagrangian"])
def test_time_limit_zero_by_method(method):
    """With no time at all each method gives a true interval."""
    rng = np.random.default_rng(0)
    inst = Instance(prompt=rng.integers(0, 6, 30), output=rng.integers(1, 30, 30), memory=40)
    assert true_interval(inst, method, time_limit=0).status == "interval"


def test_huge_arrivals():
    """Arrivals of 10^12 fall into parts of their own, each with its prices."""
    rng = np.random.default_rng(1)
    inst = Instance(prompt=[1] * 20, output=[4] * 20, memory=9, arrival=rng.integers(0, 10**12, 20))
    assert true_interval(inst).status == "optimal"
    crowded = Instance(prompt=[1] * 40, output=[4] * 40, memory=9, arrival=[0] * 20 + [10**12] * 20)
    assert true_interval(crowded, time_limit=3).lower >= 20 * 10**12
    assert true_interval(crowded, "lagrangian", time_limit=3).lower >= 20 * 10**12


def test_schedules_reduce_the_upper_side():
    """A better schedule from the caller, or the instance's witness, becomes the upper side."""
    inst = requests(
        [(0, s, o) for s, o in ((2, 5), (2, 1), (2, 3), (2, 2), (3, 4), (1, 6), (2, 2), (1, 1), (0, 7))], 12
    )
    exact = bound(inst, "exact")
    poor = bound(inst, "srpt")
    assert poor.upper is None
    assert bound(inst, "srpt", schedules=[exact.schedule]).upper == exact.upper
    with_witness = inst.replace(witness=exact.schedule.start)
    assert true_interval(with_witness, "latency").upper == exact.upper


def test_bad_schedules_are_refused():
    """Infeasible schedules, schedules of other instances and things that are no schedules are refused."""
    inst = INSTANCES["C"]
    with pytest.raises(InfeasibleSchedule, match="memory"):
        bound(inst, schedules=[Schedule.from_starts(inst, [0] * inst.n)])
    with pytest.raises(BadParameter, match="requests"):
        bound(inst, schedules=[Schedule.from_starts(INSTANCES["G"], [0] * 16)])
    with pytest.raises(BadParameter, match="Schedule objects"):
        bound(inst, schedules=[[0] * inst.n])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"method": "magic"}, UnknownName, "choose one of"),
        ({"objective": "makespan"}, BadParameter, "completion or flow"),
        ({"time_limit": -1.0}, BadParameter, "time_limit"),
        ({"time_limit": float("nan")}, BadParameter, "time_limit"),
        ({"time_limit": None}, BadParameter, "time_limit"),
        ({"work_limit": 1.5}, BadParameter, "work_limit"),
        ({"solver": "cplex"}, BadParameter, "highs, cbc, both or None"),
        ({"method": "milp", "solver": "cplex"}, BadParameter, "highs, cbc or both"),
        ({"method": "lp", "solver": "highs"}, BadParameter, "no option 'solver'"),
        ({"method": "brute", "limit": 3}, BadParameter, "limit=3"),
    ],
)
def test_bad_use(options, error, words):
    """Wrong methods, objectives, limits and options are one clear line."""
    with pytest.raises(error, match=words) as caught:
        bound(INSTANCES["C"], **options)
    with pytest.raises(BadParameter, match="give an Instance"):
        bound([1, 2])
    assert "\n" not in str(caught.value)


def test_methods_are_those_promised():
    """All methods of the interface exist."""
    promised = {
        "brute",
        "exact",
        "milp",
        "lp",
        "lagrangian",
        "squashed_area",
        "mean_busy_time",
        "srpt",
        "latency",
        "best",
    }
    assert set(METHODS) == promised


def test_starts_lp():
    """LP keys are mean starts per class: equal for identical requests, within the horizon, with a named solver."""
    inst = INSTANCES["C"]
    keys = starts_lp(inst, 10)
    assert keys.shape == (inst.n,)
    assert len(set(keys[:4])) == len(set(keys[4:])) == 1
    assert (keys >= 0).all()
    assert (keys + inst.output <= 10 + 1e-9).all()
    assert "HiGHS" in solver_version()
    with pytest.raises(SolverError, match="horizon"):
        starts_lp(inst, 3)
    with pytest.raises(BadParameter, match="more than 3000000 entries"):
        starts_lp(Instance(prompt=[0] * 500, output=np.arange(1, 501), memory=600), 40_000)


def test_alpha_points():
    """What the LP has started by a share alpha comes later for larger alpha, and copies come one after another."""
    inst = Instance(prompt=[1, 1, 1, 5, 5], output=[4, 4, 4, 2, 2], memory=9, arrival=[0, 0, 0, 1, 0])
    classes = group(inst)
    solution, _ = lp.solve_to_the_end(classes, 20)
    points = np.array([lp.alpha_points(solution, alpha) for alpha in (0.1, 0.4, 0.6, 0.9)])
    assert (np.diff(points, axis=0) >= 0).all()
    assert (points >= inst.arrival).all()
    assert (points + inst.output <= solution.program.rounds).all()
    assert (np.diff(points[:, :3], axis=1) >= 0).all()


def test_a_solver_that_denies_an_optimum_is_not_believed(monkeypatch):
    """Windows contain an optimum, so a solver that calls the program infeasible has failed."""
    inst = Instance(prompt=[2, 2, 2, 2, 3], output=[1, 4, 7, 9, 3], memory=13)
    answer = milp.Answer("highs", "0", "infeasible", None, None, None, 0.0)
    monkeypatch.setattr(milp, "solve", lambda *_: answer)
    with pytest.raises(SolverError, match="contains an optimum"):
        bound(inst, "milp")
    assert true_interval(inst, "best").status == "optimal"


def test_prices_beyond_int64_give_way_to_closed_forms(monkeypatch):
    """Where no denominator brings prices inside int64, the strongest closed form is certified instead."""
    monkeypatch.setattr(dual, "SAFE", 16)
    for inst in (INSTANCES["C"], INSTANCES["B"]):
        answer = true_interval(inst, "lagrangian")
        assert answer.certificates[1].kind.startswith("LB")
    with pytest.raises(dual.PricesTooLarge):
        dual.integer_prices(np.ones(100), group(inst))


def test_importing_costs_no_solver():
    """Importing the package loads neither numba nor a solver."""
    code = "import lowerbounds, sys; print([m for m in ('numba', 'pulp', 'highspy', 'scipy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_same_seed_same_bound():
    """The same call gives the same bound, certificates included, whatever the clock."""
    rng = np.random.default_rng(9)
    inst = Instance(prompt=rng.integers(0, 9, 60), output=rng.integers(1, 30, 60), memory=90)
    first, second = (bound(inst, "lagrangian", seed=3, time_limit=limit) for limit in (100, 200))
    assert first == second
