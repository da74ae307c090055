"""Search for a sorting key: log V + a log o + b log (s + o) + c (log o - mean)^2 / 10.

V is the volume. Requests are placed in ascending order of the key, each at its earliest feasible start. Good keys
differ little between instances, but what they gain over the pure volume order is a third of its gap.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.seeds import stream
from lowerbounds.decode import Incumbent

FloatArray = npt.NDArray[np.float64]

#: where the search starts: weights a, b, c
FIRST_WEIGHTS = (0.1, 0.2, 0.2)
#: standard deviation of steps: at first, at least, at most
STEP, LEAST_STEP, MOST_STEP = 0.1, 0.02, 0.2


def weighted_key(inst: Instance, weights: FloatArray) -> FloatArray:
    """Return the key of every request, float64[n]; ``weights`` are (a, b, c)."""
    volume, output, peak = (np.log(x.astype(np.float64)) for x in (inst.volume, inst.output, inst.peak))
    a, b, c = (float(w) for w in weights)
    return volume + a * output + b * peak + c * (output - output.mean()) ** 2 / 10


def search_keys(incumbent: Incumbent, seed: int, deadline: float, work: int | None = None) -> FloatArray:
    """Improve the incumbent by random steps in the weights, larger after success; return the best weights.

    With arrivals the key orders requests by arrival plus the share of the machine's time that its exponential stands
    for. ``work`` counts placements; at least one order is tried.
    """
    inst = incumbent.inst
    rng = stream("lowerbounds keys", seed)
    best = np.array(FIRST_WEIGHTS)
    cost, step = _try(incumbent, best), STEP
    trials = None if work is None else work // max(1, inst.n)
    k = 1
    while time.monotonic() < deadline and (trials is None or k < trials):
        weights = best + rng.normal(0.0, step, 3)
        found = _try(incumbent, weights)
        if found < cost:
            best, cost, step = weights, found, min(MOST_STEP, step * 1.5)
        else:
            step = max(LEAST_STEP, step * 0.93)
        k += 1
    return best


def _try(incumbent: Incumbent, weights: FloatArray) -> int:
    """Decode one key, keep its schedule if it is cheaper, and return its cost."""
    inst = incumbent.inst
    key = weighted_key(inst, weights)
    if not inst.is_batch:
        key = inst.arrival + np.exp(key) / inst.memory
    order = np.argsort(key, kind="stable")
    cost, starts = incumbent.decoder.decode(order)
    incumbent.offer(cost, starts, order)
    return cost
