"""The full state, class by age: for shares that change over time, and for classes drawn at random.

With constant shares one vector is enough (`trajectory`); this is its explicit twin, and the only one where the split
of what is admitted varies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.compiled import compiled
from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream
from stability.congestion.classes import FloatArray, classes_of, memory_of, shares_of
from stability.congestion.recursion import ROUNDING


@dataclass(frozen=True, eq=False)
class ClassTrajectory:
    """A run with the state of every class.

    Attributes
    ----------
    x : float64[K, d]
        Last state: mass of each class at each age.
    evicted, admitted, completed : float64[steps+1, K]
        Requests of each class in each iteration; row 0 is the start and has none.
    used : float64[steps+1]
        Tokens in memory after each iteration.
    """

    x: FloatArray
    evicted: FloatArray
    admitted: FloatArray
    completed: FloatArray
    used: FloatArray


def simulate_classes(
    prompt: Any,
    decode: Any,
    memory: float,
    steps: int,
    *,
    shares: Any = None,
    start: Any = None,
    cap: float = math.inf,
) -> ClassTrajectory:
    """Run the congestion dynamics with a state for every class and age.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens.
    decode : int or int[K]
        Decode lengths, >= 1.
    memory : float
        M, tokens.
    steps : int
        Iterations.
    shares : float[K] or float[steps, K], optional
        Split of what is admitted; with two dimensions, row n-1 is that of iteration n. Default: equal, constant.
    start : float64[K, d], optional
        Default: an empty worker with infinite backlog, as in `simulate`.
    cap : float, optional
        Most requests admitted in one iteration.

    Returns
    -------
    ClassTrajectory

    Raises
    ------
    BadParameter
        One line: a value without meaning, or shares of another shape.

    Notes
    -----
    At one age all classes are evicted in proportion, as in the model of one vector. Time O(steps K d).
    """
    classes = classes_of(prompt, decode)
    tokens, K, d = memory_of(memory), len(classes), classes.d
    split = np.full(K, 1 / K) if shares is None else np.asarray(shares, dtype=np.float64)
    if split.ndim == 1:
        first = shares_of(split, K)
        split = np.broadcast_to(first, (steps, K))
    elif split.shape != (steps, K) or not steps:
        raise BadParameter(f"shares have shape {split.shape}: give one row per iteration, {(steps, K)}")
    else:
        for row in split:
            shares_of(row, K)
        first = split[0]
    if start is None:
        x = np.zeros((K, d))
        x[:, 0] = first * tokens / float(first @ (classes.prompt + 1))
    else:
        x = np.array(start, dtype=np.float64)
    if x.shape != (K, d) or not (np.isfinite(x).all() and (x >= 0).all()):
        raise BadParameter(f"start has shape {x.shape}: give masses >= 0 of shape {(K, d)}")
    if any(x[k, length:].any() for k, length in enumerate(classes.decode)):
        raise BadParameter("start holds mass at ages that its class never has: leave them 0")
    totals = np.zeros((3, steps + 1, K))
    used = np.zeros(steps + 1)
    _advance(
        classes.prompt + 1, classes.decode, np.ascontiguousarray(split), tokens, float(cap), x, *totals, used, ROUNDING
    )
    return ClassTrajectory(x, totals[0], totals[1], totals[2], used)


def draw_shares(shares: Any, steps: int, requests: int, seed: int = 0) -> FloatArray:
    """Return random splits: in each iteration ``requests`` classes are drawn with the given shares, float64[steps, K].

    Fewer requests, wider spread; with many the splits come close to the shares.
    """
    chance = np.asarray(shares, dtype=np.float64)
    chance = shares_of(chance, chance.size)
    if requests < 1 or steps < 0:
        raise BadParameter(f"{requests} requests, {steps} steps: give at least 1 request, and steps >= 0")
    rng = stream("congestion shares", seed)
    return np.asarray(rng.multinomial(requests, chance / chance.sum(), size=steps) / requests, dtype=np.float64)


@compiled(nogil=True)
def _advance(
    base: Any,
    decode: Any,
    split: Any,
    memory: float,
    cap: float,
    x: Any,
    evicted: Any,
    admitted: Any,
    completed: Any,
    used: Any,
    rounding: float,
) -> None:
    """Advance ``x`` in place; ``base`` is the tokens of each class at age 0."""
    K, d = x.shape
    for n in range(used.shape[0]):
        held = 0.0
        if n > 0:
            for k in range(K):
                completed[n, k] = x[k, decode[k] - 1]
                for s in range(decode[k] - 1, 0, -1):
                    x[k, s] = x[k, s - 1]
                x[k, 0] = 0.0
        for k in range(K):
            for s in range(decode[k]):
                held += x[k, s] * (base[k] + s)
        over = held - memory
        if n > 0 and over > rounding * memory:
            for s in range(d):
                here = 0.0
                for k in range(K):
                    if s < decode[k]:
                        here += x[k, s] * (base[k] + s)
                if here == 0.0:
                    continue
                part = min(1.0, over / here)
                for k in range(K):
                    if s < decode[k]:
                        evicted[n, k] += part * x[k, s]
                        x[k, s] -= part * x[k, s]
                over -= part * here
                held -= part * here
                if over <= 0.0:
                    break
        elif n > 0 and over < -rounding * memory:
            per = 0.0
            for k in range(K):
                per += split[n - 1, k] * base[k]
            amount = min(-over / per, cap)
            for k in range(K):
                admitted[n, k] = split[n - 1, k] * amount
                x[k, 0] = admitted[n, k]
            held += amount * per
        used[n] = held
