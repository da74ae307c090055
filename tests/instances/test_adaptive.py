"""The talk between adversary and policy: probing, the general protocol, replay."""

import numpy as np
import pytest
from greedy_policies import FCFS, MC_SF, greedy, patient
from hypothesis import given, settings
from hypothesis import strategies as st

from instances import generate
from instances.adaptive import Release, events_of, play, replay
from kvratio.problem import ATTEMPT_DTYPE, Instance, Schedule
from kvratio.problem.errors import BadParameter, PolicyError, RoundLimit


class Blocker:
    """The blocker as a program of the general protocol: it waits for the first start of L, then streams."""

    def __init__(self, memory):
        self.memory, self.start = memory, None

    def step(self, t, past):
        """Release L at 0, and one whole-memory request at each of the M - 1 epochs after the start b."""
        if t == 0:
            return [Release(1, self.memory - 1)], False
        starts = [event.time for event in past if event.request == 0 and event.what == "start"]
        if not starts:
            return [], t > 16 * self.memory
        assert all(event.time < t for event in past)
        b = starts[0]
        return [Release(self.memory - 1, 1)], t == b + self.memory - 1


@pytest.mark.parametrize("delay", [0, 1, 5, 11, 12, 30])
def test_the_general_protocol_builds_what_probing_builds(delay):
    """Playing the blocker step by step gives the instance that generate builds from the probed start."""
    built = generate("blocker", memory=12, policy=patient(delay))
    played, schedule = play(Blocker(12), patient(delay))
    assert played == built
    assert built.info["start"] == delay == schedule.first_start[0]


@pytest.mark.parametrize("family", ["burst_trap", "stream_trap", "blocker"])
@settings(deadline=None, max_examples=25)
@given(memory=st.integers(3, 40), delay=st.integers(0, 120))
def test_replay_and_forced_ratio(family, memory, delay):
    """The policy acts on the stored instance as it did when probed, and pays at least what the construction forces."""
    inst = generate(family, memory=memory, policy=patient(delay))
    schedule = replay(inst, patient(delay))
    assert inst.info["start"] == delay
    assert inst.info["tuned_to"] == f"patient_{delay}"
    assert schedule.total_flow >= inst.info["forced_cost"] > 0
    assert generate(family, **inst.info["parameters"]) == inst


@pytest.mark.parametrize("family", ["burst_trap", "stream_trap", "blocker"])
def test_a_policy_that_never_starts_the_long_request_gets_nothing_more(family):
    """After 16 M only L remains, and its flow is compared with M - 1."""
    assert generate(family, memory=10, start=160).n > 1
    inst = generate(family, memory=10, policy=patient(161))
    assert inst.n == 1
    assert (inst.info["forced_cost"], inst.info["witness_cost"]) == (161 + 9, 9)


def test_the_first_start_counts_when_the_policy_kills():
    """The start that counts is the first one of L, also if that attempt is killed."""

    def killer(inst):
        rows = [(0, 2, 3, False), (0, 7, 7 + int(inst.output[0]), True)]
        return Schedule.from_attempts(inst, np.array(rows, dtype=ATTEMPT_DTYPE), policy="killer")

    assert generate("blocker", memory=10, policy=killer).info["start"] == 2


def test_replay_refuses_another_policy():
    """A policy with another start is told from the one the instance is tuned to."""
    inst = generate("blocker", memory=10, policy=patient(3))
    with pytest.raises(PolicyError, match="starts at 0, built for 3"):
        replay(inst, FCFS)


def test_a_policy_that_sees_the_future_is_refused():
    """If the past changes when later requests appear, the run is not that of an online policy."""

    def clairvoyant(inst):
        return patient(4)(inst) if inst.n > 1 else FCFS(inst)

    with pytest.raises(PolicyError, match="changed what it did"):
        play(Blocker(6), clairvoyant)


def test_a_policy_that_changes_its_mind_is_refused():
    """The final replay compares every event with the recorded run."""
    calls = []

    def moody(inst):
        calls.append(inst)
        return greedy(inst, "svf" if inst.n == 3 and len(calls) == 2 else "fcfs")

    class Two:
        memory = 8

        def step(self, t, past):
            return [Release(7, 1), Release(0, 2), Release(0, 1)], True

    calls.append(None)
    with pytest.raises(PolicyError, match="replay differs"):
        play(Two(), moody)


def test_an_endless_adversary_is_stopped_and_a_mute_one_refused():
    """The limit on epochs ends a talk without end; a talk without requests makes no instance."""

    class Endless:
        memory = 4

        def step(self, t, past):
            return [], False

    class Mute:
        memory = 4

        def step(self, t, past):
            return [], True

    with pytest.raises(RoundLimit, match="epoch 50"):
        play(Endless(), FCFS, limit=50)
    with pytest.raises(BadParameter, match="no request"):
        play(Mute(), FCFS)


def test_events_tell_starts_completions_and_kills_in_order():
    """Events are sorted by time, and a kill is not a completion."""
    inst = Instance(prompt=[0, 0], output=[2, 1], memory=3)
    rows = np.array([(0, 0, 1, False), (0, 2, 4, True), (1, 1, 2, True)], dtype=ATTEMPT_DTYPE)
    told = [(e.time, e.request, e.what) for e in events_of(Schedule.from_attempts(inst, rows))]
    assert told == [
        (0, 0, "start"),
        (1, 0, "kill"),
        (1, 1, "start"),
        (2, 0, "start"),
        (2, 1, "completion"),
        (4, 0, "completion"),
    ]


def test_randomised_start_does_not_look_at_the_policy():
    """The oblivious family gives every policy the same instance, and records the start it saw."""
    plain = generate("randomised_start", memory=50, seed=4)
    probed = generate("randomised_start", memory=50, seed=4, policy=patient(3))
    assert plain == probed
    assert (plain.info["start"], probed.info["start"]) == (None, 3)


def test_randomised_start_stores_the_ratio_of_starting_at_once():
    """The forced cost is that of L at 0 and the burst greedily beside it."""
    for seed in range(20):
        inst = generate("randomised_start", memory=64, seed=seed)
        assert FCFS(inst).total_flow == inst.info["forced_cost"] >= inst.info["witness_cost"]
        assert 0 <= inst.arrival[1] <= 64


def test_policy_and_start_exclude_each_other():
    """A start given beside a policy is refused."""
    with pytest.raises(BadParameter, match="policy or start"):
        generate("blocker", memory=10, start=3, policy=MC_SF)


def test_a_family_that_does_not_adapt_takes_no_policy():
    """A policy given to a static family is refused instead of ignored."""
    with pytest.raises(BadParameter, match="not adaptive"):
        generate("sf_trap", memory=16, policy=MC_SF)
    with pytest.raises(BadParameter, match="callable"):
        generate("blocker", memory=16, policy="mc_sf")
    with pytest.raises(PolicyError, match="must return a Schedule"):
        generate("blocker", memory=16, policy=lambda inst: None)
