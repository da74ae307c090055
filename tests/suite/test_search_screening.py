"""Screening: candidates stay in their space, costs are those of the slow run, and no schedule is too good."""

import numpy as np
import pytest

from algos import reference
from kvratio import Instance, Schedule, check
from kvratio.problem.errors import BadParameter
from kvratio.suite.search import placing, variation
from kvratio.suite.search.island import Task, best_upper, screen
from kvratio.suite.search.space import Block, Space
from kvratio.suite.search.target import Target
from lowerbounds import brute_force

SPACES = {
    "batch": Space(n=6, memory=(3, 14)),
    "arrivals": Space(n=6, memory=(3, 14), arrivals=True),
    "equal prompts": Space(n=6, memory=(6, 20), equal_prompts=True, alpha=0.5),
    "predictions": Space(n=6, memory=(3, 14), arrivals=True, predictions=True, intervals=True, error=2.0),
}


def scattered(space, count=60, seed=3):
    """Return random candidates of a space, and children of theirs."""
    state = np.array([seed], np.uint64)
    pool, block = Block.empty(16, space.n), Block.empty(count, space.n)
    variation.scatter(pool.genes, pool.sizes, pool.memory, space.limits, state)
    old, new = (pool.genes, pool.sizes, pool.memory), (block.genes, block.sizes, block.memory)
    variation.breed(*old, *new, space.limits, state)
    return block


@pytest.mark.parametrize("name", SPACES)
def test_children_stay_in_their_space(name):
    """Every child is a valid instance within the limits asked for, and children differ."""
    space = SPACES[name]
    block = scattered(space, 300)
    insts = [block.instance(k, True) for k in range(len(block))]
    assert all(space.holds(inst) for inst in insts)
    assert len({inst.key for inst in insts}) > 150
    for inst in insts:
        assert space.arrivals or inst.is_batch
        assert not space.equal_prompts or (inst.equal_prompts and inst.alpha <= 0.5)
        if space.predictions:
            assert (inst.predicted <= 2 * inst.output).all()
            assert (2 * inst.predicted >= inst.output).all()
            assert (inst.predicted_low <= inst.output).all()
            assert (inst.output <= inst.predicted_high).all()
            wide = inst.predicted_high > inst.output
            assert (inst.predicted_high <= 2 * inst.predicted_low)[wide].all()


def test_a_space_holds_only_its_own():
    """What is too large, arrives or differs in prompts is not in a space that forbids it."""
    batch, online = Instance([1, 2], [3, 1], 6), Instance([1, 1], [3, 1], 6, arrival=[0, 2])
    assert Space(n=2, memory=(6, 6)).holds(batch)
    assert not Space(n=1, memory=(6, 6)).holds(batch)
    assert not Space(n=2, memory=(7, 9)).holds(batch)
    assert not Space(n=2, memory=(6, 6), equal_prompts=True).holds(batch)
    assert not Space(n=2, memory=(6, 6), alpha=0.5).holds(batch)
    assert not Space(n=2, memory=(6, 6)).holds(online)
    assert Space(n=2, memory=(6, 6), arrivals=True).holds(online)


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"memory": (5, 4)}, {"alpha": 0.0}, {"error": 0.5}, {"horizon": -1}, {"memory": (0, 4)}]
)
def test_an_empty_space_is_refused(wrong):
    """Limits that allow nothing are one clear line."""
    with pytest.raises(BadParameter, match="search"):
        Space(**wrong)


@pytest.mark.parametrize("policy", ["fcfs", "svf", "gsa", "svf_sps", "orca", "vllm_fcfs", "lp_swap"])
@pytest.mark.parametrize("name", ["arrivals", "predictions"])
def test_packed_costs_are_those_of_the_slow_simulation(policy, name):
    """Compiled in one call, prepared one by one or run one by one: each cost is that of the reference engine."""
    space = SPACES[name]
    block = scattered(space, 4 if policy == "lp_swap" else 25)
    target = Target(policy)
    costs = target.costs(block, space.predictions, "flow")
    for k, cost in enumerate(costs):
        inst = block.instance(k, space.predictions)
        assert cost == reference.schedule(inst, policy).total_flow


def test_placed_schedules_are_feasible_and_bounds_enclose_the_optimum():
    """The checker accepts every placed schedule; cheap lower bound <= brute-force optimum <= its cost."""
    block = scattered(SPACES["arrivals"], 40)
    scratch = np.zeros((2, 6), np.int64)
    met = 0
    for k in range(len(block)):
        inst = block.instance(k, False)
        upper, starts = best_upper(block.genes[k, : inst.n], inst.memory, 60)
        placed = Schedule.from_starts(inst, starts)
        check(inst, placed)
        assert placed.total_completion == upper
        optimum = brute_force(inst)[0]
        columns = [np.array(column) for column in (inst.prompt, inst.output, inst.arrival)]
        lower = placing.cheap_lower(*columns, inst.memory, scratch[0, : inst.n], scratch[1, : inst.n])
        assert lower <= optimum <= upper
        met += optimum == upper
    assert met >= 25


@pytest.mark.parametrize("objective", ["completion", "flow"])
def test_screening_never_overstates_a_ratio(objective):
    """The schedule that divides a cost is never cheaper than the optimum, whatever the objective and the floor."""
    task = Task(Target("fcfs"), SPACES["arrivals"], objective)
    block = scattered(task.space, 30, seed=9)
    cost, upper, lower = screen(task, block, 0.0)
    assert (upper > 0).all()
    for k in range(len(block)):
        inst = block.instance(k, False)
        optimum = brute_force(inst)[0] - (int(inst.arrival.sum()) if objective == "flow" else 0)
        assert lower[k] <= optimum <= upper[k]
    floor = 1.2
    _, few, _ = screen(task, block, floor)
    assert ((few > 0) == (cost > floor * lower)).all()


def test_failed_runs_have_no_cost():
    """A candidate on which the policy does not end in time is no candidate."""
    block = scattered(SPACES["batch"], 5)
    assert (Target("fcfs").costs(block, False, "completion") > 0).all()
    assert (Target("ltr", {"quantum": 1, "starvation": 1}).costs(block, False, "completion") >= 0).all()
