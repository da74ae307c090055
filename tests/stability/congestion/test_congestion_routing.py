"""Routing over replicas and widening of lengths: the examples, and a search by brute force."""

import itertools

import numpy as np
import pytest

from kvratio.problem.errors import BadParameter
from stability.congestion import route, simulate_plan, spectral_radius, widen, widening
from stability.congestion.routing import partitions, plan_of


def test_pooling_two_unstable_pairs():
    """{6,10} and {9,15} apart are unstable, pooled at l0=30 stable; the simulation shows both."""
    decode = (6, 10, 9, 15)
    apart = plan_of(30, decode, [(0, 1), (2, 3)])
    best = route(30, decode, 2)
    assert not apart.stable
    assert apart.rho == pytest.approx((1.0294, 1.0278), abs=6e-5)
    assert best.groups == ((0, 1, 2, 3),)
    assert best.stable
    assert best.margin == pytest.approx(1 - 0.9910, abs=6e-5)
    assert best.replicas == (2,)
    before, after = (simulate_plan(plan, 30, decode, 600) for plan in (apart, best))
    assert before.mean_wasted_share > 0.015
    assert min(before.evictions) > 0.2
    assert after.evictions == (0,)
    assert after.throughput == pytest.approx(after.equilibrium)


@pytest.mark.parametrize(("count", "parts", "number"), [(1, 3, 1), (4, 4, 15), (4, 2, 8), (5, 3, 41), (6, 6, 203)])
def test_partitions_are_all(count, parts, number):
    """Partitions number as Stirling's sums say, each once, each a partition."""
    found = [tuple(groups) for groups in partitions(count, parts)]
    assert len(set(found)) == len(found) == number
    for groups in found:
        assert sorted(itertools.chain(*groups)) == list(range(count))
        assert 1 <= len(groups) <= parts


@pytest.mark.parametrize("seed", range(6))
def test_search_against_brute_force(seed):
    """Every map of five classes to two or three replicas: none has a larger least margin."""
    rng = np.random.default_rng(seed)
    decode, prompt, G = rng.integers(2, 25, 5), rng.integers(10, 200, 5), 2 + seed % 2
    shares = rng.dirichlet(np.ones(5))
    best = -np.inf
    for to in itertools.product(range(G), repeat=5):
        groups = [[k for k in range(5) if to[k] == g] for g in range(G)]
        margins = [1 - spectral_radius(prompt[k], decode[k], shares[k] / shares[k].sum()) for k in groups if k]
        best = max(best, min(margins))
    plan = route(prompt, decode, G, shares)
    assert plan.margin == pytest.approx(best, abs=2e-9)
    assert plan.exhaustive
    assert sum(plan.replicas) == G


def test_load_of_a_plan():
    """Load per replica is the group's work over its replicas, relative to the mean."""
    plan = plan_of(100, (10, 20, 50), [(0, 1), (2,)], replicas=4)
    decode = np.array([10, 20, 50])
    work = decode * (100 + (decode + 1) / 2) / 3
    each = np.array([(work[0] + work[1]) / plan.replicas[0], work[2] / plan.replicas[1]])
    assert plan.replicas == (2, 2)
    assert plan.load == pytest.approx(each / (work.sum() / 4))
    assert plan.balance == max(plan.load)


def test_many_classes_by_local_search():
    """Beyond nine units: no worse than pooling, within the tries, and better than a deal by length."""
    rng = np.random.default_rng(1)
    decode = rng.integers(10, 50, 11)
    plan = route(300, decode, 3, tries=120)
    assert not plan.exhaustive
    assert plan.tried <= 130
    assert plan.margin >= 1 - plan.pooled_rho - 1e-9
    order = np.argsort(decode)
    by_length = plan_of(300, decode, [order[:4].tolist(), order[4:8].tolist(), order[8:].tolist()])
    assert plan.margin > by_length.margin
    assert plan == route(300, decode, 3, tries=120)


def test_units_stay_together():
    """Requests of one label move together: buckets of a trace."""
    rng = np.random.default_rng(2)
    output = rng.integers(1, 60, 400)
    units = np.digitize(output, [15, 30, 45])
    plan = route(200, output, 2, units=units)
    assert sorted(itertools.chain(*plan.groups)) == [0, 1, 2, 3]
    bucketed = plan_of(200, output, [[0], [1], [2], [3]], units=units)
    assert bucketed.margin < plan.margin
    assert "against stability" in bucketed.note
    run = simulate_plan(bucketed, 200, output, 1e5, units=units, steps=2000)
    assert len(run.throughput) == 4


def test_one_replica_is_pooled():
    """One replica takes everything."""
    plan = route(30, (6, 10), 1)
    assert plan.groups == ((0, 1),)
    assert plan.margin == 1 - plan.pooled_rho


@pytest.mark.parametrize(
    ("prompt", "decode", "width"),
    [
        (300, (5, 10), 1),
        (512, (20, 21), 1),
        (512, (40,), 4),
        (512, (100, 200), 19),
        (512, (128, 256, 512), 32),
        (64, (100,), 35),
        (1155, (211,), 33),
        (30, (6, 9, 10, 15), 0),
    ],
)
def test_smallest_width(prompt, decode, width):
    """The widths of the table; one less is unstable."""
    assert widening(prompt, decode) == width
    assert spectral_radius(*widen(prompt, decode, width)) < 1
    if width:
        assert spectral_radius(*widen(prompt, decode, width - 1)) >= 1


def test_width_that_does_not_exist():
    """Short lengths at no input leave no room; the limit is kept."""
    assert widening(0, 2) is None
    assert widening(512, (100, 200), limit=18) is None
    with pytest.raises(BadParameter, match="width"):
        widen(512, (3, 9), 3)


def test_bad_plans():
    """Groups that miss a class, more groups than replicas, and a count without meaning are one line each."""
    with pytest.raises(BadParameter, match="exactly one group"):
        plan_of(30, (6, 10), [(0,)])
    with pytest.raises(BadParameter, match="at least one replica"):
        plan_of(30, (6, 10), [(0,), (1,)], replicas=1)
    with pytest.raises(BadParameter, match="replicas"):
        route(30, (6, 10), 0)
    with pytest.raises(BadParameter, match="units"):
        route(30, (6, 10), 2, units=[1])
