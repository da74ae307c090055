"""List-greedy against a plain rereading of its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instances.list_greedy import KEYS, best_list_greedy, flow_of, list_greedy
from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter


def by_definition(inst, key, planned, skip, only_at_completions=False):
    """Test every waiting request at every epoch against every future round."""
    s, o, a = inst.prompt.tolist(), inst.output.tolist(), inst.arrival.tolist()
    e = planned.tolist()
    keys = {"fcfs": a, "mc_sf": e, "tsf": [x + y for x, y in zip(s, e, strict=True)]}
    keys["svf"] = [x * y + y * (y + 1) // 2 for x, y in zip(s, e, strict=True)]
    order = sorted(range(inst.n), key=lambda i: (keys[key][i], i))
    start = [-1] * inst.n
    t = 0
    while min(start) < 0:
        look = not only_at_completions or any(start[i] >= 0 and start[i] + o[i] == t for i in order) or t in a
        for i in order if look else ():
            if start[i] >= 0 or a[i] > t:
                continue
            running = [j for j in order if start[j] >= 0 and start[j] + o[j] > t]
            rounds = range(t + 1, t + e[i] + 1)
            load = [sum(s[j] + r - start[j] for j in running if start[j] + e[j] >= r) for r in rounds]
            if all(x + s[i] + r - t <= inst.memory for x, r in zip(load, rounds, strict=True)):
                start[i] = t
            elif not skip:
                break
        t += 1
    return start


@st.composite
def instances(draw):
    """Draw a small instance and planned lengths at least as long as its outputs."""
    memory = draw(st.integers(2, 24))
    n = draw(st.integers(1, 9))
    prompt = draw(st.lists(st.integers(0, memory - 1), min_size=n, max_size=n))
    output = [draw(st.integers(1, memory - s)) for s in prompt]
    arrival = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    planned = [draw(st.integers(o, memory - s)) for s, o in zip(prompt, output, strict=True)]
    inst = Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)
    return inst, np.array(planned)


@settings(deadline=None, max_examples=150)
@given(instances(), st.sampled_from(KEYS), st.booleans(), st.booleans())
def test_jumping_gives_the_starts_of_testing_every_epoch(case, key, skip, exact):
    """Jumps over epochs never change a start, with exact and with over-estimated lengths, with and without skip."""
    inst, planned = case
    planned = inst.output if exact else planned
    starts = list_greedy(inst, key, planned=planned, skip=skip)
    assert starts.tolist() == by_definition(inst, key, planned, skip)
    check(inst, Schedule.from_starts(inst, starts))


@settings(deadline=None, max_examples=60)
@given(instances(), st.sampled_from(KEYS))
def test_only_at_completions_looks_at_completions_and_arrivals(case, key):
    """The weaker form starts what the definition starts when it may look only then."""
    inst, planned = case
    starts = list_greedy(inst, key, planned=planned, only_at_completions=True)
    assert starts.tolist() == by_definition(inst, key, planned, False, only_at_completions=True)


def test_arrivals_far_apart_cost_nothing():
    """The clock jumps over idle time."""
    inst = Instance(prompt=[1, 1], output=[3, 3], memory=4, arrival=[0, 10**12])
    assert list_greedy(inst).tolist() == [0, 10**12]


def test_best_list_greedy_is_no_worse_than_any_key():
    """The best of the keys is one of them and the cheapest."""
    inst = Instance(prompt=[7, 7, 0, 0, 3], output=[1, 1, 7, 2, 2], memory=8)
    costs = [flow_of(inst, list_greedy(inst, key)) for key in KEYS]
    assert flow_of(inst, best_list_greedy(inst)) == min(costs)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"key": "sjf"}, "sjf"),
        ({"planned": [1, 1]}, "request 0"),
        ({"planned": [9, 3]}, "request 0"),
        ({"planned": [2]}, "shape"),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    """An unknown key and planned lengths outside [output, M - prompt] are one clear line."""
    inst = Instance(prompt=[0, 0], output=[2, 3], memory=8)
    with pytest.raises(BadParameter, match=word):
        list_greedy(inst, **arguments)
