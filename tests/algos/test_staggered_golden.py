"""Golden values of docs/policies.md section 9 on the compiled staggered and unequal-prompt policies."""

import pytest
from staggered_cases import FOUR, I1, I2, I2A, I3, IDENTICAL

from algos.timetable.slices import pipeline_width, slices
from kvratio import Instance, check, schedule

# id, parameters, total completion on I1, I2, I3, I2a
TABLE = [
    ("sps", {}, 250, 181, 154, 214),
    ("gba", {}, 62, 98, 154, 129),
    ("gba", {"alpha": 1.5}, 58, 98, 208, 129),
    ("gba", {"regime": "large"}, 58, 98, 208, 129),
    ("gba_d", {}, 34, 57, 151, 92),
    ("gsa", {}, 87, 264, 400, 301),
    ("gsa", {"alpha": 2}, 100, 287, 282, 300),
    ("gsa", {"regime": "large"}, 100, 287, 282, 300),
    ("gsa_spec", {}, 97, 121, 278, 234),
    ("gsa_spec", {"tau0": 64}, 57, 69, 160, 92),
    ("rect", {}, 86, 263, 276, 264),
    ("response", {}, 95, 300, 282, 324),
    ("route", {}, 123, 239, 303, 325),
]


@pytest.mark.parametrize(("policy", "given", "i1", "i2", "i3", "i2a"), TABLE)
def test_total_completion(policy, given, i1, i2, i3, i2a):
    """Total completion on the four instances of the table, each feasible."""
    for inst, expected in ((I1, i1), (I2, i2), (I3, i3), (I2A, i2a)):
        sch = schedule(inst, policy, **given)
        check(inst, sch)
        assert sch.total_completion == expected


@pytest.mark.parametrize(
    ("policy", "given", "long_first", "short_first"),
    [("gba", {}, 13448, 13448), ("gsa", {}, 20708, 20126), ("gsa", {"alpha": 2}, 22262, 21680)],
)
def test_two_points(policy, given, long_first, short_first):
    """Six long requests and 194 of one token, in either order of index."""
    for output, expected in (([160] * 6 + [1] * 194, long_first), ([1] * 194 + [160] * 6, short_first)):
        assert schedule(Instance([96] * 200, output, 256), policy, **given).total_completion == expected


@pytest.mark.parametrize(("policy", "expected"), [("sps", 236645), ("gba", 298800), ("gba_d", 295484)])
def test_identical_requests(policy, expected):
    """400 requests (1, 49) in memory 500."""
    assert schedule(IDENTICAL, policy).total_completion == expected


@pytest.mark.parametrize(
    ("prompt", "tau", "memory", "width"),
    [(2, 5, 14, 2), (1, 4, 20, 5), (96, 1, 256, 2), (96, 160, 256, 1), (79, 64, 4096, 36)],
)
def test_pipeline_width(prompt, tau, memory, width):
    """k(tau) of the table."""
    assert pipeline_width(tau, prompt, memory) == width


@pytest.mark.parametrize(
    ("alpha", "cap", "expected"),
    [
        ((7 + 13**0.5) / 6, 200, [1, 3, 5, 9, 17, 30, 53, 95, 168, 200]),
        (4 / 3, 60, [1, 2, 3, 4, 5, 7, 9, 13, 17, 23, 31, 42, 56, 60]),
        (3 / 2, 60, [1, 2, 3, 5, 7, 11, 17, 25, 38, 57, 60]),
    ],
)
def test_slices(alpha, cap, expected):
    """Slices of the table."""
    assert slices(alpha, 1, cap).tolist() == expected


def test_gsa_attempts():
    """Attempts of gsa with alpha = 2 on four requests."""
    expected = {
        (0, 0, 1, False), (1, 0, 1, True), (2, 0, 1, False), (3, 0, 1, False),
        (0, 1, 3, False), (2, 1, 3, False), (3, 2, 4, True),
        (0, 4, 8, False), (2, 6, 9, True),
        (0, 10, 15, True),
    }  # fmt: skip
    attempts = schedule(FOUR, "gsa", alpha=2).attempts.tolist()
    assert len(attempts) == len(expected)
    assert set(attempts) == expected


def test_gba_attempts():
    """Attempts of gba with alpha = 1.5 on the same four."""
    attempts = schedule(FOUR, "gba", alpha=1.5).attempts.tolist()
    assert attempts == [(1, 0, 1, True), (3, 1, 3, True), (2, 3, 6, True), (0, 6, 11, True)]
