"""Earliest-fit decoding against a twin that tests every round, and the searches built on it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from bounds_cases import earliest_fit_twin, instances
from hypothesis import given
from hypothesis import strategies as st

from kvratio.problem import Instance, Schedule, check
from lowerbounds import best_closed_form
from lowerbounds import decode as module
from lowerbounds.decode import Incumbent, decode, improve_order, list_orders, perturb_starts
from lowerbounds.gaps import closer_arrivals


@given(
    instances(max_requests=25, max_memory=40, latest=60),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 3, 64]),
    st.sampled_from([2, 1000]),
)
def test_decode(inst, random, block, coordinates):
    """The decoder with its block maxima and notes gives the starts of the slow twin, for any order and widths."""
    order = list(range(inst.n))
    random.shuffle(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "SMALL", 0)
        patch.setattr(module, "COORDINATES", coordinates)
        cost, starts = decode(inst, np.array(order))
    assert starts.tolist() == earliest_fit_twin(inst, order)
    assert cost == int((starts + inst.output).sum())


@given(instances(max_requests=12, max_memory=9, latest=10), st.randoms(use_true_random=False))
def test_long_gaps(inst, random):
    """Shortened gaps change nothing but the common shift of all that comes after them."""
    gaps = [random.choice([0, 0, 1, 5, 300]) for _ in range(inst.n)]
    far = inst.replace(arrival=np.cumsum(gaps))
    order = list(range(inst.n))
    random.shuffle(order)
    assert decode(far, np.array(order))[1].tolist() == earliest_fit_twin(far, order)
    closer = closer_arrivals(far)
    assert (closer <= far.arrival).all()
    assert (np.diff(closer) >= 0).all()


def test_profile_grows():
    """An order that leaves memory idle for long outgrows the first guess of the makespan and stays feasible."""
    n = 60
    inst = Instance(prompt=[0] * n, output=[1 + 15 * (k % 2) for k in range(n)], memory=16)
    _, starts = decode(inst, np.argsort(-inst.output, kind="stable"))
    check(inst, Schedule.from_starts(inst, starts))
    assert starts.tolist() == earliest_fit_twin(inst, np.argsort(-inst.output, kind="stable").tolist())


@given(instances(max_requests=15, max_memory=20, latest=30))
def test_searches_only_improve(inst):
    """List orders, moves and perturbation never lose what they have, and keep feasible schedules of the stated cost."""
    incumbent = Incumbent(inst)
    list_orders(incumbent, float("inf"))
    costs = [incumbent.cost]
    for search in (improve_order, perturb_starts):
        search(incumbent, 0, float("inf"), 500)
        costs.append(incumbent.cost)
        check(inst, Schedule.from_starts(inst, incumbent.starts))
        assert incumbent.cost == int((incumbent.starts + inst.output).sum())
    assert costs == sorted(costs, reverse=True)


def test_searches_repeat():
    """The same seed gives the same schedule, and a deadline in the past stops at once."""
    rng = np.random.default_rng(2)
    inst = Instance(prompt=rng.integers(0, 9, 40), output=rng.integers(1, 30, 40), memory=60)
    found = []
    for _ in range(2):
        incumbent = Incumbent(inst)
        list_orders(incumbent, float("inf"))
        improve_order(incumbent, 5, float("inf"), 20_000)
        found.append(incumbent.starts.tolist())
    assert found[0] == found[1]
    incumbent = Incumbent(inst)
    list_orders(incumbent, time.monotonic() - 1)
    volume_first = incumbent.cost
    improve_order(incumbent, 5, time.monotonic() - 1)
    assert incumbent.cost == volume_first == decode(inst, np.argsort(inst.volume, kind="stable"))[0]


def test_pacing_beats_starting_what_fits():
    """Equal requests started one by one at the fluid's pace come within 10 % of the bound; together, 90 % above it."""
    inst = Instance(prompt=[1] * 4000, output=[49] * 4000, memory=500)
    together, _ = decode(inst, np.arange(inst.n))
    incumbent = Incumbent(inst)
    list_orders(incumbent, float("inf"))
    check(inst, Schedule.from_starts(inst, incumbent.starts))
    lower = best_closed_form(inst).integer
    assert together > 1.8 * lower
    assert incumbent.cost < 1.1 * lower
