"""Linear stability of the equilibrium: the roots of F(z) = sum V_m z^(d-1-m), their radius, and how many grow.

x* is linearly stable iff every root lies in |z| < 1 (exact, any number of classes, any inputs; arXiv 2606.15555).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import FloatArray, classes_of
from stability.congestion.stages import stages_of
from stability.congestion.winding import ComplexArray, count_outside, radius_by_winding

#: a root this close to the unit circle counts as unstable
MARGIN = 1e-12
#: most stages for which all roots are computed, from the companion matrix: time grows as d^3
ROOTS_LIMIT = 2000
#: up to so many stages the radius comes from the eigenvalues; beyond, winding is quicker
EIGEN_LIMIT = 100
METHODS = ("auto", "eigenvalues", "winding")


def roots(prompt: Any, decode: Any, shares: Any = None) -> ComplexArray:
    """Return the roots of F, largest modulus first, complex128[d-1].

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens.
    decode : int or int[K]
        Decode length l1 of each class, >= 1; at most 2000, since all eigenvalues of a matrix of that size are taken.
    shares : float[K], optional
        Sum 1; default: equal.

    Raises
    ------
    BadParameter
        One line: a value without meaning, or more stages than 2000.
    """
    return roots_of(stages_of(classes_of(prompt, decode, shares)).V)


def spectral_radius(prompt: Any, decode: Any, shares: Any = None, *, method: str = "auto") -> float:
    """Return rho, the largest modulus among the roots of F: below 1 the equilibrium is linearly stable.

    Parameters
    ----------
    prompt, decode, shares
        As `roots`, for any number of stages.
    method : {"auto", "eigenvalues", "winding"}
        Companion matrix, or bisection of the circle on which P winds; "auto" takes the quicker one.

    Returns
    -------
    float
        0 where there are no roots (all decode lengths 1).

    Raises
    ------
    BadParameter
        One line: a value without meaning, or eigenvalues asked for more than 2000 stages.
    """
    return radius_of(stages_of(classes_of(prompt, decode, shares)).V, method)


def unstable_modes(prompt: Any, decode: Any, shares: Any = None, *, method: str = "auto") -> int:
    """Return the number of roots of F on or outside the unit circle; within 1e-12 of it counts as on it.

    Parameters and errors as `spectral_radius`.
    """
    return modes_of(stages_of(classes_of(prompt, decode, shares)).V, method)


def roots_of(V: FloatArray) -> ComplexArray:
    """Return the roots of a polynomial with positive coefficients, largest modulus first."""
    if len(V) > ROOTS_LIMIT:
        raise BadParameter(
            f"{len(V):,} stages: all roots are computed up to {ROOTS_LIMIT:,}; "
            "spectral_radius and unstable_modes work for any number"
        )
    found = np.roots(V).astype(np.complex128)
    return found[np.argsort(-np.abs(found), kind="stable")]


def radius_of(V: FloatArray, method: str = "auto") -> float:
    """Return the largest modulus of the roots of a polynomial with positive coefficients."""
    if _by_eigenvalues(V, method):
        return float(np.abs(roots_of(V)).max(initial=0.0))
    return radius_by_winding(V)


def modes_of(V: FloatArray, method: str = "auto") -> int:
    """Return the number of roots with |z| > 1 - 1e-12."""
    if _by_eigenvalues(V, method):
        return int((np.abs(roots_of(V)) > 1 - MARGIN).sum())
    margin = MARGIN
    while margin < 1:
        count = count_outside(V, 1 - margin)
        if count is not None:
            return count
        # Another root lies on this very circle: step further in, and count it as not told from the unit circle.
        margin *= 2
    raise BadParameter("the winding number cannot be taken: the weights of the stages are not finite")


def stable_of(V: FloatArray) -> bool:
    """Whether all roots of a polynomial with positive coefficients lie in |z| < 1."""
    return modes_of(V) == 0


def e_folding(rho: float) -> float:
    """Return the iterations in which a small deviation grows (or, below 1, shrinks) e-fold; inf at rho = 1."""
    if rho <= 0:
        return 0.0
    rate = abs(math.log(rho))
    return math.inf if rate == 0 else 1 / rate


def _by_eigenvalues(V: FloatArray, method: str) -> bool:
    if method not in METHODS:
        raise BadParameter(f"method is {method!r}: give one of {', '.join(METHODS)}")
    return method == "eigenvalues" or (method == "auto" and len(V) <= EIGEN_LIMIT)
