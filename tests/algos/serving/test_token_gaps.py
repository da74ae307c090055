"""Every gap between tokens: kept on demand, request after request, in leaps and in single steps."""

import numpy as np
import pytest

from algos.serving import policy_ids, simulate
from algos.serving.unconditional import OutsideConditions
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests, Type

CLOCK = Clock(0.01, 1e-5, 1e-4, swap=1e-5)
LOAD = Requests(
    [5, 40, 7, 60, 8, 9],
    [30, 1, 44, 12, 90, 25],
    [0.0, 0.0, 0.1, 0.15, 0.4, 2.5],
    kind=[0] * 6,
    types=[Type(20, 90, 2.0)],
)


@pytest.mark.parametrize("policy", policy_ids())
@pytest.mark.parametrize("memory", [5000, 130])
def test_gaps_add_up(policy, memory):
    """A completed request has o - 1 gaps; they add up to its time from first to last token, the longest is max_gap."""
    given = {"wait": {"thresholds": (1,)}, "nested_wait": {"cuts": (90,), "thresholds": (1,)}}
    given["wait_capped"] = {"cuts": (90,), "caps": (4,)}
    run = simulate(LOAD, policy, CLOCK, memory, gaps=True, cut=400.0, **given.get(policy, {}))
    assert run.completed.any()
    for i in np.flatnonzero(run.completed):
        gaps = run.token_gaps(np.arange(LOAD.n) == i)
        assert len(gaps) == LOAD.output[i] - 1
        assert gaps.sum(dtype=float) == pytest.approx(run.completion[i] - run.first_token[i], rel=1e-5, abs=1e-9)
        if len(gaps):
            assert gaps.max() == pytest.approx(run.max_gap[i], rel=1e-6)
    assert len(run.token_gaps()) == (LOAD.output - 1)[run.completed].sum()


def test_a_restart_forgets_the_gaps_of_its_attempt():
    """Only the attempt that completes counts: with one second an iteration every gap of it is one second."""
    both = Requests([2, 2], [3, 3], [0.0, 0.0])
    run = simulate(both, "fcfs", Clock(1.0, 0.0), 8, gaps=True)
    assert run.counters["evictions"] == 1
    assert run.token_gaps().tolist() == [1.0] * 4
    again = simulate(both, "fcfs", Clock(1.0, 0.0), 8, "recompute", gaps=True)
    assert sorted(again.token_gaps().tolist()) == [1.0, 1.0, 1.0, 3.0]  # the end of the other and a prefill


def test_gaps_are_kept_on_demand_only():
    """Without being asked a run keeps none and says how to ask."""
    run = simulate(LOAD, "fcfs", CLOCK, 5000)
    assert run.gaps.size == 0
    with pytest.raises(BadParameter, match="gaps=True"):
        run.token_gaps()


def test_largest_batches_are_counted():
    """Two prompts of 5 and 7 at once, then decodes up to 5 + 2 and 7 + 2 tokens."""
    run = simulate(Requests([5, 7], [2, 2], [0.0, 0.0]), "fcfs", CLOCK, 100)
    assert (run.counters["largest_prompt"], run.counters["largest_cached"]) == (12, 16)


def recorded(n=400):
    """Return requests of many lengths as a trace reader returns them."""
    rng = np.random.default_rng(3)
    arrival = np.sort(rng.random(n)) * n
    return Requests(rng.integers(500, 3000, n), rng.integers(1, 800, n), arrival, info={"family": "trace"})


@pytest.mark.parametrize("policy", ["wait", "nested_wait", "wait_capped"])
def test_a_recorded_trace_is_run_without_a_guarantee(policy):
    """Where no parameters meet the conditions a trace runs all the same, with one line that says so."""
    trace = recorded()
    with pytest.warns(OutsideConditions, match=f"{policy} runs with .*outside its guarantee.*violated by"):
        run = simulate(trace, policy, "a100-llama2-7b", 20_000, cut=5000.0)
    assert run.completed.all()
    with pytest.raises(BadParameter, match="violated by"):
        simulate(Requests(trace.prompt, trace.output, trace.arrival), policy, "a100-llama2-7b", 20_000)


def test_types_in_groups_share_a_threshold():
    """Groups of a type each are the types; a group of two fires on either; the groups must reach the largest output."""
    load = Requests(
        [5] * 6, [4, 9, 4, 9, 9, 4], np.arange(6) / 4, [0, 1, 0, 1, 1, 0], [Type(5, 4, 2.0), Type(5, 9, 2.0)]
    )
    apart = simulate(load, "wait", CLOCK, 500, thresholds=(1, 2))
    same = simulate(load, "wait", CLOCK, 500, thresholds=(1, 2), cuts=(4, 9))
    assert same.completion.tolist() == apart.completion.tolist()
    together = simulate(load, "wait", CLOCK, 500, thresholds=(2,), cuts=(9,))
    assert together.admitted.tolist() == [0.25, 0.25, 0.75, 0.75, 1.25, 1.25]
    for cuts, told in (((4,), "below the largest output 9"), ((9, 4), "do not rise")):
        with pytest.raises(BadParameter, match=told):
            simulate(load, "wait", CLOCK, 500, thresholds=(1,) * len(cuts), cuts=cuts)
