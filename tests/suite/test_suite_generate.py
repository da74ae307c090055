"""Families tuned to policies that are named."""

from __future__ import annotations

import pytest

from kvratio import generate
from kvratio.problem.errors import BadParameter, KvratioError, UnknownName


def test_a_policy_is_named_with_its_parameters():
    """The adversary answers the policy's own start: a policy that waits meets a later burst."""
    eager = generate("blocker", memory=20, policy="fcfs")
    assert eager.info["start"] == 0
    assert eager.info["tuned_to"] == "fcfs"
    assert generate("blocker", memory=20, policy="mc_sf:skip=true").info["tuned_to"] == "mc_sf:skip=true"


def test_families_that_adapt_to_nobody_ignore_the_policy():
    """The same call works for every family, which is what a sweep over families needs."""
    assert generate("long_protection", policy="gsa").key == generate("long_protection").key


def test_a_randomised_policy_is_probed_with_independent_coins():
    """The instance depends on its own seed alone, not on the policy's later seeds."""
    one = generate("blocker", memory=20, policy="alpha_beta_clearing", seed=3)
    assert one.key == generate("blocker", memory=20, policy="alpha_beta_clearing", seed=3).key


@pytest.mark.parametrize(
    ("family", "options", "error"),
    [
        ("blokcer", {"memory": 20}, UnknownName),
        ("blocker", {"memory": 20, "policy": "fcsf"}, UnknownName),
        ("blocker", {"memory": 20, "policy": "fcfs:alpha=2"}, BadParameter),
        ("blocker", {"memory": 20, "policy": "gsa", "eviction": "swap"}, BadParameter),
        ("blocker", {}, BadParameter),
    ],
)
def test_mistakes_are_told(family, options, error):
    """Family, policy, parameter and eviction that do not exist raise one line."""
    with pytest.raises(error) as caught:
        generate(family, **options)
    assert isinstance(caught.value, KvratioError)
    assert "\n" not in str(caught.value)
