"""What is proved about the staggered policies holds on random instances (docs/policies.md 6.1, 6.6 and 7)."""

from fractions import Fraction
from functools import cache
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from staggered_cases import area, equal_batches, instances, least_costs

from algos.registry import card
from algos.timetable.guarantees import (
    gba_bound,
    gba_ratio,
    gsa_bound,
    gsa_derived_bound,
    gsa_derived_ratio,
    gsa_ratio,
    latency_bound,
    slack,
    slack_of,
    squashed_area_bound,
)
from algos.timetable.slices import pipeline_width, slices
from kvratio import Instance, schedule

#: for sums of a million in floating point
ROUNDING = 1 + 1e-9


def two_terms(inst: Instance, first: float, second: float) -> float:
    """Return first LB0 + second LB1."""
    lb0, lb1 = least_costs(inst)
    return (first * lb0 + second * float(lb1)) * ROUNDING


@given(inst=equal_batches())
def test_lower_bounds_are_the_definitions(inst):
    """LB0 and LB1 of the package are those summed pair by pair."""
    assert (latency_bound(inst), squashed_area_bound(inst)) == least_costs(inst)


@given(memory=st.integers(1, 5000), data=st.data())
def test_slack_is_between_1_and_3(memory, data):
    """Area <= M tau/k <= 3 area for every slice that fits, by the definition of both."""
    prompt = data.draw(st.integers(0, memory - 1))
    tau = data.draw(st.integers(1, memory - prompt))
    pace = Fraction(tau, pipeline_width(tau, prompt, memory))
    assert slack(tau, prompt, memory) == memory * pace / area(prompt, tau)
    assert 1 <= slack(tau, prompt, memory) <= 3


@given(inst=equal_batches(), alpha=st.sampled_from([1.2, 4 / 3, 1.5, 2.0, 3.0]))
def test_gba_two_term_bound(inst, alpha):
    """For gba: cost <= (alpha^2/(alpha-1)) LB0 + c alpha^2 LB1, with c = 3 and with the slack of its own slices."""
    cost = schedule(inst, "gba", alpha=alpha).total_completion
    own = slack_of(inst, alpha, 1)
    assert 1 <= own <= 3
    for c in (3.0, own):
        assert cost <= two_terms(inst, alpha**2 / (alpha - 1), c * alpha**2)
        assert gba_bound(inst, alpha, c) <= two_terms(inst, alpha**2 / (alpha - 1), c * alpha**2)
        assert cost <= gba_ratio(alpha, c) * float(max(least_costs(inst))) * ROUNDING


@given(inst=equal_batches(), alpha=st.sampled_from([1.3, 1.526, (7 + 13**0.5) / 6, 2.0, 3.0]))
def test_gsa_two_term_bounds(inst, alpha):
    """For gsa: the cost stays within the published bound, and within the sharper one derived here."""
    cost = schedule(inst, "gsa", alpha=alpha).total_completion
    for c in (3.0, slack_of(inst, alpha, 1)):
        first = alpha**2 / (alpha - 1)
        assert cost <= two_terms(inst, first, 2 * c * alpha**3 / (alpha - 1))
        assert cost <= gsa_derived_bound(inst, alpha, c) * ROUNDING <= gsa_bound(inst, alpha, c) * ROUNDING**2
        assert gsa_bound(inst, alpha, c) == pytest.approx(2 * alpha / (alpha - 1) * gba_bound(inst, alpha, c))
        assert cost <= gsa_ratio(alpha, c) * float(max(least_costs(inst))) * ROUNDING


def test_published_constants():
    """The four constants of the paper, and the two sums of coefficients of the derived bound."""
    alpha = (7 + 13**0.5) / 6
    assert gba_ratio(4 / 3) == pytest.approx(32 / 3)
    assert gba_ratio(3 / 2, 1) == pytest.approx(27 / 4)
    assert gsa_ratio(alpha) == pytest.approx(61.9148, abs=5e-5)
    assert gsa_ratio(2, 1) == pytest.approx(32)
    assert gsa_derived_ratio(1.526) == pytest.approx(44.96, abs=5e-3)
    assert gsa_derived_ratio(1.569, 1) == pytest.approx(17.90, abs=5e-3)


@pytest.mark.parametrize("policy", ["gba", "gba_d", "gsa", "gsa_spec"])
@given(inst=equal_batches())
def test_guarantee_on_the_card(policy, inst):
    """Where the card says that its hypotheses hold, the cost is within its ratio of max(LB0, LB1)."""
    about = card(policy)
    first = "tau0" if policy.startswith("gsa") else "beta"
    choices = [{}, {first: int(inst.output.min())}, *([] if policy == "gsa_spec" else [{"regime": "large"}])]
    for given_parameters in choices:
        settings = about.settings(inst, given_parameters)
        assert about.guarantee.holds(inst, settings)
        ratio = about.guarantee.ratio(inst, settings)
        cost = schedule(inst, policy, **given_parameters).total_completion
        assert cost <= ratio * float(max(least_costs(inst))) * ROUNDING


def test_ratios_on_the_card():
    """The general preset prints the published constant; the other tends to it as memory grows."""
    inst = Instance([3] * 6, [5, 7, 2, 9, 1, 4], 10**7)
    for policy, general, large in (("gba", 32 / 3, 27 / 4), ("gsa", 61.9148, 32)):
        about = card(policy)
        assert about.guarantee.ratio(inst, about.settings(inst, {})) == pytest.approx(general, abs=1e-4)
        assert about.guarantee.ratio(inst, about.settings(inst, {"regime": "large"})) == pytest.approx(large, rel=1e-4)
        tight = inst.replace(memory=12)
        assert about.guarantee.ratio(tight, about.settings(tight, {"regime": "large"})) > large + 0.1


@pytest.mark.parametrize("policy", ["gba", "gsa", "gsa_spec"])
def test_hypotheses_that_void_the_guarantee(policy):
    """Unequal prompts, arrivals, or a first slice beyond the shortest output."""
    about = card(policy)
    inst = Instance([3, 3], [5, 2], 20)
    first = "beta" if policy == "gba" else "tau0"
    settings = about.settings(inst, {first: 2})
    assert about.guarantee.holds(inst, settings)
    assert not about.guarantee.holds(inst, about.settings(inst, {first: 2.5}))
    assert not about.guarantee.holds(inst.replace(prompt=[3, 4]), settings)
    assert not about.guarantee.holds(inst.replace(arrival=[0, 1]), settings)


# -- sps ------------------------------------------------------------------------------------------------------------
def least_total_of_identical(n: int, prompt: int, output: int, memory: int) -> int:
    """Return the optimum for identical requests by trying all nondecreasing starts within the serial schedule."""

    @cache
    def least(left: int, at: int, running: tuple[int, ...]) -> int:
        # `running` are ages at epoch `at`; memory rises until something ends, so each round is tested.
        if left == 0:
            return 0
        if at > n * output:
            return 10**9
        best = 10**9
        for more in range(left + 1):
            ages = (*running, *[0] * more)
            if not all(
                sum(prompt + age + step for age in ages if age + step <= output) <= memory
                for step in range(1, output + 1)
            ):
                break
            after = tuple(age + 1 for age in ages if age + 1 < output)
            best = min(best, more * (at + output) + least(left - more, at + 1, after))
        return best

    return least(n, 0, ())


@given(prompt=st.integers(0, 4), output=st.integers(1, 5), slack_memory=st.integers(0, 14), n=st.integers(1, 5))
def test_sps_is_within_2_of_the_optimum(prompt, output, slack_memory, n):
    """Identical requests: at most twice the optimum, found by search."""
    memory = prompt + output + slack_memory
    cost = schedule(Instance([prompt] * n, [output] * n, memory), "sps").total_completion
    best = least_total_of_identical(n, prompt, output, memory)
    assert best <= cost <= 2 * best


@pytest.mark.parametrize("prompt", [0, 1, 3])
def test_exact_peak_of_the_pipeline(prompt):
    """Full slices in steady state peak at exactly k S + (tau (k + 1) + k - gcd(tau, k))/2, within memory."""
    for tau in range(1, 14):
        for memory in range(prompt + tau, prompt + tau + 40, 3):
            k = int(pipeline_width(tau, prompt, memory))
            n = 3 * k + 1
            sch = schedule(Instance([prompt] * n, [tau] * n, memory), "sps")
            _, _, last = sch.memory_curve()
            assert last.max() == k * prompt + (tau * (k + 1) + k - gcd(tau, k)) // 2 <= memory


# -- comparisons ----------------------------------------------------------------------------------------------------
@given(inst=instances(most=14, online=False), alpha=st.sampled_from([1.5, 2.0, 3.0]), tau0=st.sampled_from([1, 2, 5]))
def test_speculation_never_delays(inst, alpha, tau0):
    """Request by request gsa_spec completes no later than gsa with the same parameters."""
    spec = schedule(inst, "gsa_spec", alpha=alpha, tau0=tau0).completion
    assert (spec <= schedule(inst, "gsa", alpha=alpha, tau0=tau0).completion).all()


@given(inst=instances(most=14, online=False), alpha=st.sampled_from([1.2, 4 / 3, 2.0]))
def test_early_starts_never_delay(inst, alpha):
    """Request by request gba_d completes no later than gba."""
    assert (schedule(inst, "gba_d", alpha=alpha).completion <= schedule(inst, "gba", alpha=alpha).completion).all()


@given(inst=equal_batches(), alpha=st.sampled_from([1.1, 4 / 3, 2.0]))
def test_slices_end_where_they_must(inst, alpha):
    """Slices grow, begin with 1 and end with the longest output that fits; a lower cap cuts the list off."""
    cap = inst.memory - int(inst.prompt[0])
    whole = slices(alpha, 1, inst.memory)
    part = slices(alpha, 1, cap)
    assert part[0] == 1
    assert part[-1] == cap
    assert (np.diff(part) > 0).all()
    assert np.unique(np.minimum(whole, cap)).tolist() == part.tolist()


# -- unequal prompts ------------------------------------------------------------------------------------------------
def test_hypotheses_of_unequal_prompts():
    """rect: one kind of rectangle only; response: small prompts with longer answers; both batches."""
    large, heavy = Instance([6, 9], [3, 1], 20), Instance([2, 5], [2, 4], 20)
    long_answers = Instance([2, 0, 5], [3, 1, 9], 20)
    rect, response, route = (card(policy).guarantee for policy in ("rect", "response", "route"))
    assert rect.holds(large, {})
    assert rect.holds(heavy, {})
    assert not rect.holds(Instance([6, 5], [3, 4], 20), {})
    assert not rect.holds(long_answers, {})
    assert not rect.holds(heavy.replace(arrival=[0, 1]), {})
    assert response.holds(long_answers, {})
    assert not response.holds(heavy, {})
    assert not response.holds(large, {})
    assert (rect.ratio(large, {}), response.ratio(large, {}), route.ratio(large, {})) == (36, 236 / 3, None)


@given(data=st.data())
def test_rect_and_response_within_their_ratios(data):
    """36 and 236/3 times max(LB0, LB1), which is more than was promised (the promise is against the optimum)."""
    memory = data.draw(st.integers(8, 200))
    n = data.draw(st.integers(1, 30))
    kind = data.draw(st.sampled_from(["large", "prompt-heavy", "response-heavy"]))
    low, high = {"large": (memory // 4 + 1, memory - 1), "prompt-heavy": (1, memory // 4)}.get(kind, (0, memory // 4))
    prompt = data.draw(st.lists(st.integers(low, high), min_size=n, max_size=n))
    output = [
        data.draw(st.integers(s + 1 if kind == "response-heavy" else 1, s if kind == "prompt-heavy" else memory - s))
        for s in prompt
    ]
    inst = Instance(prompt, output, memory)
    policy = "response" if kind == "response-heavy" else "rect"
    guarantee = card(policy).guarantee
    assert guarantee.holds(inst, {})
    cost = schedule(inst, policy).total_completion
    assert cost <= guarantee.ratio(inst, {}) * float(max(least_costs(inst))) * ROUNDING
