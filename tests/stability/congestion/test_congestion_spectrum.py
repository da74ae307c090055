"""Roots, radius, unstable modes, the pulse dynamics and the shortest stable input: the tables, and two methods."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.congestion import (
    equilibrium_rate,
    min_prompt,
    min_prompt_law,
    pulse_radius,
    pulse_rate,
    roots,
    spectral_radius,
    stage_weights,
    survival,
    unstable_modes,
    worst_rate,
)
from stability.congestion.winding import count_outside


@pytest.mark.parametrize(
    ("prompt", "decode", "best", "worst", "least", "largest"),
    [
        (2, 3, 83.3333, 66.6667, 1.2910, 1.2910),
        (5, 8, 13.1579, 9.6154, 1.1139, 1.1184),
        (10, 40, 0.8197, 0.5000, 1.0352, 1.0400),
        (20, 20, 1.6393, 1.2500, 1.0338, 1.0346),
        (100, 10, 0.9479, 0.9091, 1.0095, 1.0095),
    ],
)
def test_one_class_table(prompt, decode, best, worst, least, largest):
    """M=1000: x*, T_worst and the range of the root moduli."""
    assert equilibrium_rate(prompt, decode, 1000) == pytest.approx(best, abs=6e-5)
    assert worst_rate(prompt, decode, 1000) == pytest.approx(worst, abs=6e-5)
    assert pulse_rate(prompt, decode, 1000) == pytest.approx(worst_rate(prompt, decode, 1000))
    moduli = np.abs(roots(prompt, decode))
    assert moduli.min() == pytest.approx(least, abs=6e-5)
    assert moduli.max() == pytest.approx(largest, abs=6e-5)
    assert unstable_modes(prompt, decode) == decode - 1


@pytest.mark.parametrize(
    ("prompt", "decode", "percent"),
    [
        (2, 3, 20.000),
        (5, 8, 26.923),
        (10, 40, 39.000),
        (20, 20, 23.750),
        (100, 10, 4.091),
        (1, 10, 40.91),
        (1, 100, 49.01),
        (1, 1000, 49.90),
        (16, 1024, 49.18),
        (128, 256, 33.20),
        (512, 512, 24.95),
        (1024, 128, 5.51),
    ],
)
def test_loss_curve(prompt, decode, percent):
    """1 - T_worst / x* = (l1-1) / (2 (l0+l1)) to the printed digits."""
    loss = 1 - worst_rate(prompt, decode, 1000) / equilibrium_rate(prompt, decode, 1000)
    assert loss == pytest.approx((decode - 1) / (2 * (prompt + decode)))
    assert 100 * loss == pytest.approx(percent, abs=0.0051)


MIXES = [
    (50, (2, 3), 0.7208, 0, 4.6332, None, None),
    (50, (2, 4), 1.0194, 1, 3.8339, 3.7975, 0.5192),
    (40, (4, 7), 0.9928, 0, 2.5105, None, None),
    (40, (4, 8), 1.0231, 3, 2.2814, 2.2059, 0.5455),
    (30, (2, 7, 12), 0.9957, 0, 2.4357, None, None),
    (30, (2, 9, 12), 0.9714, 0, 2.2059, None, None),
    (30, (2, 8, 12), 1.0290, 1, 2.3166, 2.2843, 0.9148),
    (30, (6, 10), 1.0294, 1, 2.1583, 2.1277, 0.9765),
    (30, (9, 15), 1.0278, 8, 1.3559, 1.3201, 0.9989),
    (30, (6, 9, 10, 15), 0.9910, 0, 1.6655, None, None),
]


@pytest.mark.parametrize(("prompt", "decode", "rho", "modes", "best", "pulse", "pulse_rho"), MIXES)
@pytest.mark.parametrize("method", ["eigenvalues", "winding"])
def test_mixes(prompt, decode, rho, modes, best, pulse, pulse_rho, method):
    """M=600, equal shares: radius, unstable modes, x* and the pulse cycle of the table, by both methods."""
    assert spectral_radius(prompt, decode, method=method) == pytest.approx(rho, abs=6e-5)
    assert unstable_modes(prompt, decode, method=method) == modes
    assert equilibrium_rate(prompt, decode, 600) == pytest.approx(best, abs=6e-5)
    if pulse is None:
        assert pulse_rate(prompt, decode, 600) == pytest.approx(best, abs=6e-5)
    else:
        assert pulse_rate(prompt, decode, 600) == pytest.approx(pulse, abs=6e-5)
        assert pulse_radius(prompt, decode) == pytest.approx(pulse_rho, abs=6e-5)


@pytest.mark.parametrize(
    ("prompt", "decode", "rho", "modes"),
    [
        (512, (20, 21), 1.001339, 2),
        (512, (50, 75, 77, 84), 1.001232, 2),
        (512, (100, 125), 1.001764, 24),
        (512, (100, 200), 1.001694, 99),
        (512, (128, 256, 512), 1.001478, 127),
        (512, (127, 255, 509), 1.001478, 124),
        (300, (5, 10), 1.003288, 4),
        (300, (6, 12), 1.003279, 5),
        (300, (5, 6, 10, 12), 0.944823, 0),
        (5000, (1000, 1211), 1.000181, 430),
        (64, (100, 101), 1.009292, 74),
    ],
)
def test_showcases(prompt, decode, rho, modes):
    """Radius and unstable modes of the showcases."""
    assert spectral_radius(prompt, decode) == pytest.approx(rho, abs=6e-7)
    assert unstable_modes(prompt, decode) == modes


@pytest.mark.slow
def test_showcases_by_eigenvalues():
    """A large showcase by eigenvalues, to twelve digits."""
    ours, theirs = (spectral_radius(512, (127, 255, 509), method=m) for m in ("eigenvalues", "winding"))
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert unstable_modes(512, (127, 255, 509), method="eigenvalues") == 124


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 60), st.integers(1, 9)), min_size=1, max_size=5),
)
def test_eigenvalues_and_winding_agree(rows):
    """Radius and number of unstable modes by eigenvalues and by winding."""
    prompt, decode, weight = (np.array(column) for column in zip(*rows, strict=True))
    shares = weight / weight.sum()
    ours, theirs = (spectral_radius(prompt, decode, shares, method=m) for m in ("eigenvalues", "winding"))
    assert ours == pytest.approx(theirs, rel=1e-9)
    moduli = np.abs(roots(prompt, decode, shares))
    if not ((moduli > 1 - 1e-10) & (moduli < 1 + 1e-10)).any():
        assert unstable_modes(prompt, decode, shares, method="winding") == (moduli > 1).sum()


@given(st.integers(0, 60), st.integers(2, 40), st.floats(0.9, 1.2))
def test_count_outside_any_circle(prompt, decode, radius):
    """The winding number counts the roots outside any circle."""
    V = stage_weights(prompt, [decode, max(1, decode // 2)])
    moduli = np.abs(np.roots(V))
    if (np.abs(moduli / radius - 1) > 1e-9).all():
        assert count_outside(V, radius) == (moduli > radius).sum()


@given(st.integers(0, 200), st.integers(2, 60))
def test_moduli_of_one_class_are_bounded(prompt, decode):
    """All roots of one class lie between the least and the largest ratio of neighbouring weights."""
    w = prompt + 1 + np.arange(decode)
    moduli = np.abs(roots(prompt, decode))
    assert moduli.min() >= w[-1] / w[-2] - 1e-9
    assert moduli.max() <= w[1] / w[0] + 1e-9


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(1, 4))
def test_survival_polynomial(decode, factor):
    """The roots of A on the unit circle are the g-th roots of unity other than 1; the others lie inside."""
    lengths = [factor * length for length in decode]
    g = math.gcd(*lengths)
    found = np.roots(survival(lengths))
    assert (np.abs(found) < 1 + 1e-6).all()
    on = found[np.abs(found) > 1 - 1e-6]
    assert len(on) == g - 1
    for k in range(1, g):
        assert np.abs(on - np.exp(2j * np.pi * k / g)).min() < 1e-6


def test_survival_is_the_limit():
    """For long inputs F over l0 tends to A, and its roots on the circle move out by 1 + 1/(l0+d) to first order."""
    l0 = 10**6
    np.testing.assert_allclose(stage_weights(l0, (4, 6)) / l0, survival((4, 6)), rtol=1e-5)
    assert (spectral_radius(l0, (4, 6)) - 1) * (l0 + 6) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "exact", "law"),
    [
        (2, 3, 2, 3),
        (2, 5, 7, 9),
        (3, 5, 10, 13),
        (2, 7, 18, 18),
        (4, 7, 30, 34),
        (2, 31, 922, 910),
        (20, 21, 1729, 1746),
        (50, 77, 51_839, 51_886),
    ],
)
def test_shortest_stable_input(a, b, exact, law):
    """Smallest stable input at equal shares, and the cubic law."""
    assert min_prompt(a, b) == exact
    assert round(min_prompt_law(a, b)) == law


def test_shortest_stable_input_at_other_shares():
    """Share .3 on the shorter length; and a mix on the edge counts as unstable."""
    assert min_prompt(3, 5, 0.3) == 19
    assert min_prompt_law(3, 5, 0.3) == pytest.approx(20.5, abs=0.06)
    assert spectral_radius(1, (2, 3)) == pytest.approx(1, abs=1e-13)
    assert unstable_modes(1, (2, 3)) == 2
    assert unstable_modes(1, (2, 3), method="winding") == 2


def test_shortest_stable_input_has_no_islands_below():
    """All a < b <= 6: unstable below, stable from there on (to 80 tokens)."""
    for b in range(2, 7):
        for a in range(1, b):
            need = min_prompt(a, b)
            stable = [spectral_radius(l0, (a, b)) < 1 - 1e-12 for l0 in range(80)]
            assert stable == [l0 >= need for l0 in range(80)], (a, b)


def test_no_input_is_long_enough():
    """A common divisor or a single length is unstable at any input; two lengths of 1 always stable."""
    assert min_prompt(2, 4) == math.inf
    assert min_prompt(5, 5) == math.inf
    assert min_prompt(3, 5, 0) == math.inf
    assert min_prompt(3, 5, 1) == math.inf
    assert min_prompt(1, 1) == 0
    assert min_prompt(1, 5, 1) == 0


@given(st.integers(0, 200), st.integers(1, 30), st.integers(1, 30), st.floats(0.05, 0.95))
def test_pulse_formula_of_two_classes(prompt, a, b, share):
    """The published two-class pulse formula."""
    a, b = sorted((a, b))
    g, q = math.gcd(a, b), 1 - share
    formula = 2 * 1000 / (a * (2 * prompt + a + g) + q * (b - a) * (2 * prompt + a + b + g))
    assert pulse_rate(prompt, (a, b), 1000, (share, q)) == pytest.approx(formula)


def test_gcd_decides_for_long_inputs():
    """Two classes, common input of 10^6 tokens: g - 1 unstable modes."""
    for a, b in itertools.combinations_with_replacement(range(1, 13), 2):
        g = math.gcd(a, b)
        assert unstable_modes(10**6, (a, b)) == g - 1


def test_long_lists_of_stages():
    """Beyond the reach of eigenvalues: 6000 stages, exact count for a mix with a known answer."""
    assert unstable_modes(10**9, (2000, 6000)) == 1999
    rho = spectral_radius(10**9, (2000, 6000))
    assert (rho - 1) * 10**9 == pytest.approx(1, abs=0.01)
