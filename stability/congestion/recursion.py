"""The compiled recursion: a shift of the state by one age, then evictions of the youngest or an admission.

The state lies in a long buffer and moves by its first index, so that nothing is copied; V . y is summed afresh in
every iteration, in four running sums of fixed order, so that no error builds up and the bits are the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kvratio.problem.compiled import compiled

#: an overflow of this share of memory is rounding
ROUNDING = 1e-12
#: cells of the buffer beyond the state, before it is moved back to the end
SPARE = 8192


@compiled(nogil=True)
def weighed(V: Any, buffer: Any, head: int) -> float:
    """Return the sum of V[s] buffer[head + s]."""
    d = V.shape[0]
    a = b = c = e = 0.0
    whole = d - d % 4
    for s in range(0, whole, 4):
        a += V[s] * buffer[head + s]
        b += V[s + 1] * buffer[head + s + 1]
        c += V[s + 2] * buffer[head + s + 2]
        e += V[s + 3] * buffer[head + s + 3]
    for s in range(whole, d):
        a += V[s] * buffer[head + s]
    return (a + b) + (c + e)


@compiled(nogil=True)
def advance(
    V: Any,
    alpha: Any,
    spent: Any,
    length: Any,
    ending: Any,
    memory: float,
    cap: float,
    start: Any,
    states: Any,
    evicted: Any,
    admitted: Any,
    completed: Any,
    wasted: Any,
    passed: Any,
) -> Any:
    """Run ``len(evicted) - 1`` iterations from ``start`` and return the last state, float64[d].

    Row n of the outputs is iteration n; row 0 is left as it is. ``states`` has no rows if states are not wanted.
    ``passed[i]`` grows by the mass y that reaches decode length ``length[i]``.
    """
    d = V.shape[0]
    buffer = np.empty(d + SPARE)
    head = SPARE
    buffer[head:] = start
    keep = states.shape[0] > 0
    for n in range(1, evicted.shape[0]):
        done = 0.0
        for i in range(length.shape[0]):
            mass = buffer[head + length[i] - 1]
            passed[i] += mass
            done += ending[i] * mass
        completed[n] = done
        if head == 0:
            for s in range(d - 1, -1, -1):
                buffer[SPARE + s] = buffer[s]
            head = SPARE
        head -= 1
        buffer[head] = 0.0
        over = weighed(V, buffer, head) - memory
        if over > ROUNDING * memory:
            lost = work = 0.0
            for s in range(d):
                mass = buffer[head + s]
                if mass == 0.0:
                    continue
                r = over / V[s]
                if r < mass:
                    buffer[head + s] = mass - r
                    lost += alpha[s] * r
                    work += spent[s] * r
                    break
                buffer[head + s] = 0.0
                lost += alpha[s] * mass
                work += spent[s] * mass
                over -= V[s] * mass
                if over <= 0.0:
                    break
            evicted[n] = lost
            wasted[n] = work
        elif over < -ROUNDING * memory:
            buffer[head] = min(-over / V[0], cap)
            admitted[n] = buffer[head]
        if keep:
            for s in range(d):
                states[n, s] = buffer[head + s]
    return buffer[head : head + d].copy()
