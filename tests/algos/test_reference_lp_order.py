"""LP orders on the reference engine, with a small linear program of its own in place of the one of lowerbounds."""

import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from algos.reference import schedule
from algos.reference.engine import Problem
from algos.reference.lp_order import fractional_starts
from kvratio.problem import Instance, check
from kvratio.problem.errors import BadParameter


def starts_lp(inst: Instance, horizon: int) -> list[float]:
    """Solve the time-indexed relaxation of docs/bounds.md section 2 and return sum_t t x_it for each request."""
    columns = [(i, t) for i in range(inst.n) for t in range(horizon - int(inst.output[i]) + 1)]
    memory = np.zeros((horizon, len(columns)))
    once = np.zeros((inst.n, len(columns)))
    for c, (i, t) in enumerate(columns):
        once[i, c] = 1
        for r in range(t + 1, t + int(inst.output[i]) + 1):
            memory[r - 1, c] = inst.prompt[i] + r - t
    answer = linprog(
        [t + inst.output[i] for i, t in columns], memory, [inst.memory] * horizon, once, [1] * inst.n, bounds=(0, 1)
    )
    assert answer.status == 0
    starts = [0.0] * inst.n
    for (i, t), x in zip(columns, answer.x, strict=True):
        starts[i] += t * x
    return starts


@pytest.fixture(autouse=True)
def _own_program(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("lowerbounds.lp")
    module.starts_lp = starts_lp  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lowerbounds.lp", module)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    """Draw a small instance with arrivals and wrong predictions."""
    memory, n = draw(st.integers(2, 12)), draw(st.integers(1, 5))
    some = {"min_size": n, "max_size": n}
    peak = draw(st.lists(st.integers(1, memory), **some))
    prompt = [draw(st.integers(0, p - 1)) for p in peak]
    return Instance(
        prompt=prompt,
        output=[p - s for p, s in zip(peak, prompt, strict=True)],
        memory=memory,
        arrival=draw(st.lists(st.integers(0, 6), **some)),
        predicted=draw(st.lists(st.integers(1, memory), **some)),
    )


@pytest.mark.parametrize("policy", ["sorted_lp", "lp_swap"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(inst=instances())
def test_feasible_with_arrivals_and_wrong_predictions(policy: str, inst: Instance) -> None:
    """Each batch gets its own program, made of predictions, and the schedule passes the checker."""
    check(inst, schedule(inst, policy))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(inst=instances())
def test_lp_swap_costs_no_more_than_sorted_f(inst: Instance) -> None:
    """With exact lengths in a batch no swap may raise the cost of sorted_f's order."""
    exact = inst.replace(arrival=None, predicted=None)
    assert schedule(exact, "lp_swap").total_completion <= schedule(exact, "sorted_f").total_completion


def test_keys_by_hand() -> None:
    """Two requests that fill the memory for one round each start at 0 and 1 in any split: the keys sum to 1."""
    problem = Problem(4, [3, 3], [1, 1], [0, 0], [1, 1], [1, 1], [1, 1])
    assert sum(fractional_starts(problem)) == pytest.approx(1)


def test_large_batches_are_refused() -> None:
    """More than 200 requests in a batch are an error, not an endless program."""
    with pytest.raises(BadParameter, match="200"):
        schedule(Instance(prompt=[0] * 201, output=[1] * 201, memory=300), "sorted_lp")
