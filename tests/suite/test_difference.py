"""What changed between two runs: costs are deterministic, bounds are not, other instances ask for a test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_up import cells, two_by_two

from kvratio.suite.difference import difference_table, differences, frame


def _run(costs, prefix="i", **more):
    rows = [{"instance": f"{prefix}{k}", "cost": c, "lower": 10, "upper": 12, **more} for k, c in enumerate(costs)]
    return cells(rows, policy_parameters="{}")


def test_a_run_is_equal_to_itself():
    """No change, in any order of the rows, with failures and recompute in it."""
    table = two_by_two()[1]
    found = differences(table, table.iloc[::-1])
    assert len(found) == 4
    assert all(change.equal and change.verdict == "equal" for change in found)
    assert difference_table("a", "b", found).rows == []


def test_a_cost_that_differs_on_the_same_instance_is_no_noise():
    """One of three costs doubled: geometric mean 2^(1/3), and the verdict says the policy changed."""
    (change,) = differences(_run([20, 30, 40]), _run([20, 60, 40]))
    assert (change.common, change.cost, change.lower) == (3, 1, 0)
    assert change.ratio == pytest.approx(2 ** (1 / 3))
    assert "not noise" in change.verdict
    assert len(difference_table("a", "b", [change]).rows) == 1


def test_tighter_bounds_are_told_from_different_ones():
    """An interval inside the first one is tighter; one that moved is different."""
    first = _run([20, 30])
    tighter, moved = first.copy(), first.copy()
    tighter["lower"] = 11
    moved["lower"], moved["upper"] = 9, 11
    assert "bounds tighter" in differences(first, tighter)[0].verdict
    assert "bounds different" in differences(first, moved)[0].verdict


def test_a_failure_in_one_run_is_said():
    """The status of a common cell differs."""
    second = _run([20, 30])
    second.loc[0, ["status", "cost"]] = ["failed", None]
    (change,) = differences(_run([20, 30]), second)
    assert change.status == 1
    assert "failed in one run only" in change.verdict


def test_other_instances_ask_for_a_test():
    """The same law twice can be noise; costs doubled on 30 other instances cannot."""
    costs = np.random.default_rng(1).integers(20, 40, size=(2, 30))
    (same,) = differences(_run(costs[0], "a"), _run(costs[1], "b"))
    (other,) = differences(_run(costs[0], "a"), _run(2 * costs[1], "b"))
    assert (same.common, same.only_first, same.only_second) == (0, 30, 30)
    assert "can be noise" in same.verdict
    assert "beyond noise" in other.verdict


def test_a_policy_in_one_run_only_is_said():
    """Cells without a partner are counted on their side; the frame has a row for each pair."""
    both = pd.concat([_run([20, 30]), _run([25], policy="svf", policy_id="svf")])
    found = differences(_run([20, 30]), both)
    assert [(change.policy, change.only_second) for change in found] == [("fcfs", 0), ("svf", 1)]
    assert found[1].verdict == "cells in one run only"
    assert frame(found)["verdict"].tolist() == ["equal", "cells in one run only"]


def test_a_family_of_one_run_is_one_row():
    """Two policies that only the second run has share a row."""
    more = pd.concat([_run([5], "x", family="new", policy=name, policy_id=name) for name in ("a", "b")])
    table = difference_table("one", "two", differences(_run([20]), pd.concat([_run([20]), more])))
    assert table.rows == [("new", "2 policies", "0", "0", "0", "-", "only in the second run")]
    assert table.notes[0].startswith("1 of 3 pairs")
