"""Attempts of growing length, each inside a reserved rectangle of memory (arXiv 2607.09248; docs/policies.md 7).

Per-request numbers used: r.b exponent of the attempt, r.c its cap c, r.d the memory w that it reserves.
"""

from __future__ import annotations

import numpy as np

from algos.engine import queue
from algos.engine.actions import start_capped
from kvratio.problem.compiled import inlined


@inlined
def is_large(prompt, memory):
    """Whether 4 s > M."""
    return 4 * prompt > memory


@inlined
def set_cap(v, i, exponent):
    """Give request i the attempt 2^exponent: cut off at M - s, and s itself for a small one between s and 2 s."""
    r = v.req[i]
    memory = v.st[0].memory
    power = np.int64(1) << min(exponent, np.int64(61))
    cap = min(power, memory - r.prompt)
    if not is_large(r.prompt, memory) and r.prompt < power and power < 2 * r.prompt:
        cap = r.prompt
    r.b = exponent
    r.c = cap
    r.d = min(memory, max(2 * r.prompt, r.prompt + cap))


@inlined
def wait_for_rectangle(v, waiting, i):
    """Let request i wait in order of (area of its next attempt, rank)."""
    r = v.req[i]
    # Half the area b = 2 max(1, s) c, which orders alike and stays within int64.
    queue.push(waiting, i, max(np.int64(1), r.prompt) * r.c, r.rank)


@inlined
def start_rectangles(v, waiting, reserved, until):
    """Start waiting requests in order while reservations fit and caps end by epoch ``until``; stop at a misfit.

    Returns
    -------
    int64
        Memory reserved afterwards.
    """
    s = v.st[0]
    i = queue.top(waiting)
    while i >= 0:
        r = v.req[i]
        if reserved + r.d > s.memory or s.now + r.c > until:
            break
        queue.remove(waiting, i)
        reserved += r.d
        start_capped(v, i, r.c)
        i = queue.top(waiting)
    return reserved
