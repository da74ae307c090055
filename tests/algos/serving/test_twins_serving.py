"""The compiled simulator and the slow one agree to the last bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_cases import EVICTIONS, NO_SWAP, differences, parameters, workloads

from algos import serving
from algos.serving import reference


@pytest.mark.parametrize("policy", sorted(reference.POLICIES))
@given(data=st.data())
def test_same_run(policy, data):
    """Times, counters and iterations are the same under every eviction rule, clock and block size."""
    case = data.draw(workloads(largest=8))
    eviction = data.draw(st.sampled_from(EVICTIONS[:2] if policy in NO_SWAP else EVICTIONS))
    params = data.draw(parameters(policy, case.requests))
    cut = data.draw(st.sampled_from((None, None, 3.0, 7.25)))
    compiled, slow = (
        case.run(simulate, policy, eviction, cut=cut, **params) for simulate in (serving.simulate, reference.simulate)
    )
    assert differences(compiled, slow) == []


def test_every_compiled_policy_has_a_twin():
    """Both simulators know the same policies."""
    assert set(serving.policy_ids()) == set(reference.POLICIES)
