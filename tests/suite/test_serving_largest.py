"""The search for the largest stable rate finds known limits and keeps the rules of its bisection."""

import math

import pytest

from instances.workloads import Workload
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter, PolicyError
from kvratio.suite.progress import Silent
from kvratio.suite.serving import largest
from kvratio.suite.serving.best_rate import best_rate
from kvratio.suite.serving.contender import contender
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.largest import largest_stable_rate
from kvratio.suite.serving.load import Load, open_load
from kvratio.suite.serving.verdict import Evidence

#: one request at a time takes two iterations of 0.1 s: five requests a second
SERVER = Hardware(Clock(0.1, 0.0), 12)
UNITS = Workload([(1, 1, 1.0)], name="units")


@pytest.fixture(scope="module")
def known():
    """Return the search on a queue whose limit is known."""
    return largest_stable_rate("fcfs:max_batch=1", UNITS, SERVER, requests=1500, workers=1)


def test_a_known_limit_is_found(known):
    """A server of five requests a second is stable up to five; 1 % of the arrivals may pile up unseen."""
    assert known.fluid_limit == pytest.approx(40.0)
    assert 4.7 < known.low <= 5.06
    assert known.low < known.high
    assert (known.high - known.low) / known.high <= 0.02
    assert known.empty.confirmed
    assert known.empty.visits[-1].rate == pytest.approx(0.95 * known.low)


def test_the_search_begins_where_it_should(known):
    """The first rate is a fifth of the fluid limit and is halved until it is stable."""
    assert [visit.rate for visit in known.empty.visits[:2]] == pytest.approx([8.0, 4.0])
    assert [visit.verdict for visit in known.empty.visits[:2]] == ["unstable", "stable"]


def test_any_number_of_workers_finds_the_same(known):
    """Two processes visit the same rates with the same verdicts, digit for digit."""
    again = largest_stable_rate("fcfs:max_batch=1", UNITS, SERVER, requests=1500, workers=2)
    assert (again.empty, again.loaded) == (known.empty, known.loaded)


def test_a_second_search_begins_with_a_backlog(known):
    """It is q = 2 C / E[l + o]; this queue forgets a backlog, so the two limits agree."""
    assert known.loaded.backlog == 12
    assert not known.two_limits
    assert known.row()["low_from_backlog"] == known.loaded.low


def test_a_policy_stable_above_the_fluid_limit_stops_the_search(monkeypatch):
    """Then the engine or the fluid model is wrong, and nobody gets a number."""
    monkeypatch.setattr(Load, "fluid_limit", lambda self, hardware: 2.0)
    with pytest.raises(PolicyError, match="above the fluid limit"):
        largest_stable_rate("fcfs:max_batch=1", UNITS, SERVER, requests=1500, workers=1)


def test_no_thresholds_is_not_stable():
    """WAIT with types that never fit together has no stable rate, and says why."""
    many = Workload([(20, 5, 1.0), (20, 6, 1.0), (20, 7, 1.0)])
    found = largest_stable_rate("wait", many, Hardware(Clock(0.1, 0.0), 100), requests=100, workers=1)
    assert found.low == 0.0
    assert {visit.verdict for visit in found.empty.visits} == {"no thresholds"}
    assert found.loaded is None


def test_undecided_runs_are_doubled_three_times_and_count_as_not_stable(monkeypatch):
    """Growth around the limit makes runs longer, at most eightfold."""
    asked = []

    def runs(self, rate, n):
        asked.append(n)
        return [Evidence("fcfs", n, 0.01 + 0.02 * (-1) ** k, 1.0, 1.0, n, 1e6) for k in range(10)]

    monkeypatch.setattr(largest._Judge, "_runs", runs)
    judge = largest._Judge(contender("fcfs"), open_load(UNITS), SERVER, 10, 100, 0, 1, Silent())
    visit = judge.visit(3.0)
    assert asked == [100, 200, 400, 800]
    assert (visit.verdict, visit.stable, visit.n) == ("undecided", False, 800)


def test_a_run_that_is_only_too_short_takes_the_length_it_needs(monkeypatch):
    """No growth but a crowded system: the next n is the one the verdict asks for."""
    asked = []

    def runs(self, rate, n):
        asked.append(n)
        return [Evidence("fcfs", n, 0.0, 60.0, 1.0, n, 1e6)] * 10

    monkeypatch.setattr(largest._Judge, "_runs", runs)
    judge = largest._Judge(contender("fcfs"), open_load(UNITS), SERVER, 10, 100, 0, 1, Silent())
    assert judge.visit(3.0).stable
    assert asked == [100, 1200]


def test_a_better_candidate_raises_the_limit():
    """Default and tuned limits both stand; a batch of one is the worst that a policy can do here."""
    found = best_rate(contender("fcfs"), open_load(UNITS), SERVER, tuning=2, tell=Silent())
    assert found.candidates == 2
    assert found.tuned.low >= found.default.low
    assert [row["setting"] for row in found.rows()] == ["default", "tuned"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"replications": 5}, "at least 10"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"backlog": -1}, "backlog is -1"),
        ({"memory": None, "clock": Clock(0.1, 0.0)}, "memory is missing"),
    ],
)
def test_bad_options_are_one_line(options, told):
    """What is wrong is named before the search begins."""
    given = {"clock": SERVER, "workers": 1, "requests": 100, **options}
    with pytest.raises(BadParameter, match=told):
        largest_stable_rate("fcfs:max_batch=1", UNITS, **given)


def test_growth_is_nan_without_thresholds():
    """A rate that was not run shows no growth."""
    judge = largest._Judge(contender("wait"), open_load(UNITS), SERVER, 10, 100, 0, 1, Silent())
    visit = judge.visit(1000.0)
    assert visit.verdict == "no thresholds"
    assert math.isnan(visit.growth)
