"""The rules that judge published figures: each agrees, differs and stays open on made-up results."""

import math

import pytest
from suite.made_up import cells

from kvratio.suite.papers.finding import AGREES, DIFFERS, FAILED, NOT_COMPARABLE, OPEN
from kvratio.suite.papers.judge import JUDGES, judge
from kvratio.suite.papers.reported import RULES, Reported
from kvratio.suite.papers.results import Results


def costs(**by_policy):
    """Cells of policies on three seeds at counts 10 and 20; a list of six numbers each, count 10 first."""
    rows = []
    for policy, values in by_policy.items():
        for k, cost in enumerate(values):
            count, seed = (10, 20)[k // 3], k % 3
            about = {"parameters": f'{{"count":{count}}}', "instance_seed": seed, "instance": f"{count}-{seed}"}
            # The optimum lies between half and all of 100.
            rows.append({"policy": policy, "cost": cost, "lower": 50, "upper": 100, **about})
    return Results(cells(rows), resamples=50)


RESULTS = costs(
    good=[100, 101, 102, 100, 101, 102],
    fair=[120, 121, 122, 200, 202, 204],
    noisy=[50, 120, 160, 60, 110, 150],
)
BROKEN = cells([{"cost": 300, "lower": 50, "upper": 100, "guarantee": 2.0, "guarantee_holds": True}])
KEPT = cells([{"cost": 150, "lower": 50, "upper": 100, "guarantee": 2.0, "guarantee_holds": True}])
SILENT = cells([{"cost": 150, "lower": 50, "upper": 100, "guarantee": 2.0, "guarantee_holds": False}])


def verdict(rule, *policies, results=RESULTS, **given):
    """Judge a figure of the made-up family and return the verdict."""
    figure = Reported("figure", "printed", rule, family="trap", policies=policies, **given)
    return judge(figure, results, "0000.00000").verdict


@pytest.mark.parametrize(("limit", "expected"), [(1.2, AGREES), (0.8, DIFFERS)])
def test_at_most_judges_a_relative_cost(limit, expected):
    """A relative cost is compared with the limit by its whole bootstrap interval: 0.84 and 0.5 lie between."""
    assert verdict("at_most", "good", against="fair", limit=limit, at={"count": 10}) == expected


def test_at_most_is_open_where_the_interval_straddles_the_limit():
    """A policy that is cheaper on some seeds and dearer on others gives no verdict at 1."""
    assert verdict("at_most", "noisy", against="good", limit=1.0) == OPEN


@pytest.mark.parametrize(("limit", "expected"), [(2.1, AGREES), (1.5, OPEN), (0.9, DIFFERS)])
def test_a_ratio_is_judged_by_its_proven_interval(limit, expected):
    """The mean ratio lies in [1.01, 2.02]: inside, across and outside of the limit."""
    assert verdict("at_most", "good", quantity="mean_ratio", limit=limit) == expected


@pytest.mark.parametrize(("limit", "expected"), [(1.0, AGREES), (1.5, OPEN), (2.5, DIFFERS)])
def test_at_least_judges_the_worst_ratio(limit, expected):
    """The worst ratio lies in [1.02, 2.04]."""
    assert verdict("at_least", "good", quantity="worst_ratio", limit=limit) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.5, AGREES), (0.9, DIFFERS)])
def test_near_needs_the_printed_value_within_the_tolerance(value, expected):
    """The relative cost at count 20 is 0.5 exactly."""
    assert verdict("near", "good", against="fair", at={"count": 20}, value=value, tolerance=0.05) == expected


def test_order_holds_only_as_written():
    """The reversed order differs, one with a noisy neighbour is open, and a tolerance lets equals pass."""
    assert verdict("order", "good", "fair") == AGREES
    assert verdict("order", "fair", "good") == DIFFERS
    assert verdict("order", "noisy", "good") == OPEN
    assert verdict("order", "fair", "good", at={"count": 10}, tolerance=0.25) == AGREES


def test_best_counts_instances():
    """The noisy policy is cheapest on two of six instances: enough for a third, not for a half."""
    assert verdict("best", "good", "fair", limit=1.0) == AGREES
    assert verdict("best", "noisy", "good", limit=0.3) == AGREES
    assert verdict("best", "noisy", "good", limit=0.5) == DIFFERS


def test_grows_compares_the_ends_of_a_grid():
    """The gap of fair to good grows from 1.2 to 2; that of good to good does not; that of noisy is open."""
    assert verdict("grows", "good", against="fair", along="count") == AGREES
    assert verdict("grows", "good", against="fair", along="count", limit=2.0) == DIFFERS
    assert verdict("grows", "fair", against="good", along="count") == DIFFERS
    assert verdict("grows", "good", against="noisy", along="count") == OPEN


@pytest.mark.parametrize(("table", "expected"), [(KEPT, AGREES), (BROKEN, DIFFERS), (SILENT, OPEN)])
def test_holds_looks_for_a_ratio_proven_above_a_guarantee(table, expected):
    """A ratio of at least 3 breaks a guarantee of 2; without its hypotheses nothing is said."""
    assert verdict("holds", "fcfs", results=Results(table)) == expected


def test_another_point_stands_in_the_denominator():
    """The cost of fair at count 20 is five thirds of that at count 10, seed by seed."""
    given = {"at": {"count": 20}, "against_at": {"count": 10}, "value": 5 / 3, "tolerance": 0.01}
    assert verdict("near", "fair", **given) == AGREES
    assert verdict("near", "good", **given) == DIFFERS


def test_a_failed_cell_is_no_verdict():
    """One failed cell behind a figure makes it failed, with the message of the cell."""
    table = RESULTS.cells.assign(message="it broke")
    table.loc[0, "status"] = "failed"
    figure = Reported("figure", "printed", "order", family="trap", policies=("good", "fair"))
    found = judge(figure, Results(table), "0000.00000")
    assert found.verdict == FAILED
    assert "it broke" in found.why


def test_nothing_comparable_says_why():
    """The rule none computes nothing and keeps the note."""
    found = judge(Reported("seconds", "3 s", "none", note="measured on a GPU"), None, "0000.00000")
    assert (found.verdict, found.ours, found.why) == (NOT_COMPARABLE, "-", "measured on a GPU")


def test_every_rule_has_a_judge():
    """No rule that a file may name is left without code."""
    assert set(RULES) - {"none"} == set(JUDGES)


def test_a_recompute_policy_has_no_proven_lower_end():
    """Where the lower end has no meaning, only the upper one can make a verdict."""
    rows = [{"policy": "vllm", "eviction": "recompute", "cost": 150, "lower": 50, "upper": 100}]
    results = Results(cells(rows))
    assert verdict("at_most", "vllm", quantity="mean_ratio", limit=3.0, results=results) == AGREES
    assert verdict("at_least", "vllm", quantity="mean_ratio", limit=2.0, results=results) == OPEN
    assert math.isclose(results.ratio("trap", "vllm", {}).high, 3.0)
