"""The compiled list policies take exactly the attempts of the slow reference engine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algos import reference, schedule_batch
from kvratio import Instance, InstanceBatch, check, schedule


@st.composite
def instances(draw, n_max=9):
    """Small instances of every kind: batch or online, equal or mixed prompts, exact or wrong predictions."""
    memory = draw(st.integers(3, 40))
    n = draw(st.integers(1, n_max))
    equal = draw(st.booleans())
    s = (
        [draw(st.integers(0, memory - 1))] * n
        if equal
        else draw(st.lists(st.integers(0, memory - 1), min_size=n, max_size=n))
    )
    o = [draw(st.integers(1, memory - x)) for x in s]
    online, wrong = draw(st.booleans()), draw(st.booleans())
    a = draw(st.lists(st.integers(0, 30), min_size=n, max_size=n)) if online else None
    p = draw(st.lists(st.integers(-3, memory + 3), min_size=n, max_size=n)) if wrong else None
    return Instance(s, o, memory, arrival=a, predicted=p)


@pytest.mark.parametrize("policy", ["fcfs", "mc_sf", "tsf", "svf"])
@given(inst=instances(), skip=st.booleans(), eviction=st.sampled_from(["restart", "recompute", "swap"]))
def test_compiled_equals_reference(policy, inst, skip, eviction):
    """Same attempts, same counters, and the judge agrees."""
    fast = schedule(inst, policy, eviction=eviction, skip=skip)
    slow = reference.schedule(inst, policy, eviction=eviction, skip=skip)
    assert np.array_equal(fast.attempts, slow.attempts)
    check(inst, fast)
    for counter in ("evictions", "wasted_rounds", "wasted_token_rounds", "recomputed_tokens"):
        assert getattr(fast, counter) == getattr(slow, counter)
    assert np.array_equal(fast.ttft, slow.ttft)


@given(parts=st.lists(instances(n_max=5), min_size=1, max_size=6), policy=st.sampled_from(["fcfs", "svf"]))
def test_packed_equals_one_by_one(parts, policy):
    """Running instances packed gives each the schedule it gets alone."""
    packed = schedule_batch(InstanceBatch(parts), policy)
    alone = [schedule(part, policy) for part in parts]
    assert packed.completion.tolist() == [c for sch in alone for c in sch.completion.tolist()]
    assert packed.total_flow.tolist() == [sch.total_flow for sch in alone]
    assert packed.evictions.tolist() == [sch.evictions for sch in alone]


@given(inst=instances(n_max=40))
def test_longer_lists(inst):
    """More requests than fit at once, so that ledgers and queues grow and shrink."""
    for policy in ("fcfs", "svf"):
        assert np.array_equal(schedule(inst, policy).attempts, reference.schedule(inst, policy).attempts)
