"""The verifier's own evaluation of prices per state and round, in integers. Imports no solver and no other bound code.

A request in progress is in state (m, r): it holds m tokens in this round and runs r rounds more. Let it pay W[t, m, r]
in round t. Requests that run together in a feasible schedule fit from then on: for each of them, when it ends, those
that run at least as long hold (m_j + r_i) each, at most M in all. So in round t they pay together at most the weight of
the heaviest set of states that fits in this sense, each state as often as requests can be in it. Therefore every
schedule costs at least

    (sum over requests of min over C of (Q C + what it pays when it completes in C) - sum over t of heaviest(t)) / Q

whatever W >= 0 is. After the last priced round nothing is paid, so no horizon is assumed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance

IntArray = npt.NDArray[np.int64]

#: entries (rounds x states) that a certificate may hold
MOST_ENTRIES = 20_000_000
#: cells (members x memory x rounds) of the recursion that are kept at a time
MOST_CELLS = 2_000_000


class BadPrices(ValueError):
    """The prices are no table of integers >= 0, or leave int64; the message says which."""


def profile_numerator(inst: Instance, denominator: Any, states: Any, prices: Any) -> int:
    """Return Q times the lower bound that prices per state and round show.

    Parameters
    ----------
    inst : Instance
    denominator : int
        Q >= 1.
    states : list of [m, r]
        Distinct.
    prices : list of lists of int
        Row t - 1 holds Q W[t, state] for round t.

    Raises
    ------
    BadPrices
    """
    if type(denominator) is not int or denominator < 1:
        raise BadPrices(f"denominator is {denominator!r}: an integer >= 1 is needed")
    index = _states(states)
    W = _table(prices, len(index))
    longest = int(inst.output.max())
    last = max(len(W), int(inst.arrival.max())) + longest
    if (denominator * last + int(W.max(initial=0)) * longest) * inst.n >= 2**62 or len(W) * int(
        W.max(initial=0)
    ) * inst.n >= 2**62:
        raise BadPrices("prices too large for int64")
    return _requests_pay(inst, denominator, index, W) - _rounds_allow(inst, index, W)


def _states(states: Any) -> dict[tuple[int, int], int]:
    index: dict[tuple[int, int], int] = {}
    for entry in states if isinstance(states, (list, tuple)) else [None]:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or any(type(x) is not int or x < 0 for x in entry):
            raise BadPrices(f"state {entry!r} is no pair of integers >= 0")
        if tuple(entry) in index:
            raise BadPrices(f"state {entry!r} is listed twice")
        index[entry[0], entry[1]] = len(index)
    return index


def _table(prices: Any, states: int) -> IntArray:
    if not isinstance(prices, (list, tuple)) or len(prices) * states > MOST_ENTRIES:
        raise BadPrices(f"prices are no list of at most {MOST_ENTRIES} entries")
    W = np.zeros((len(prices), states), np.int64)
    for t, row in enumerate(prices):
        if not isinstance(row, (list, tuple)) or len(row) != states:
            raise BadPrices(f"the prices of round {t + 1} are not {states} numbers")
        if any(type(x) is not int or not 0 <= x < 2**60 for x in row):
            raise BadPrices(f"a price of round {t + 1} is no integer >= 0")
        W[t] = row
    return W


def _requests_pay(inst: Instance, Q: int, index: dict[tuple[int, int], int], W: IntArray) -> int:
    """Add up every request's least Q C plus payments, over all completions that its arrival allows."""
    T = len(W)
    kinds, count = np.unique(np.stack([inst.arrival, inst.prompt, inst.output], axis=1), axis=0, return_counts=True)
    total = 0
    for (a, s, o), many in zip(kinds.tolist(), count.tolist(), strict=True):
        starts = np.arange(a, max(T, a) + 1)
        cost = Q * (starts + o)
        for age in range(1, o + 1):
            state = index.get((s + age, o - age))
            if state is not None:
                # Rounds beyond the table are free.
                priced = starts + age <= T
                cost[priced] += W[starts[priced] + age - 1, state]
        total += many * int(cost.min())
    return total


def _rounds_allow(inst: Instance, index: dict[tuple[int, int], int], W: IntArray) -> int:
    """Add up what the active requests of each round can pay at most."""
    members = _most_members(inst)
    size = (members + 1) * (inst.memory + 1)
    if size > MOST_CELLS:
        raise BadPrices(f"{members} members and {inst.memory} tokens are too many to look for the heaviest sets")
    by_left = sorted(index, key=lambda state: -state[1])
    earliest = {state: _earliest(inst, state) for state in by_left}
    total = 0
    together = max(1, MOST_CELLS // size)
    for first in range(0, len(W), together):
        part = W[first : first + together]
        rounds = np.arange(first + 1, first + 1 + len(part))
        best = np.full((len(part), members + 1, inst.memory + 1), -1, np.int64)
        best[:, 0, 0] = 0
        for state in by_left:
            weight = part[:, index[state]]
            copies = np.minimum(np.searchsorted(earliest[state], rounds, side="right"), members)
            copies[weight == 0] = 0
            for c in range(1, int(copies.max(initial=0)) + 1):
                _add(best, np.flatnonzero(copies >= c), *state, weight, inst.memory)
        total += int(best.max(axis=(1, 2)).sum())
    return total


def _add(best: IntArray, rows: IntArray, m: int, r: int, weight: IntArray, M: int) -> None:
    """Offer one more item in state (m, r) to the rounds ``rows``.

    ``best[t, k, S]`` is the largest weight of k items of memory S in round t. Items come by r descending, so this one
    is the next to end, when all hold S + m + (k + 1) r.
    """
    # The largest k for which anything fits.
    most = min(best.shape[1] - 1, (M - m) // r if r else best.shape[1] - 1)
    if m > M or most < 1:
        return
    k, S = np.arange(most)[:, None], np.arange(M + 1 - m)[None, :]
    source = best[rows, :most, : M + 1 - m]
    fits = (source >= 0) & ((k + 1) * r + S + m <= M)
    target = best[rows, 1 : most + 1, m:]
    best[rows, 1 : most + 1, m:] = np.maximum(target, np.where(fits, source + weight[rows, None, None], -1))


def _earliest(inst: Instance, state: tuple[int, int]) -> IntArray:
    """First rounds in which each request that passes through a state can be in it, ascending."""
    m, r = state
    age = inst.output - r
    through = (age >= 1) & (inst.prompt + age == m)
    return np.sort(inst.arrival[through] + age[through])


def _most_members(inst: Instance) -> int:
    """At most so many requests run together: each holds its prompt and a token."""
    held = np.cumsum(np.sort(inst.prompt + 1))
    return int(np.searchsorted(held, inst.memory, side="right"))
