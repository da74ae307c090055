"""The compiled event policies take exactly the attempts of the slow engine, which decides in every round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twin_cases import PARAMETERS, assert_twins, evictions_of, instances, random_instance

#: these solve a linear program for every batch
LP_ORDERS = ["lp_swap", "sorted_lp"]
QUICK = sorted(set(PARAMETERS) - set(LP_ORDERS))


@pytest.mark.parametrize("policy", QUICK)
@given(inst=instances(), data=st.data())
def test_compiled_equals_reference(policy, inst, data):
    """Small instances of every kind, all parameters, all semantics of eviction, any seed."""
    params = data.draw(st.sampled_from(PARAMETERS[policy]))
    eviction = data.draw(st.sampled_from(evictions_of(policy)))
    assert_twins(inst, policy, eviction, seed=data.draw(st.integers(0, 2**64 - 1)), **params)


@pytest.mark.parametrize("policy", QUICK)
def test_compiled_equals_reference_at_length(policy):
    """Longer instances, with each set of parameters under each semantics of eviction."""
    rng = np.random.default_rng(len(policy))
    for params in PARAMETERS[policy]:
        for eviction in evictions_of(policy):
            for seed in range(3):
                assert_twins(random_instance(rng), policy, eviction, seed=seed, **params)


@pytest.mark.parametrize("policy", LP_ORDERS)
@settings(max_examples=15)
@given(inst=instances(most=6), data=st.data())
def test_lp_orders_equal_reference(policy, inst, data):
    """The same for the orders read off the linear program, fewer times."""
    params = data.draw(st.sampled_from(PARAMETERS[policy]))
    assert_twins(inst, policy, data.draw(st.sampled_from(evictions_of(policy))), **params)
