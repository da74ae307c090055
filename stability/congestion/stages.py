"""One vector is enough: the weights of the stages, and what else the recursion needs to know of a mix.

After max l1 iterations class k holds p_k y_j at age j < l1_k, so the state is y and memory is V . y. For a trace, every
request is a class of its own: all vectors come from one count by decode length and suffix sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stability.congestion.classes import Classes, FloatArray, IntArray, classes_of


@dataclass(frozen=True, eq=False)
class Stages:
    """A mix as seen by ages.

    Attributes
    ----------
    V : float64[d]
        Tokens per unit of y at each age, ``sum over l1_k > s of p_k (l0_k + 1 + s)``.
    alpha : float64[d]
        Requests per unit of y at each age, ``sum over l1_k > s of p_k``.
    spent : float64[d]
        Token-iterations that a unit of y has behind it when it reaches age s; lost if it is evicted there.
    length : int64[D]
        Distinct decode lengths, increasing.
    ending : float64[D]
        Share of the requests that have each of these lengths.
    """

    V: FloatArray
    alpha: FloatArray
    spent: FloatArray
    length: IntArray
    ending: FloatArray

    @property
    def d(self) -> int:
        """Number of stages."""
        return len(self.V)


def stages_of(classes: Classes) -> Stages:
    """Return the weights of a mix; O(K + d)."""
    d, n = classes.d, len(classes)
    # With equal shares and whole prompts the sums are taken in whole numbers, and divided once.
    share: Any = None if classes.equal else classes.share
    tokens = classes.prompt if classes.equal else classes.share * classes.prompt
    unit = n if classes.equal else 1
    count = np.bincount(classes.decode, weights=share, minlength=d + 1)
    held = np.bincount(classes.decode, weights=tokens, minlength=d + 1)
    alive, inputs = _suffix_sums(count), _suffix_sums(held)
    age = np.arange(d, dtype=np.float64)
    length = np.unique(classes.decode)
    return Stages(
        V=(inputs + alive * (1 + age)) / unit,
        alpha=alive / unit,
        spent=(age * inputs + alive * age * (age + 1) / 2) / unit,
        length=length,
        ending=(count[length] / unit).astype(np.float64),
    )


def stage_weights(prompt: Any, decode: Any, shares: Any = None) -> FloatArray:
    """Return the tokens that a unit of mass holds at each age, V.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens; one number, or one per class.
    decode : int or int[K]
        Decode length l1 of each class, >= 1.
    shares : float[K], optional
        Share of each class among the admitted requests, sum 1; default: equal.

    Returns
    -------
    float64[d]
        ``V[s] = sum over k with l1_k > s of p_k (l0_k + 1 + s)``, d the longest decode length.

    Raises
    ------
    BadParameter
        One line: a prompt, decode length or share without meaning.

    Notes
    -----
    A trace is one class per request: ``stage_weights(trace.prompt, trace.output)``. Model of arXiv 2606.15555.
    """
    return stages_of(classes_of(prompt, decode, shares)).V


def survival(decode: Any, shares: Any = None) -> FloatArray:
    """Return the share of requests that outlive each age, ``alpha[s] = sum over l1_k > s of p_k``, float64[d].

    These are the coefficients of the survival polynomial A, the limit of F for long inputs, highest power first:
    ``(1-z) A(z) = -z^d + sum p_k z^(d-l1_k)``. Its roots lie in |z| <= 1, and those on the circle are the g-th roots
    of unity other than 1, with g the gcd of the decode lengths (arXiv 2606.15555).
    """
    return stages_of(classes_of(0, decode, shares)).alpha


def _suffix_sums(values: Any) -> FloatArray:
    """Return for s = 0..d-1 the sum of values at s+1, ..., d, float64[d]."""
    return np.cumsum(values[::-1])[::-1][1:].astype(np.float64)
