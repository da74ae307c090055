"""Profile cuts: rows that every set of active requests obeys in one round, because it must stay feasible from then on.

Active requests with states (m, r) fit from now on exactly if, for each of them, the sum of m_j + r_i over all with
r_j >= r_i is at most M: at the completion of i those still hold m_j + r_i. Going through states by r descending this is
one inequality per addition, (k + 1) r + S + m <= M with k the number and S the sum of m so far, so best sets come from
a knapsack recursion over (k, S). Several requests may share a state, so every state may be taken as often as requests
can be in it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: units of the integer weights of a cut; divisible by all numbers up to 12
UNIT = 27720
#: share of the largest possible violation with which `separate` is content
ENOUGH = 0.8


@compiled
def _extend(value, m, r, weight, most, memory):
    """Allow up to ``most`` copies of a state on top of the sets in value[k, S] (-1: none); in place."""
    sizes = value.shape[0]
    for k in range(sizes - 1, 0, -1):
        for S in range(memory - k * r, m - 1, -1):
            top = value[k, S]
            for c in range(1, min(most, k) + 1):
                if c * m > S:
                    break
                before = value[k - c, S - c * m]
                if before >= 0 and before + c * weight > top:
                    top = before + c * weight
            value[k, S] = top


@compiled
def _best_set(m, r, weight, most, memory, value, choice, copies):
    """Return the largest weight of a feasible set and fill its copies of each state; states by r descending."""
    sizes, sums = value.shape
    value[:] = -1.0
    value[0, 0] = 0.0
    reach = 0
    for i in range(len(m)):
        if weight[i] <= 0:
            continue
        reach = min(reach + most[i], sizes - 1)
        for k in range(reach, 0, -1):
            for S in range(memory - k * r[i], m[i] - 1, -1):
                top = value[k, S]
                taken = 0
                for c in range(1, min(most[i], k) + 1):
                    if c * m[i] > S:
                        break
                    before = value[k - c, S - c * m[i]]
                    if before >= 0 and before + c * weight[i] > top:
                        top = before + c * weight[i]
                        taken = c
                if taken:
                    value[k, S] = top
                choice[i, k, S] = taken
    best, at_k, at_S = 0.0, 0, 0
    for k in range(sizes):
        for S in range(sums):
            if value[k, S] > best:
                best, at_k, at_S = value[k, S], k, S
    for i in range(len(m) - 1, -1, -1):
        # States whose rows were skipped above kept no choice.
        c = 0
        if weight[i] > 0 and at_k * r[i] + at_S <= memory and at_S >= m[i] and at_k > 0:
            c = choice[i, at_k, at_S]
        copies[i] = c
        at_k -= c
        at_S -= c * m[i]
    return best


@compiled
def separate(m, r, mass, most, memory, sizes, limit):
    """Weights f >= 0 with f(set) <= 1 for all feasible sets that maximise f . mass, by column generation.

    The dual is the least total weight of feasible sets that cover the mass: solved with a dense basis inverse, columns
    from `_best_set`. Only floats are involved: the caller makes a valid row of whatever comes out.

    Returns
    -------
    f : float64[states]
    value : float
        f . mass; at most 1 when the mass is a mixture of feasible sets. Stops early once it is known to be at most
        ``limit``.
    """
    n = len(m)
    inverse = np.eye(n)
    level = mass.copy()
    cost = np.ones(n)
    f = np.ones(n)
    value = np.empty((sizes + 1, memory + 1))
    choice = np.empty((n, sizes + 1, memory + 1), np.int16)
    copies = np.zeros(n, np.int64)
    column = np.zeros(n)
    direction = np.zeros(n)
    for _ in range(40 * n + 100):
        total = 0.0
        for i in range(n):
            total += cost[i] * level[i]
        if total <= limit:
            return f, total
        for i in range(n):
            f[i] = 0.0
            for b in range(n):
                f[i] += cost[b] * inverse[b, i]
        worst = 0
        for i in range(n):
            if f[i] < f[worst]:
                worst = i
        # The recursion skips weights <= 0, so it prices max(f, 0).
        best = _best_set(m, r, f, most, memory, value, choice, copies)
        column[:] = 0.0
        if best > 1.0 + 1e-7:
            reached = 0.0
            for i in range(n):
                reached += max(f[i], 0.0) * mass[i]
            # max(f, 0) / best is feasible: near enough to the optimum, which is at most total, is good enough.
            if reached / best > limit and reached / best - 1.0 >= ENOUGH * (total - 1.0):
                for i in range(n):
                    f[i] /= best
                break
            for i in range(n):
                column[i] = copies[i]
            entering = 1.0
        elif f[worst] < -1e-9:
            column[worst] = -1.0
            entering = 0.0
        else:
            break
        for b in range(n):
            direction[b] = 0.0
            for i in range(n):
                direction[b] += inverse[b, i] * column[i]
        leave = -1
        ratio = 0.0
        for b in range(n):
            if direction[b] > 1e-9:
                step = max(level[b], 0.0) / direction[b]
                if leave < 0 or step < ratio - 1e-12 or (step <= ratio + 1e-12 and direction[b] > direction[leave]):
                    leave, ratio = b, step
        if leave < 0:
            break
        for b in range(n):
            level[b] -= ratio * direction[b]
        level[leave] = ratio
        pivot = direction[leave]
        for i in range(n):
            inverse[leave, i] /= pivot
        for b in range(n):
            if b != leave and direction[b] != 0.0:
                for i in range(n):
                    inverse[b, i] -= direction[b] * inverse[leave, i]
        cost[leave] = entering
    total = 0.0
    for i in range(n):
        f[i] = max(f[i], 0.0)
        total += f[i] * mass[i]
    return f, total


@compiled
def lift(m, r, weight, most, memory, sizes):
    """Make integer weights maximal and return the right-hand side that holds for every feasible set.

    The right-hand side is the exact maximum over all feasible sets, so the row is valid whatever the weights were. Each
    state of weight 0 then gets, by r descending, the largest weight that keeps the row valid.

    Parameters
    ----------
    m, r : int64[states]
        Sorted by r descending.
    weight : int64[states]
        At least 0; changed in place.
    most : int64[states]
        How many requests may be in the state.
    sizes : int
        Most requests that can be active at once.
    """
    n = len(m)
    support = np.flatnonzero(weight > 0)
    # after[i, k, S]: best weight of the support from support[i] on, on top of k requests with sum S.
    after = np.zeros((len(support) + 1, sizes + 1, memory + 1), np.int64)
    for i in range(len(support) - 1, -1, -1):
        q = support[i]
        for k in range(sizes + 1):
            for S in range(memory + 1):
                top = after[i + 1, k, S]
                for c in range(1, min(most[q], sizes - k) + 1):
                    if (k + c) * r[q] + S + c * m[q] > memory:
                        break
                    top = max(top, c * weight[q] + after[i + 1, k + c, S + c * m[q]])
                after[i, k, S] = top
    rhs = after[0, 0, 0]
    before = np.full((sizes + 1, memory + 1), -1, np.int64)
    before[0, 0] = 0
    passed = 0
    for q in range(n):
        if weight[q] > 0:
            passed += 1
            _extend(before, m[q], r[q], weight[q], most[q], memory)
            continue
        if most[q] == 0:
            continue
        room = rhs
        for c in range(1, min(most[q], sizes) + 1):
            top = np.int64(-1)
            for k in range(sizes + 1 - c):
                if (k + c) * r[q] + c * m[q] > memory:
                    break
                for S in range(memory - (k + c) * r[q] - c * m[q] + 1):
                    if before[k, S] >= 0:
                        top = max(top, before[k, S] + after[passed, k + c, S + c * m[q]])
            if top >= 0:
                room = min(room, (rhs - top) // c)
        if room > 0:
            weight[q] = room
            _extend(before, m[q], r[q], weight[q], most[q], memory)
    return rhs


@compiled
def most_active(m, r, most, memory, cap):
    """Return the largest number of requests that can be active in one round (states by r descending)."""
    value = np.full((cap + 1, memory + 1), -1, np.int64)
    value[0, 0] = 0
    for q in range(len(m)):
        if most[q] > 0:
            _extend(value, m[q], r[q], 0, most[q], memory)
    for k in range(cap, -1, -1):
        for S in range(memory + 1):
            if value[k, S] >= 0:
                return k
    return 0
