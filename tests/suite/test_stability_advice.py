"""Advice on a mix: how it is named, what is found, and routing before and after."""

from itertools import pairwise

import numpy as np
import pytest

from kvratio.problem.errors import BadParameter
from kvratio.suite.stability.advice import advise
from kvratio.suite.stability.mix import Mix, mix_of_classes, mix_of_columns


def test_classes_from_texts():
    """Shares are relative, classes without one are left out and counted."""
    mix = mix_of_classes(["30:6:1", "30:10:3", "5:7:0"])
    assert mix.decode.tolist() == [6, 10]
    assert mix.shares.tolist() == [0.25, 0.75]
    assert mix.note == "1 class with share 0 left out"
    assert mix_of_columns([30], [6, 10], None).prompt.tolist() == [30, 30]


def test_many_lengths_are_routed_in_buckets():
    """Up to nine classes each is a unit; more are put into buckets of about equal shares, by length."""
    assert mix_of_columns([30], [6, 10], None).unit_names() == ["6", "10"]
    mix = Mix("many", np.full(600, 10.0), np.arange(1, 601), np.full(600, 1 / 600))
    assert np.bincount(mix.units).tolist() == pytest.approx([100] * 6, abs=2)
    assert mix.unit_names()[0].startswith("1-")
    assert (np.diff(mix.units) >= 0).all()


def test_one_length_is_unstable_and_the_cap_helps():
    """l0 = 10, l1 = 40: greedy completes T_worst and evicts; the cap that is found does not."""
    found = advise(mix_of_classes(["10:40"]), 2000, steps=4000)
    assert found.diagnosis.verdict == "unstable"
    assert found.greedy.throughput == pytest.approx(1.0, abs=0.05)
    assert found.greedy.evictions > 3
    assert found.capped.evictions == 0
    assert found.capped.share == 0.97
    assert 0 < found.at_equilibrium.evictions < 0.1
    assert found.routings == ()


def test_pooling_beats_sorting_by_length():
    """{6, 10} and {9, 15} are unstable apart, {6, 9, 10, 15} together is stable: by mass and by whole requests."""
    mix = mix_of_classes(["30:6", "30:10", "30:9", "30:15"])
    found = advise(mix, 6000, replicas=2, steps=3000)
    pooled, sorted_, best = found.routings
    assert [one.name for one in found.routings] == ["same mix everywhere", "by length", "best found"]
    assert pooled.plan.stable
    assert best.plan.stable
    assert not sorted_.plan.stable
    assert best.plan.rho[0] == pytest.approx(0.9910, abs=1e-4)
    assert best.ratio > 0.999 > 0.95 > sorted_.ratio
    assert best.whole_evictions < 0.01 < sorted_.whole_evictions


def test_by_length_serves_every_unit_once():
    """However many replicas, every class is somewhere, no group is empty, and groups follow each other in length."""
    mix = mix_of_classes(["30:6:5", "30:10:1", "30:9:1", "30:15:1", "30:40:9"])
    for replicas in range(2, 7):
        plan = advise(mix, 6000, replicas=replicas, steps=100).routings[1].plan
        assert sorted(unit for group in plan.groups for unit in group) == list(range(5))
        assert sum(plan.replicas) == replicas
        lengths = [[int(mix.decode[unit]) for unit in group] for group in plan.groups]
        assert all(max(a) < min(b) for a, b in pairwise(lengths))


def test_requests_beyond_memory_are_not_simulated():
    """The theory of divisible requests still answers; whole requests could never finish."""
    found = advise(mix_of_classes(["30:6", "30:10"]), 38, replicas=2)
    assert found.diagnosis.oversized == (1,)
    assert found.greedy is None
    assert found.steps == 0
    assert np.isnan(found.routings[0].whole_ratio)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["30"], "PROMPT:DECODE"),
        (["a:b"], "PROMPT:DECODE"),
        (["30:6:1", "30:10"], "give all of them one, or none"),
        (["30:6:0"], "not all 0"),
        (["30:0"], "decode length is 0"),
        (["-1:4"], "prompt is -1"),
    ],
)
def test_bad_classes_are_one_line(texts, message):
    """A class that cannot be read is named."""
    with pytest.raises(BadParameter, match=message):
        mix_of_classes(texts)


@pytest.mark.parametrize(("given", "message"), [({"replicas": 0}, "replicas is 0"), ({"steps": 1}, "steps is 1")])
def test_bad_numbers_are_one_line(given, message):
    """Numbers without meaning are refused."""
    with pytest.raises(BadParameter, match=message):
        advise(mix_of_classes(["30:6"]), 600, **given)
