"""Throughputs in closed form: at the equilibrium, on the pulse cycle, and at worst; requests per iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from stability.congestion.classes import Classes, FloatArray, classes_of, memory_of
from stability.congestion.stages import stages_of


def equilibrium_rate(prompt: Any, decode: Any, memory: float, shares: Any = None) -> float:
    """Return x*, the throughput without evictions: ``M / sum_k p_k l1_k (l0_k + (l1_k+1)/2)``.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens.
    decode : int or int[K]
        Decode length l1, >= 1.
    memory : float
        M, tokens.
    shares : float[K], optional
        Sum 1; default: equal.

    Returns
    -------
    float
        Completed requests per iteration; also the mass at every age of the equilibrium (arXiv 2606.15555).

    Raises
    ------
    BadParameter
        One line: a value without meaning.
    """
    return equilibrium_of(classes_of(prompt, decode, shares), memory_of(memory))


def worst_rate(prompt: Any, decode: Any, memory: float, shares: Any = None) -> float:
    """Return the throughput below which no greedy run can stay, ``M / (max_k l1_k * max_k (l0_k + l1_k))``.

    For one class it is T_worst = ``M / (l1 (l0+l1))``, the worst cycle that almost every start ends in
    (arXiv 2606.15555). For a mix it is a floor (derived): the oldest mass ``M / max w`` is never evicted, and
    completes within ``max l1`` iterations. Parameters and errors as `equilibrium_rate`.
    """
    return worst_of(classes_of(prompt, decode, shares), memory_of(memory))


def pulse_rate(prompt: Any, decode: Any, memory: float, shares: Any = None) -> float:
    """Return T_pulse = ``M / (g sum_{i=1..d/g} V_{ig-1})``, the throughput with mass at every g-th age only.

    g is the gcd of the decode lengths, d the longest. With g = 1 this is x*; for one class it is T_worst (derived; for
    two classes the formula of arXiv 2606.15555). Parameters and errors as `equilibrium_rate`.
    """
    return pulse_of(classes_of(prompt, decode, shares), memory_of(memory))


def pulse_weights(classes: Classes) -> FloatArray:
    """Return the weights of the pulse dynamics, ``V[g-1], V[2g-1], ..., V[d-1]``, float64[d/g].

    The pulse cycle is locally stable iff the polynomial with these coefficients has all roots in |z| < 1 (derived).
    """
    g = classes.gcd
    return np.ascontiguousarray(stages_of(classes).V[g - 1 :: g])


def pulse_radius(prompt: Any, decode: Any, shares: Any = None) -> float:
    """Return the spectral radius of the pulse dynamics: below 1 the pulse cycle is locally stable (derived)."""
    # Loaded here: the spectrum needs no rates, and most callers of rates need no spectrum.
    from stability.congestion.spectrum import radius_of

    return radius_of(pulse_weights(classes_of(prompt, decode, shares)))


def equilibrium_of(classes: Classes, memory: float) -> float:
    """Return x* of checked classes."""
    work = classes.work.mean() if classes.equal else classes.share @ classes.work
    return memory / float(work)


def worst_of(classes: Classes, memory: float) -> float:
    """Return the floor of checked classes."""
    return memory / (classes.d * float((classes.prompt + classes.decode).max()))


def pulse_of(classes: Classes, memory: float) -> float:
    """Return T_pulse of checked classes."""
    return memory / (classes.gcd * float(pulse_weights(classes).sum()))
