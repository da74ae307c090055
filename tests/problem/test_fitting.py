"""Fitting a clock: exact on noiseless rows, honest on noisy ones, and refusing what cannot be identified."""

import math
import pickle
import warnings

import numpy as np
import pytest

from kvratio import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.fitting import FitWarning, fit_clock, warn_outside
from kvratio.problem.presets import presets
from kvratio.problem.seeds import stream

GRID = [(K, P) for K in (1000, 4000, 9000, 20_000, 60_000, 130_000) for P in (0, 64, 256, 512, 2048)]


def timed(clock, grid=GRID):
    """Return noiseless rows (K, P, seconds)."""
    return [(K, P, clock.iteration(K, P)) for K, P in grid]


@pytest.mark.parametrize("clock", [p.clock for p in presets() if isinstance(p.clock, Clock) and p.clock.d2 > 0])
def test_noiseless_rows_give_the_constants_back(clock):
    """Every linear preset is recovered to 1e-9 relative, with no warning, and a report that says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Clock.fit(timed(clock))
    for name in ("d0", "d1", "d2"):
        assert getattr(found, name) == pytest.approx(getattr(clock, name), rel=1e-9)
    report = found.report
    assert report.r_squared == pytest.approx(1)
    assert report.largest_relative_error < 1e-9
    assert report.held_out_error < 1e-9
    assert report.cached_range == (1000, 130_000)
    assert report.prompt_range == (0, 2048)
    assert (report.cells, report.warnings) == (30, ())
    assert pickle.loads(pickle.dumps(found)).report == report


def test_a_coefficient_that_is_zero_is_found_and_told():
    """Times that do not grow with P give d2 = 0 exactly, with a warning and no standard error."""
    clock = Clock(0.0106, 4.01e-7)
    rows = np.array(timed(clock))
    rows[:, 2] -= 1e-9 * rows[:, 1]  # a slightly falling trend: the unbounded fit would be negative
    with pytest.warns(FitWarning, match="d2 is held at 0"):
        found = fit_clock(rows)
    assert found.d2 == 0
    assert math.isnan(found.report.standard_errors["d2"])
    assert found.d1 == pytest.approx(4.01e-7, rel=1e-3)


def test_noise_gives_errors_of_the_right_size():
    """With 2 % noise the true constants lie within 4 standard errors, which shrink with the number of cells."""
    clock = Clock(0.0106, 4.01e-7, 6.4e-5)
    rng = stream("test fit")
    rows = np.array(timed(clock) + timed(clock, [(K + 37, P + 5) for K, P in GRID if P]))
    rows[:, 2] *= 1 + 0.02 * rng.standard_normal(len(rows))
    report = fit_clock(rows).report
    for name in ("d0", "d1", "d2"):
        error = report.standard_errors[name]
        assert 0 < error < 0.1 * getattr(clock, name)
        assert abs(report.coefficients[name] - getattr(clock, name)) < 4 * error
    assert 0.02 < report.largest_relative_error < 0.1
    assert 0 < report.held_out_mean_error <= report.held_out_error < 0.1
    assert report.r_squared > 0.98


def test_standard_errors_against_replications():
    """The stated standard errors match the spread of 300 refits to fresh noise within 15 %."""
    clock, rng = Clock(0.0106, 4.01e-7, 6.4e-5), stream("test fit spread")
    rows = np.array(timed(clock))
    found, stated = [], []
    for _ in range(300):
        noisy = rows.copy()
        noisy[:, 2] *= 1 + 0.02 * rng.standard_normal(len(rows))
        report = fit_clock(noisy).report
        found.append(list(report.coefficients.values()))
        stated.append(list(report.standard_errors.values()))
    assert np.std(found, axis=0) == pytest.approx(np.mean(stated, axis=0), rel=0.15)


def test_repeats_count_by_their_median():
    """A cell measured five times with one stray value is fitted as its median, and counts as one cell."""
    clock = Clock(0.0106, 4.01e-7, 6.4e-5)
    rows = [(K, P, t * factor) for K, P, t in timed(clock) for factor in (1, 1, 1, 0.99, 7)]
    found = fit_clock(rows)
    assert found.d1 == pytest.approx(clock.d1, rel=1e-9)
    assert found.report.cells == 30
    with pytest.raises(BadParameter, match="6 distinct cells"):
        fit_clock([row for row in rows if row[1] == 0])


def test_a_fourth_column_is_taken():
    """Decodes may be given as a fourth column; the linear form does not use them."""
    clock = Clock(0.0106, 4.01e-7, 6.4e-5)
    assert fit_clock([(*row, 16) for row in timed(clock)]).d2 == pytest.approx(clock.d2, rel=1e-9)


def test_thin_designs_are_told():
    """Few values of K over a small factor, no P = 0: fitted, with one warning each."""
    clock = Clock(0.0106, 4.01e-7, 6.4e-5)
    grid = [(K, P) for K in (4000, 5000, 6000, 7000) for P in (64, 128, 512)]
    with pytest.warns(FitWarning) as caught:
        found = fit_clock(timed(clock, grid))
    assert [str(w.message) for w in caught] == [f"fit_clock: {note}" for note in found.report.warnings]
    assert found.report.warnings == (
        "4 positive values of K over a factor of 1.75: take at least 6 over a factor of 8",
        "3 positive values of P and none with P = 0: take P = 0 and at least 4 positive values",
    )


def test_leaving_the_range_is_told():
    """More than 1.5 times the largest K or P measured is named; within it, silence."""
    report = Clock.fit(timed(Clock(0.0106, 4.01e-7, 6.4e-5))).report
    assert report.outside(190_000, 3000) == []
    assert report.outside(200_000, 4000) == [
        "the simulation reached 200000 key-value tokens K; the clock was fitted up to 130000",
        "the simulation reached 4000 prompt tokens P; the clock was fitted up to 2048",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 2)], "rows have shape (1, 2)"),
        ([], "rows have shape (0,)"),
        ([("a", 1, 2)], "not a table of numbers"),
        ([(1, 0, 0.1), (-1, 0, 0.1)], "row 1 is [-1.0, 0.0, 0.1]"),
        ([(1, 0, 0.1), (1, 0, 0.0)], "row 1 took 0.0 s"),
        ([(1, 0, math.nan)], "row 0 took nan s"),
        (timed(Clock(0.01, 1e-7, 1e-5), GRID[:11]), "11 distinct cells"),
        ([(K, 0, 0.01 + K * 1e-7) for K in range(1, 20)], "P is 0 in every cell"),
        ([(K, 2 * K, 0.01 + K * 1e-7) for K in range(1, 20)], "linearly dependent"),
    ],
)
def test_refusals(rows, message):
    """Malformed rows, too few cells and designs that identify nothing are refused in one line."""
    with pytest.raises(BadParameter) as caught:
        fit_clock(rows)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_beyond_the_range_is_warned_about():
    """One line for both K and P; a clock that was not fitted, or a run within the range, says nothing."""
    clock = Clock.fit(timed(Clock(0.0106, 4.01e-7, 6.4e-5)))
    with pytest.warns(FitWarning) as caught:
        warn_outside(clock, 200_000, 4000)
    assert [str(w.message) for w in caught] == [
        "times are extrapolated: the simulation reached 200000 key-value tokens K; the clock was fitted up to 130000; "
        "the simulation reached 4000 prompt tokens P; the clock was fitted up to 2048"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_outside(clock, 190_000, 3000)
        warn_outside(Clock(0.1, 0.0), 1e9, 1e9)
