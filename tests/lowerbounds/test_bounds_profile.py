"""Prices per state and round: the verifier's value against enumeration, and its refusals."""

import itertools

import numpy as np
import pytest
from bounds_cases import instances
from hypothesis import given, settings
from hypothesis import strategies as st

from kvratio import Certificate, Instance
from lowerbounds import bound, brute_force
from lowerbounds.exact import search
from lowerbounds.recheck_profile import BadPrices, profile_numerator
from lowerbounds.verify import CertificateRefused, verify_certificate


def heaviest_set(inst, t, price):
    """Largest payment in round t of states that fit together until all have ended, each as often as requests in it."""
    states = []
    for a, s, o in zip(inst.arrival.tolist(), inst.prompt.tolist(), inst.output.tolist(), strict=True):
        states += [(s + age, o - age) for age in range(1, min(o, t - a) + 1)]
    paying = [state for state in states if price[t - 1].get(state, 0)]
    most = 0
    for size in range(1, len(paying) + 1):
        for active in itertools.combinations(paying, size):
            if all(sum(m + r for m, left in active if left >= r) <= inst.memory for _, r in active):
                most = max(most, sum(price[t - 1][state] for state in active))
    return most


@settings(max_examples=40)
@given(instances(max_requests=3, max_memory=6, latest=4), st.integers(1, 6), st.randoms(use_true_random=False))
def test_value_is_the_definition(inst, rounds, rng):
    """For any prices the value is what its definition says, by enumeration of all sets, and below the optimum."""
    states = sorted(
        {(int(s) + a, int(o) - a) for s, o in zip(inst.prompt, inst.output, strict=True) for a in range(1, int(o) + 1)}
    )
    price = [{state: rng.randrange(0, 8) for state in states if rng.random() < 0.7} for _ in range(rounds)]
    Q = rng.randrange(1, 5)
    rows = [[row.get(state, 0) for state in states] for row in price]
    pays = 0
    for a, s, o in zip(inst.arrival.tolist(), inst.prompt.tolist(), inst.output.tolist(), strict=True):
        costs = []
        for start in range(a, max(a, rounds) + 1):
            paid = sum(price[start + k - 1].get((s + k, o - k), 0) for k in range(1, o + 1) if start + k <= rounds)
            costs.append(Q * (start + o) + paid)
        pays += min(costs)
    expected = pays - sum(heaviest_set(inst, t, price) for t in range(1, rounds + 1))
    assert profile_numerator(inst, Q, [list(state) for state in states], rows) == expected
    assert expected <= Q * brute_force(inst)[0]


@settings(max_examples=15)
@given(instances(max_requests=7, max_memory=16, latest=10))
def test_search_leaves_true_prices(inst):
    """The prices that the search ends with show a bound that is no larger than the optimum it proves."""
    found = search(inst, time_limit=20.0)
    if found.weights is not None:
        assert profile_numerator(inst, **found.weights) <= found.upper * found.weights["denominator"]


def test_certificate_of_a_larger_instance():
    """Where the optimum stays open the lower side is certified by prices, verified, and refused when altered."""
    rng = np.random.default_rng(5)
    prompt = rng.integers(1, 6, 26)
    inst = Instance(prompt, [int(rng.integers(1, 41 - s)) for s in prompt], 40)
    found = bound(inst, "exact", time_limit=60.0, work_limit=2000)
    found.verify()
    certificate = next(c for c in found.certificates if c.kind == "profile")
    shown = verify_certificate(inst, certificate)
    assert found.lower >= shown > bound(inst, "mean_busy_time").lower
    for change in ("numerator", "denominator"):
        altered = Certificate("profile", "lower", certificate.data | {change: certificate.data[change] + 1})
        with pytest.raises(CertificateRefused, match="profile"):
            verify_certificate(inst, altered)


@pytest.mark.parametrize(
    ("denominator", "states", "prices", "message"),
    [
        (0, [[1, 0]], [[1]], "denominator"),
        (1.5, [[1, 0]], [[1]], "denominator"),
        (1, [[1, 0], [1, 0]], [[1, 1]], "twice"),
        (1, [[1]], [[1]], "pair"),
        (1, [[1, -1]], [[1]], "pair"),
        (1, [[1, 0]], [[-1]], "round 1"),
        (1, [[1, 0]], [[1, 2]], "round 1"),
        (1, [[1, 0]], [[True]], "round 1"),
        (1, [[1, 0]], "1", "list"),
        (1, [[1, 0]], [[2**59]] * 40, "too large"),
    ],
)
def test_malformed_prices_are_refused(denominator, states, prices, message):
    """Whatever is no table of integers >= 0 is refused with a line that says what is wrong."""
    with pytest.raises(BadPrices, match=message):
        profile_numerator(Instance([1, 1], [2, 2], 5), denominator, states, prices)
