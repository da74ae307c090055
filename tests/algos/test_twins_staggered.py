"""The compiled staggered and unequal-prompt policies take exactly the attempts of the slow reference engine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from staggered_cases import STAGGERED, UNEQUAL, instances, parameters

from algos import reference
from kvratio import Instance, check, schedule

EVERY = pytest.mark.parametrize("policy", STAGGERED + UNEQUAL)


def assert_twins(inst, policy, **given):
    """Same attempts and counters as the reference, and the judge agrees."""
    fast, slow = schedule(inst, policy, **given), reference.schedule(inst, policy, **given)
    assert np.array_equal(fast.attempts, slow.attempts)
    for counter in ("evictions", "wasted_rounds", "wasted_token_rounds"):
        assert getattr(fast, counter) == getattr(slow, counter)
    for times in ("completion", "start", "first_start"):
        assert np.array_equal(getattr(fast, times), getattr(slow, times))
    check(inst, fast)


@EVERY
@given(inst=instances(), data=st.data())
def test_compiled_equals_reference(policy, inst, data):
    """Batch and online, equal and unequal prompts, any parameters."""
    assert_twins(inst, policy, **data.draw(parameters(policy)))


@EVERY
def test_longer_runs(policy):
    """Batches that follow one another, and phases with many more requests than the pipeline holds."""
    for seed in range(4):
        rng = np.random.default_rng([seed, 6])
        memory = 120
        prompt = rng.integers(0, memory // 3, 70) if seed % 2 else np.full(70, 3)
        output = np.minimum(rng.geometric(0.08, 70), memory - prompt)
        arrival = rng.integers(0, 900, 70) if seed >= 2 else None
        assert_twins(Instance(prompt, output, memory, arrival), policy)


@pytest.mark.parametrize("policy", ["sps", "gba", "gba_d"])
@pytest.mark.parametrize("eviction", ["recompute", "swap"])
def test_no_eviction_means_one_schedule(policy, eviction):
    """Policies that never kill do the same whatever an eviction would cost."""
    inst = Instance(prompt=[4, 0, 9, 1], output=[3, 7, 1, 10], memory=16)
    assert np.array_equal(schedule(inst, policy, eviction).attempts, schedule(inst, policy).attempts)
