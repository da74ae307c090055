"""Roots counted by winding, without eigenvalues: how often P(w) = sum V_m w^m turns around 0 on a circle.

The roots z of F are 1/w for the zeros w of P, so the zeros of P inside |w| < 1/r are the roots with |z| > r. P is
sampled by one FFT, and where its phase moves fast, at midpoints of its own. Any number of stages; O(d log d) a circle.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled
from stability.congestion.classes import FloatArray

ComplexArray = npt.NDArray[np.complex128]

#: points on the circle per coefficient before refinement
DENSITY = 16
#: points on the circle at which refinement goes on by midpoints only
FINEST = 1 << 22
#: phase between neighbours above which a midpoint is put between them; 2 would do, less is safer
LARGEST_STEP = 1.0
#: |P| below this many roundings of the sum of its terms is not told from 0
ROUNDINGS = 16 * np.finfo(np.float64).eps
#: halvings of an interval, after which a zero lies on the circle
HALVINGS = 48
#: first relative width of the bracket of the radius at which a root is polished and checked
BRACKET = 1e-3
#: relative distance below and above a polished root at which it is checked
CHECKED = 1e-9


def count_outside(V: FloatArray, radius: float) -> int | None:
    """Return the number of roots of ``sum V_m z^(d-1-m)`` with |z| > radius.

    Parameters
    ----------
    V : float64[d]
        Positive coefficients, highest power first.
    radius : float
        > 0.

    Returns
    -------
    int or None
        None: a root lies on the circle, as far as rounding lets tell.
    """
    if len(V) == 1:
        return 0
    c = _scaled(V, radius)
    angle, value = _sampled(c)
    floor = ROUNDINGS * float(c.sum())
    turned = 0.0
    for _ in range(HALVINGS):
        if (np.abs(value) < floor).any():
            return None
        # Each interval is (left end, right end); those with a small step are summed and done.
        step = np.angle(value[1::2] * value[::2].conj())
        wide = np.abs(step) > LARGEST_STEP
        turned += float(step[~wide].sum())
        if not wide.any():
            # The coefficients are real: the lower half of the circle turns as far as the upper half.
            return round(turned / math.pi)
        left, right = angle[::2][wide], angle[1::2][wide]
        middle = (left + right) / 2
        here = horner(c, np.exp(1j * middle))
        angle = np.stack([left, middle, middle, right], axis=1).ravel()
        value = np.stack([value[::2][wide], here, here, value[1::2][wide]], axis=1).ravel()
    return None


def radius_by_winding(V: FloatArray) -> float:
    """Return the largest |z| among the roots of ``sum V_m z^(d-1-m)``; 0 if there are none.

    Bisection of the radius, then Newton from where |P| is least on the circle; the root found is accepted once a
    count says that nothing lies outside it, and something outside a slightly smaller circle.
    """
    if len(V) == 1:
        return 0.0
    # Geometric mean of all moduli, and the bound of Enestroem and Kakeya for positive coefficients.
    low = math.exp((math.log(V[-1]) - math.log(V[0])) / (len(V) - 1))
    high = float((V[1:] / V[:-1]).max())
    width = BRACKET
    while high > low * (1 + 1e-14):
        while high > low * (1 + width):
            middle = math.sqrt(low * high)
            count = count_outside(V, middle)
            if count is None:
                # A root on the circle: the radius is here or beyond.
                low = middle
                if count_outside(V, middle * (1 + CHECKED)) == 0:
                    return middle
            elif count:
                low = middle
            else:
                high = middle
        found = _polished(V, low, high)
        if found is not None:
            return found
        width /= 32
    return high


def _polished(V: FloatArray, low: float, high: float) -> float | None:
    """Return the modulus of the outermost root if Newton finds it between low and high."""
    radius = math.sqrt(low * high)
    c = _scaled(V, radius)
    k = np.arange(len(c))
    n = _points(c)
    size = np.abs(np.fft.rfft(c, n))
    inner = np.concatenate([[np.inf], size, [np.inf]])
    dips = np.flatnonzero((inner[1:-1] <= inner[:-2]) & (inner[1:-1] <= inner[2:]))
    u = np.exp(2j * math.pi * dips[np.argsort(size[dips])[:16]] / n)
    derivative = (c * k)[1:]
    # Points that run away overflow; they are put where they do no harm, and fail the test of size below.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(60):
            slope = horner(derivative, u)
            u = u - horner(c, u) / np.where(slope == 0, 1, slope)
            u = np.where(np.isfinite(u) & (np.abs(u) < 2), u, 2.0)
    modulus = radius / np.abs(u)
    with np.errstate(over="ignore", invalid="ignore"):
        small = np.abs(horner(c, u)) < 1e3 * ROUNDINGS * float(c.sum())
    good = modulus[small & (modulus >= low * (1 - CHECKED)) & (modulus <= high * (1 + CHECKED))]
    if not len(good):
        return None
    best = float(good.max())
    if count_outside(V, best * (1 + CHECKED)) == 0 and count_outside(V, best * (1 - CHECKED)) != 0:
        return best
    return None


def _scaled(V: FloatArray, radius: float) -> FloatArray:
    """Return ``V_m radius^-m`` over its largest, so that nothing overflows."""
    logs = np.log(V) - np.arange(len(V)) * math.log(radius)
    return np.asarray(np.exp(logs - logs.max()), dtype=np.float64)


def _points(c: FloatArray) -> int:
    return 1 << max(6, math.ceil(math.log2(DENSITY * len(c))))


def _sampled(c: FloatArray) -> tuple[FloatArray, ComplexArray]:
    """Return the intervals of the upper half circle as pairs of ends: angles, and P there."""
    n = _points(c)
    while True:
        value = np.fft.rfft(c, n).conj()
        wide = (np.abs(np.angle(value[1:] * value[:-1].conj())) > LARGEST_STEP).sum()
        # Near many roots a finer grid costs less than a sum of its own for every midpoint.
        if wide * len(c) < 16 * n or n >= FINEST:
            break
        n *= 4
    angle = 2 * math.pi * np.arange(n // 2 + 1) / n
    return np.repeat(angle, 2)[1:-1], np.repeat(value, 2)[1:-1]


@compiled(nogil=True)
def horner(c: Any, points: Any) -> Any:
    """Return ``sum c_m u^m`` at every point, complex128[n]."""
    out = np.empty(points.shape[0], dtype=np.complex128)
    for i in range(points.shape[0]):
        u = points[i]
        total = 0.0 + 0.0j
        for m in range(c.shape[0] - 1, -1, -1):
            total = total * u + c[m]
        out[i] = total
    return out
