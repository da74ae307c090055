"""The cross-check of theory and simulation: agreement, the same bytes with any number of workers, and what it says."""

import math

import pytest

from kvratio.problem.errors import BadParameter
from kvratio.suite.stability.cases import AT_LEAST, AT_MOST, IS, Case, Expected, all_cases, cap_cases, engine_cases
from kvratio.suite.stability.cross_check import cross_check, save_cross_check
from kvratio.suite.stability.measures import MEASURES, measure


def small(cases):
    """The same cases, over fewer rounds."""
    return [
        Case(
            case.section,
            case.label,
            case.simulator,
            case.measure,
            {**case.settings, "slots": 400},
            case.expected,
        )
        for case in cases
    ]


def test_engines_and_simulators_go_through_the_same_rounds():
    """Swap, recompute, restart in the serving engine, greedy and capped in the unit-round engine: no round differs."""
    found = cross_check(2, 1, 7, cases=small(engine_cases()))
    assert [row.values for row in found.rows] == [(0.0, 0.0)] * 5
    assert found.failed == []


def test_a_difference_would_be_seen():
    """A simulator under another eviction than the engine's differs in most rounds."""
    from kvratio.suite.stability import measures

    usual = measures._rows
    try:
        measures._rows = lambda prompt, output, memory, eviction, slots, cap=math.inf: usual(
            prompt, output, memory, "swap", slots, cap
        )
        found = measure("serving_engine", {"memory": 3000, "longest": 120, "eviction": "restart", "slots": 400}, 0)
    finally:
        measures._rows = usual
    assert found["rounds that differ"] > 100


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    """Tables and numbers are equal with one worker and with two."""
    cases = cap_cases()[:2]
    for count in (1, 2):
        save_cross_check(cross_check(2, count, 1, cases=cases), tmp_path / str(count))
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert {"cross_check.csv", "cross_check.md", "cross_check.tex", "cross_check_numbers.csv"} <= set(names)
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_cap_agrees_with_theory():
    """Greedy completes T_worst, caps below x* what they let in, without evictions."""
    found = cross_check(1, 1, cases=cap_cases()[:4])
    assert found.failed == []
    by = {(row.label.rpartition(", ")[2], row.quantity): row.mean for row in found.rows}
    assert by["greedy", "T"] == pytest.approx(1.25, abs=0.01)
    assert by["cap .9 x*", "evicted / completed"] == 0
    assert by["greedy", "evicted / completed"] > 0.9


def test_intervals_need_replications():
    """One run has no interval; two give a half width; the table shows both."""
    alone, twice = (cross_check(count, 1, cases=cap_cases()[:1]) for count in (1, 2))
    assert math.isnan(alone.rows[0].half)
    assert twice.rows[0].half == 0.0
    assert alone.table().rows[0][5] == "-"
    assert twice.frame["replications"].tolist() == [2, 2]


def test_every_case_can_be_measured():
    """Each case names a measure that exists, and its labels are unique within the table."""
    cases = all_cases()
    assert {case.measure for case in cases} == set(MEASURES)
    assert len({(case.section, case.label) for case in cases}) == len(cases)


@pytest.mark.parametrize(
    ("expected", "mean", "agrees"),
    [
        (Expected(IS, 1.0, 0.1), 1.05, True),
        (Expected(IS, 1.0, 0.1), 1.2, False),
        (Expected(AT_MOST, 1.0), 0.2, True),
        (Expected(AT_MOST, 1.0), 1.2, False),
        (Expected(AT_LEAST, 1.0), 1.2, True),
        (Expected(AT_LEAST, 1.0), 0.2, False),
        (Expected(IS, 1.0), math.nan, False),
        (Expected(), 5.0, None),
    ],
)
def test_agreement(expected, mean, agrees):
    """A value must be met within its tolerance, a bound kept; where theory is silent there is no verdict."""
    assert expected.agrees(mean) is agrees


@pytest.mark.parametrize(
    ("given", "message"), [({"replications": 0}, "replications is 0"), ({"seed": -1}, "seed is -1")]
)
def test_bad_use(given, message):
    """Figures without meaning are refused."""
    with pytest.raises(BadParameter, match=message):
        cross_check(**given)
