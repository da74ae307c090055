"""Policies against each other: exact cost ratios, Holm's rule, performance profiles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import cells

from kvratio.problem.errors import BadParameter
from kvratio.suite.comparison import compare, costs, frame, holm, profile
from kvratio.suite.comparison_table import comparison_table, profile_table


def _run(**columns):
    """Cells of policies (name -> costs, None where failed) on shared instances."""
    rows = []
    for policy, values in columns.items():
        for k, cost in enumerate(values):
            row = {"policy": policy, "policy_id": policy, "instance": f"i{k}", "cost": cost, "lower": 1, "upper": 1}
            rows.append(row if cost is not None else {**row, "cost": None, "status": "failed"})
    return cells(rows)


def test_cost_ratio_and_counts_by_hand():
    """Costs 2, 8, 5 against 1, 2, 5: geometric mean of 2, 4 and 1 is 2; never better, one equal, two worse."""
    (found,) = compare(_run(a=[2, 8, 5], b=[1, 2, 5]))
    assert (found.policy, found.against, found.instances) == ("a", "b", 3)
    assert (found.better, found.equal, found.worse) == (0, 1, 2)
    assert found.ratio == pytest.approx(2.0)
    assert found.interval[0] <= found.ratio <= found.interval[1]


def test_only_common_instances_count():
    """An instance that one of the two did not finish is left out of the pair."""
    (found,) = compare(_run(a=[2, None, 4], b=[1, 1, None]))
    assert (found.instances, found.ratio) == (1, 2.0)
    assert found.interval is None
    assert compare(_run(a=[2, None], b=[None, 1])) == []


def test_seeds_of_a_randomised_policy_are_averaged():
    """Two seeds with costs 10 and 20 count as one instance of cost 15."""
    table = cells(
        [
            {"policy": "a", "instance": "x", "policy_seed": 0, "cost": 10},
            {"policy": "a", "instance": "x", "policy_seed": 1, "cost": 20},
            {"policy": "b", "instance": "x", "cost": 5},
        ]
    )
    assert costs(table).to_numpy().tolist() == [[15.0, 5.0]]
    assert compare(table)[0].ratio == pytest.approx(3.0)


def test_equal_policies_have_p_one_and_a_clear_difference_a_small_p():
    """Equal costs give no evidence; twice the cost on every one of 40 instances gives plenty."""
    base = list(range(10, 50))
    found = {(one.policy, one.against): one for one in compare(_run(a=base, b=base, c=[2 * x for x in base]))}
    assert found["a", "b"].p == 1.0
    assert found["a", "c"].p_holm < 1e-6
    assert found["a", "c"].ratio == pytest.approx(0.5)


def test_against_names_the_opponents():
    """With opponents named, only their pairs are made; an unknown one is one line."""
    table = _run(a=[1, 2], b=[2, 3], c=[3, 4])
    assert [(one.policy, one.against) for one in compare(table, ["b"])] == [("a", "b"), ("c", "b")]
    with pytest.raises(BadParameter, match="no policy 'd' in this run"):
        compare(table, ["d"])


def test_families_are_kept_apart_when_asked():
    """One comparison a family, in the order of the run."""
    table = _run(a=[1, 4], b=[2, 2])
    table["family"] = ["f", "g", "f", "g"]
    assert [(one.family, one.ratio) for one in compare(table, by_family=True)] == [("f", 0.5), ("g", 2.0)]


def test_holm_by_hand():
    """From .01, .04, .03: sorted .01 x 3, .03 x 2, .04 x 1, made monotone."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_raises_and_keeps_the_order(values):
    """Adjusted values are at least the raw ones, at most 1, at most Bonferroni's, and in the same order."""
    adjusted = holm(values)
    for raw, found in zip(values, adjusted, strict=True):
        assert raw <= found <= max(min(1.0, raw * len(values)), raw) + 1e-12
    for i in range(len(values)):
        for j in range(len(values)):
            assert values[i] >= values[j] or adjusted[i] <= adjusted[j]


def test_profile_by_hand():
    """Factors to the cheapest: a 1, 2, 1; b 2, 1, none: shares at 1 and 2."""
    found = profile(_run(a=[1, 4, 3], b=[2, 2, None], c=[2, 4, 6]))
    assert found.index.tolist() == [1.0, 2.0]
    assert found["a"].tolist() == pytest.approx([2 / 3, 1.0])
    assert found["b"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert found["c"].tolist() == pytest.approx([0.0, 1.0])


@given(st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=1, max_size=8))
def test_profiles_rise_and_somebody_is_cheapest(rows):
    """Shares never fall with the factor, and at factor 1 they sum to at least one."""
    found = profile(_run(**{name: [row[k] for row in rows] for k, name in enumerate("abc")})).to_numpy()
    assert (np.diff(found, axis=0) >= 0).all()
    assert found[0].sum() >= 1 - 1e-12
    assert found[-1].tolist() == [1.0, 1.0, 1.0]


def test_nothing_in_common_is_said():
    """Policies that ran on different instances have no common profile."""
    table = cells([{"policy": "a", "instance": "x", "cost": 1}, {"policy": "b", "instance": "y", "cost": 1}])
    with pytest.raises(BadParameter, match="run by every policy"):
        profile(table)


def test_tables_print_what_was_found():
    """The rows carry counts, ratio and adjusted p; the frame keeps the numbers."""
    found = compare(_run(a=[2, 8, 5], b=[1, 2, 5]))
    row = comparison_table("s", found, 0.95).rows[0]
    assert row[:7] == ("a", "b", "3", "0", "1", "2", "2.000")
    assert math.isclose(frame(found)["ratio"][0], 2.0)
    shares = profile(_run(a=[1, 4], b=[2, 2]), (1.0, 2.0))
    assert profile_table("s", shares).rows == [("a", "50%", "100%"), ("b", "50%", "100%")]
