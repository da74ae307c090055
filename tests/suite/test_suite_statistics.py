"""Intervals per instance, worst, mean and bootstrap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import cells

from kvratio.suite.statistics import Interval, bootstrap, frame, hardest_per_policy, per_instance, summarise


def test_worst_is_the_maximum_of_each_end_and_mean_the_mean():
    """Ends are treated apart: the worst interval need not belong to one instance."""
    table = cells([{"cost": 30, "lower": 10, "upper": 20}, {"cost": 40, "lower": 20, "upper": 21}])
    summary = summarise(table)[0]
    assert summary.worst == Interval(40 / 21, 3.0)
    assert summary.mean == Interval((1.5 + 40 / 21) / 2, 2.5)
    assert summary.instances == 2


def test_ends_that_meet_are_exact():
    """An interval is exact only when both ends are equal."""
    assert summarise(cells([{"cost": 30, "lower": 10, "upper": 10}]))[0].worst.exact
    assert not summarise(cells([{"cost": 30, "lower": 9, "upper": 10}]))[0].worst.exact


def test_a_flow_bound_of_zero_gives_an_infinite_upper_end():
    """L <= 0 bounds nothing from above."""
    summary = summarise(cells([{"cost": 30, "lower": -4, "upper": 10}, {"cost": 30, "lower": 10, "upper": 10}]))[0]
    assert summary.worst == Interval(3.0, math.inf)
    assert summary.mean.high == math.inf
    assert summary.high_bootstrap is None
    assert summary.low_bootstrap == (3.0, 3.0)


def test_recompute_has_no_lower_end():
    """Without a lower end the hardest instance is that of the largest upper end."""
    rows = [{"cost": 30, "lower": 10, "upper": 20}, {"cost": 50, "lower": 10, "upper": 50}]
    summary = summarise(cells(rows, eviction="recompute"))[0]
    assert summary.worst == Interval(None, 5.0)
    assert summary.low_bootstrap is None
    assert summary.hardest == "instance-1"


def test_seeds_of_a_randomised_policy_are_averaged_first():
    """Two seeds on one instance are one instance with the mean cost; their spread is shown apart."""
    rows = [
        {"instance": "a", "policy_seed": 0, "cost": 20, "lower": 10, "upper": 10},
        {"instance": "a", "policy_seed": 1, "cost": 40, "lower": 10, "upper": 10},
        {"instance": "b", "policy_seed": 0, "cost": 10, "lower": 10, "upper": 10},
        {"instance": "b", "policy_seed": 1, "cost": 10, "lower": 10, "upper": 10},
    ]
    summary = summarise(cells(rows))[0]
    assert summary.instances == 2
    assert summary.worst == Interval(3.0, 3.0)
    assert summary.mean == Interval(2.0, 2.0)
    assert summary.spread == pytest.approx(np.std([20, 40], ddof=1) / 30)


def test_an_instance_that_several_seeds_give_counts_once():
    """Seeds of a family that draws nothing are no sample."""
    rows = [{"instance": "a", "instance_seed": k, "cost": 20, "lower": 10, "upper": 10} for k in range(5)]
    summary = summarise(cells(rows))[0]
    assert summary.instances == 1
    assert summary.low_bootstrap is None


def test_the_bootstrap_is_the_same_everywhere_and_encloses_the_mean():
    """The stream is named, so the interval repeats; other names give other resamples."""
    values = np.arange(1.0, 21.0)
    low, high = bootstrap(values, 500, 0.95, "family")
    assert (low, high) == bootstrap(values, 500, 0.95, "family")
    assert (low, high) != bootstrap(values, 500, 0.95, "another")
    assert low < values.mean() < high
    assert bootstrap(values[:1], 500, 0.95, "family") is None


def test_the_bootstrap_covers_as_often_as_it_says():
    """On normal samples of 40, a 90 % interval covers the true mean in about 90 % of 400 draws."""
    draws = np.random.default_rng(5).normal(3.0, 1.0, size=(400, 40))
    covered = [low <= 3.0 <= high for k, x in enumerate(draws) for low, high in [bootstrap(x, 400, 0.9, k)]]
    assert 0.85 < np.mean(covered) < 0.94


def test_guarantees_are_shown_where_they_hold_and_alarms_need_the_lower_end():
    """A ratio whose upper end alone is above the guarantee is no alarm; its lower end above it is."""
    rows: list[dict[str, Any]] = [
        {"cost": 30, "lower": 5, "upper": 20, "guarantee": 4.0, "guarantee_holds": True},
        {"cost": 90, "lower": 5, "upper": 20, "guarantee": 4.0, "guarantee_holds": True},
        {"cost": 90, "lower": 5, "upper": 20, "guarantee": 9.0, "guarantee_holds": False},
    ]
    summary = summarise(cells(rows))[0]
    assert summary.broken == 1
    assert summary.holds == pytest.approx(2 / 3)
    assert (summary.guarantee_low, summary.guarantee_high) == (4.0, 4.0)


def test_failed_cells_are_counted_and_left_out():
    """A summary rests on the cells that are ok; with none, it has no ratio."""
    rows = [{"cost": 30, "lower": 10, "upper": 10}, {"status": "failed"}]
    summary = summarise(cells(rows))[0]
    assert (summary.instances, summary.failed) == (1, 1)
    empty = summarise(cells([{"status": "failed"}]))[0]
    assert empty.worst is None
    assert empty.failed == 1
    assert np.isnan(frame([empty])["worst_low"].iloc[0])


def test_the_hardest_instance_is_that_of_the_largest_proven_ratio():
    """Over families, the lower end decides."""
    one = cells([{"instance": "a", "cost": 30, "lower": 3, "upper": 20}], family="loose")
    two = cells([{"instance": "b", "cost": 30, "lower": 10, "upper": 10}], family="tight")
    hardest = hardest_per_policy(summarise(pd.concat([one, two])))
    assert [(s.family, s.hardest) for s in hardest] == [("tight", "b")]


def test_per_instance_keeps_the_order_of_the_table():
    """Instances come in the order of the suite, not of their keys."""
    rows = [{"instance": key, "cost": 20, "lower": 10, "upper": 10} for key in "zay"]
    assert per_instance(cells(rows))["instance"].tolist() == ["z", "a", "y"]
