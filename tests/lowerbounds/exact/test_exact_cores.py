"""Prices of core rows: valid rows, derivatives, equal bytes, and proofs that replay."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from exact_tiny import enumerate_optimum, random_tiny
from test_exact_ascend import medium, prepare

from kvratio.problem import Instance
from lowerbounds.closed_form import best_closed_form
from lowerbounds.exact import course, search
from lowerbounds.exact.cores import CoreDual
from lowerbounds.exact.replay import replay
from lowerbounds.exact.root import price_cores
from lowerbounds.prices import potential_prices


@pytest.mark.parametrize("arrivals", [False, True])
def test_value_is_never_above_the_optimum(arrivals: bool) -> None:
    """The exact value of the prices is at most the enumerated optimum and at least that of the closed form."""
    raised = 0
    for k in range(600, 690):
        inst = random_tiny(k, arrivals)
        optimum = enumerate_optimum(inst)
        jobs, root, _ = prepare(inst, optimum)
        before, Q = root.table.value, root.table.denominator
        root = price_cores(jobs, root, potential_prices(inst), optimum, math.inf, root.table.last, 0.5)
        assert before <= root.table.value <= optimum * Q, f"instance {k}"
        raised += root.table.value > before
    assert raised > 30


def test_rows_hold_for_all_sets_that_fit() -> None:
    """No set of states that fits from now on exceeds a core row, for every size and level in use."""
    for seed in range(3):
        inst = medium(seed, 5, False)
        jobs, root, _ = prepare(inst, 10**6)
        dual = CoreDual(jobs, root.allowed, 1)
        price = np.ones((len(dual.cores) + 1, 2))
        rows, _ = dual.as_rows(price * np.array([[0.0, 1.0]]))
        assert len(rows) == len(dual.cores) + 1
        ages = [range(int(o) + 1) for o in jobs.output[:4]]
        for age in itertools.islice(itertools.product(*ages), 0, None, 3):
            active = [j for j in range(4) if age[j]]
            states = [int(jobs.state_of[jobs.offset[j] + age[j] - 1]) for j in active]
            m, r = jobs.state_memory[states], jobs.state_left[states]
            if all(int((m + u)[r >= u].sum()) <= jobs.memory for u in r.tolist()):
                for row in rows:
                    assert row.weight[states].sum() <= row.rhs


def test_prefix_sums_agree_with_rows_and_slope_is_the_derivative() -> None:
    """Intervals of ages charge what the rows charge; difference quotients agree with the slope."""
    jobs, root, _ = prepare(medium(3, 6, True), 10**6)
    rounds = root.table.last
    dual = CoreDual(jobs, root.allowed, rounds)
    rng = np.random.default_rng(4)
    price = rng.random(dual.use.shape)
    price[:, 0] = 0.0
    rows, prices = dual.as_rows(price)
    paid = np.zeros((rounds + 1, len(jobs.state_left)))
    for row, p in zip(rows, prices, strict=True):
        paid[row.t] += p * row.weight
    dual.evaluate(price)
    for k, j in enumerate(jobs.first_of_kind.tolist()):
        o = int(jobs.output[j])
        for C in np.flatnonzero(root.allowed[j]).tolist():
            states = jobs.state_of[jobs.offset[j] : jobs.offset[j + 1]]
            run = C + sum(paid[C - o + a, states[a - 1]] for a in range(1, o + 1))
            assert dual.reduced[k, C] == pytest.approx(run)
    value = dual.smooth(price, 0.7)
    slope = dual.slope.copy()
    assert value <= dual.evaluate(price) + 1e-9
    step = 1e-5
    for _ in range(20):
        k, t = int(rng.integers(len(price))), int(rng.integers(1, rounds + 1))
        moved = price.copy()
        moved[k, t] += step
        up = dual.smooth(moved, 0.7)
        moved[k, t] -= 2 * step
        assert (up - dual.smooth(moved, 0.7)) / (2 * step) == pytest.approx(slope[k, t], abs=1e-4)


def test_two_stages_agree_in_every_byte() -> None:
    """Equal calls give equal prices, better than where they began."""
    inst = medium(2, 12, True)
    jobs, root, _ = prepare(inst, 10**6)
    ends = []
    for _ in range(2):
        dual = CoreDual(jobs, root.allowed, root.table.last)
        start = dual.start(potential_prices(inst))
        ends.append(dual.stage(start, 60, 0.5, math.inf))
        assert ends[-1].value > start.value
    assert ends[0].W.tobytes() == ends[1].W.tobytes()


def test_proofs_from_core_rows_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no LP is solved, proofs of tiny instances rest on core rows, and the independent replay accepts them."""
    monkeypatch.setattr(course, "ENTRIES", 0)
    cores = 0
    for k in range(800, 815):
        inst = random_tiny(k, True)
        result = search(inst, time_limit=30)
        assert result.lower == result.upper == enumerate_optimum(inst)
        if result.proof is not None:
            cores += sum(row[3] != "memory" for stage in result.proof["stages"] for row in stage["rows"])
            replay(inst, result.proof)
    assert cores > 0


def test_no_lp_where_it_could_not_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded size with long runs is priced without any LP, far above the closed forms."""
    monkeypatch.setattr(course, "improve", None)
    rng = np.random.default_rng([16, 150])
    s = rng.integers(1, 11, 16)
    inst = Instance(s, [int(rng.integers(1, 150 - x + 1)) for x in s], 150)
    result = search(inst, time_limit=4, work_limit=1)
    assert result.lower > 1.2 * best_closed_form(inst).integer
    assert result.lower <= result.upper
