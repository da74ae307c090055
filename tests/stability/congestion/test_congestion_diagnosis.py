"""Verdicts, what they rest on, and the remedies."""

import math

import numpy as np
import pytest

from kvratio.problem.errors import BadParameter
from stability.congestion import diagnose, equilibrium_rate, pulse_rate, simulate, worst_rate


def remedies(found):
    """Return the values of the remedies by kind."""
    return {remedy.kind: remedy.value for remedy in found.remedies}


def test_stable_mix():
    """A stable mix loses nothing, needs no remedy, and its simulation has no evictions."""
    found = diagnose(30, (6, 9, 10, 15), 600)
    assert found.verdict == "stable"
    assert found.stable
    assert found.unstable_modes == 0
    assert found.throughput == found.equilibrium == equilibrium_rate(30, (6, 9, 10, 15), 600)
    assert found.loss == 0
    assert found.evictions == 0
    assert found.remedies == ()
    assert found.e_folding == pytest.approx(-1 / math.log(found.rho))


def test_one_class():
    """One class ends on its worst cycle; the cap, and a spread of 4 tokens, are offered."""
    found = diagnose(512, 40, 100_000)
    assert (found.verdict, found.cycle, found.gcd, found.unstable_modes) == ("unstable", "worst cycle", 40, 39)
    assert found.throughput == worst_rate(512, 40, 100_000) == found.worst
    assert found.loss == pytest.approx(39 / (2 * 552))
    assert found.wasted_share == pytest.approx(found.loss, rel=1e-3)
    assert remedies(found)["widen"] == 4
    assert remedies(found)["cap"] == found.equilibrium
    assert "one decode length alone" in " ".join(found.reasons)


def test_common_divisor():
    """{100, 200} at 512: the pulse cycle, 99 modes, growth e-fold in 590 iterations; simulation and formula agree."""
    found = diagnose(512, (100, 200), 1e6)
    assert (found.verdict, found.cycle, found.gcd, found.unstable_modes) == ("unstable", "pulse cycle", 100, 99)
    assert found.e_folding == pytest.approx(1 / math.log(1.001694), rel=1e-3)
    assert found.loss == pytest.approx(1 - 0.9233, abs=6e-5)
    assert found.wasted_share == pytest.approx(found.loss, abs=1e-3)
    assert found.evictions / found.equilibrium == pytest.approx(0.267, abs=1e-3)
    assert remedies(found)["widen"] == 19


def test_coprime_but_too_short():
    """{20, 21} at 512: unstable though coprime; the prediction is a simulation, and the needed input is named."""
    found = diagnose(512, (20, 21), 1e6)
    assert (found.verdict, found.cycle, found.gcd, found.unstable_modes) == ("unstable", "simulation", 1, 2)
    assert found.throughput / found.equilibrium == pytest.approx(0.9936, abs=2e-4)
    assert found.pulse == pytest.approx(found.equilibrium)
    assert remedies(found)["prompt"] == 1729
    assert remedies(found)["widen"] == 1


def test_pulse_that_collapses_further():
    """Where the pulse cycle is itself unstable, its rate is not promised: the simulation is."""
    found = diagnose(2, (6, 8), 1000)
    assert found.pulse_rho > 1
    assert found.cycle == "simulation"
    assert found.worst <= found.throughput < found.pulse


def test_too_weak_to_tell():
    """Just above and just below the shortest stable input, growth takes longer than the horizon."""
    for prompt in (51_838, 51_839):
        assert diagnose(prompt, (50, 77), 1e7, steps=0).verdict == "too weak to tell"
    assert diagnose(51_838, (50, 77), 1e7, steps=0, horizon=1e12).verdict == "unstable"
    assert diagnose(51_839, (50, 77), 1e7, steps=0, horizon=1e12).verdict == "stable"


def test_on_the_edge():
    """Roots on the unit circle count as unstable."""
    found = diagnose(1, (2, 3), 600)
    assert found.verdict == "unstable"
    assert found.unstable_modes == 2
    assert "unit circle" in found.reasons[0]


def test_without_simulation():
    """With no steps, formulas stand alone; where only a simulation could tell, the floor is given and named so."""
    found = diagnose(512, (20, 21), 1e6, steps=0)
    assert (found.cycle, found.throughput, found.steps) == ("floor", found.worst, 0)
    assert math.isnan(found.evictions)
    assert diagnose(50, (2, 4), 600, steps=0).throughput == pulse_rate(50, (2, 4), 600)


def test_requests_longer_than_memory():
    """Classes that never fit are named; the others are not."""
    found = diagnose(500, (100, 300, 600), 1000)
    assert found.oversized == (2,)
    assert any("class 2" in line and "never complete" in line for line in found.reasons)
    assert diagnose(500, (100, 300, 500), 1000).oversized == ()


def test_shares_and_labels_of_the_caller():
    """Classes keep the caller's numbers when one before them has no share."""
    assert diagnose(500, (100, 300, 600), 1000, [0, 0.5, 0.5]).oversized == (2,)
    assert diagnose(30, (6, 7), 600, [1, 0]).cycle == "worst cycle"


def test_one_stage():
    """Requests of one iteration cannot be congested."""
    found = diagnose(3, 1, 100)
    assert (found.verdict, found.rho, found.unstable_modes, found.loss) == ("stable", 0, 0, 0)
    assert found.equilibrium == found.worst == 25


def test_cap_of_the_diagnosis_works():
    """The cap that is recommended ends evictions, and serves x*."""
    found = diagnose(64, (100, 101), 1e5)
    run = simulate(64, (100, 101), 1e5, 5000, start=np.zeros(101), cap=found.equilibrium)
    assert run.evicted.sum() == 0
    assert run.throughput(1001) == pytest.approx(found.equilibrium)


def test_bad_parameters():
    """A horizon or a number of steps without meaning is one line."""
    with pytest.raises(BadParameter, match="horizon"):
        diagnose(30, (6, 10), 600, horizon=0)
    with pytest.raises(BadParameter, match="steps"):
        diagnose(30, (6, 10), 600, steps=-1)
