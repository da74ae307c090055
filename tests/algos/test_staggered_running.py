"""Parameters, limits, sizes and packed running of the timetable policies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from staggered_cases import STAGGERED, UNEQUAL, instances

from algos.card import Card
from algos.registry import card
from algos.timetable.run import Timetable, run_packed
from algos.timetable.slices import slices
from algos.timetable.sorting import sort_ascending
from algos.timetable.state import PHASE
from kvratio import Instance, InstanceBatch, check, schedule
from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit

TIMETABLE = ("sps", "gba", "gba_d", "gsa", "response")


# -- parameters -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("policy", ["gba", "gba_d", "gsa", "gsa_spec"])
@pytest.mark.parametrize("alpha", [1, 0.5, -2, float("nan"), "two", float("inf")])
def test_alpha_without_meaning(policy, alpha):
    """Slices that do not grow are refused, naming policy, parameter and value."""
    with pytest.raises(BadParameter, match=f"{policy}: alpha is"):
        schedule(Instance([1], [2], 5), policy, alpha=alpha)


@pytest.mark.parametrize(
    ("policy", "name", "value"),
    [("gsa", "tau0", 0.5), ("gsa_spec", "tau0", 0), ("gba", "beta", 0), ("gba_d", "beta", -1)],
)
def test_first_slice_without_meaning(policy, name, value):
    """A first slice of less than one round is refused."""
    with pytest.raises(BadParameter, match=f"{policy}: {name} is"):
        schedule(Instance([1], [2], 5), policy, **{name: value})


@pytest.mark.parametrize("policy", ["gba", "gsa", "gsa_spec"])
def test_alpha_too_close_to_1(policy):
    """An alpha that would take for ever to reach the longest slice is refused instead of hanging."""
    with pytest.raises(BadParameter, match="larger alpha"):
        schedule(Instance([1], [2], 500), policy, alpha=1 + 2**-50)


@pytest.mark.parametrize(("alpha", "first", "cap"), [(1.0, 1, 5), (2, 0, 5), (2, 1, 0)])
def test_slices_without_meaning(alpha, first, cap):
    """The slices themselves refuse what the policies refuse."""
    with pytest.raises(BadParameter):
        slices(alpha, first, cap)


def test_explicit_alpha_overrides_the_preset():
    """The preset only fills in an alpha that was not given."""
    inst = Instance([2] * 8, [5, 1, 3, 8, 2, 1, 4, 2], 14)
    given_alpha = schedule(inst, "gsa", alpha=2)
    assert schedule(inst, "gsa", alpha=2, regime="general") == given_alpha
    assert schedule(inst, "gsa", regime="large") == given_alpha
    assert schedule(inst, "gsa", regime="large").params["alpha"] == 2.0
    with pytest.raises(BadParameter, match="regime"):
        schedule(inst, "gsa", regime="huge")


@pytest.mark.parametrize("policy", ["gsa", "gsa_spec", "rect", "response", "route"])
def test_kills_are_part_of_the_algorithm(policy):
    """Only restart has a meaning where kills are by design."""
    with pytest.raises(BadParameter, match="restart"):
        schedule(Instance([1], [2], 5), policy, "recompute")


# -- limits and sizes -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("policy", STAGGERED + UNEQUAL)
def test_round_limit(policy):
    """A run reaches its makespan as limit, and fails one round below it."""
    inst = Instance([2, 0, 3, 1, 1], [5, 9, 1, 3, 4], 14, [0, 3, 0, 40, 41])
    makespan = schedule(inst, policy).makespan
    assert schedule(inst, policy, round_limit=makespan).makespan == makespan
    with pytest.raises(RoundLimit, match=policy):
        schedule(inst, policy, round_limit=makespan - 1)


def test_endless_slices_fail_before_they_overflow():
    """A first slice that would push the timetable beyond int64 is a round limit, not a wrong number."""
    inst = Instance([0] * 1000, [1] * 1000, 2**40)
    with pytest.raises(RoundLimit):
        schedule(inst, "gsa", tau0=2.0**40)


@pytest.mark.parametrize("policy", STAGGERED + UNEQUAL)
def test_large_instances_are_feasible(policy):
    """A few thousand requests with real-looking lengths, batch and online, pass the judge."""
    rng = np.random.default_rng(5)
    n, memory = 3000, 16384
    prompt, output = rng.integers(0, 3000, n), np.minimum(rng.geometric(1 / 200, n), 2000)
    for arrival in (None, rng.integers(0, 20000, n)):
        inst = Instance(prompt, output, memory, arrival)
        check(inst, schedule(inst, policy))


@pytest.mark.parametrize("policy", STAGGERED + UNEQUAL)
def test_limits_of_the_model(policy):
    """Strictly serial requests, one unit of memory, one round each, equal copies, prompts of M - 1, far arrivals."""
    cases = [
        Instance([5, 3, 0], [4, 6, 9], 9),
        Instance([0] * 3, [1] * 3, 1),
        Instance([0] * 50, [1] * 50, 7),
        Instance([2] * 300, [3] * 300, 40),
        Instance([8] * 4, [1] * 4, 9),
        Instance([1, 2], [3, 1], 9, [0, 10**9]),
    ]
    for inst in cases:
        check(inst, schedule(inst, policy))


# -- packed ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("policy", TIMETABLE)
@given(parts=st.lists(instances(most=6), min_size=1, max_size=6))
def test_packed_equals_one_by_one(policy, parts):
    """Running instances packed gives each the schedule it gets alone."""
    packed = run_packed(card(policy), InstanceBatch(parts))
    alone = [schedule(part, policy) for part in parts]
    assert packed.completion.tolist() == [c for sch in alone for c in sch.completion.tolist()]
    assert packed.start.tolist() == [x for sch in alone for x in sch.start.tolist()]
    assert packed.evictions.tolist() == [sch.evictions for sch in alone]
    assert not packed.codes.any()


def test_packed_failure_stays_with_its_instance():
    """An instance that reaches its limit on rounds has a code; the others are as they were."""
    parts = [Instance([1], [2], 9), Instance([1] * 9, [8] * 9, 9), Instance([0, 0], [3, 1], 9)]
    packed = run_packed(card("gsa"), InstanceBatch(parts), {"alpha": 2}, round_limit=20)
    assert (packed.codes != 0).tolist() == [False, True, False]
    assert packed.completion[:1].tolist() == schedule(parts[0], "gsa", alpha=2).completion.tolist()
    assert packed.completion[-2:].tolist() == schedule(parts[2], "gsa", alpha=2).completion.tolist()


def test_packed_needs_a_timetable():
    """A policy of the event engine is refused by name."""
    with pytest.raises(BadParameter, match="rect is not a timetable policy"):
        run_packed(card("rect"), InstanceBatch([Instance([1], [2], 9)]))


@given(values=st.lists(st.integers(-50, 50), min_size=1, max_size=60), size=st.integers(0, 60))
def test_sorting_in_place(values, size):
    """The first part is sorted, the rest is left alone."""
    size = min(size, len(values))
    array = np.array(values, np.int64)
    sort_ascending(array, size)
    assert array.tolist() == sorted(values[:size]) + values[size:]


# -- what a plan sees -----------------------------------------------------------------------------------------------
def nosy_plan(v):
    """Run each batch as one phase, unless a length or a request of a later batch can be seen."""
    s = v.st[0]
    for i in range(len(v.prompt)):
        later = s.now == 0 and i == 2
        if v.output[i] >= 0 or (later and v.prompt[i] >= 0) or (not later and s.now == 0 and v.prompt[i] < 0):
            return 0
    s.prompt = 4
    s.tau = s.memory - 4
    return PHASE


def test_plans_see_no_lengths_and_no_future():
    """A plan that is not clairvoyant has no output column, and the prompts of its batch only."""
    nosy = Card(
        id="nosy",
        title="Nosy",
        family="staggered",
        information="none",
        about="",
        reference="",
        source="",
        run=Timetable(nosy_plan),
    )
    sch = schedule(Instance([3, 4, 2], [1, 5, 2], 12, [0, 0, 3]), nosy)
    assert sch.completion.tolist() == [1, 13, 15]
    clairvoyant = replace(nosy, information="clairvoyant")
    with pytest.raises(PolicyError, match="nosy: at epoch 0: 2 requests"):
        schedule(Instance([3, 4], [1, 5], 12), clairvoyant)
