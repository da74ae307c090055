"""Long gaps between arrivals, shortened: the parts before and after them are independent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled

IntArray = npt.NDArray[np.int64]


@compiled
def _shorten(arrival, output):
    """Shorten each gap to one round more than all outputs since the last long gap; arrivals ascending."""
    closer = np.empty_like(arrival)
    now = np.int64(0)
    previous = np.int64(0)
    together = np.int64(0)
    for k in range(len(arrival)):
        gap = arrival[k] - previous
        if gap > together:
            gap = together + 1
            together = np.int64(0)
        now += gap
        previous = arrival[k]
        closer[k] = now
        together += output[k]
    return closer


def closer_arrivals(inst: Instance) -> IntArray:
    """Return arrivals without long gaps, int64[n], at most the true ones.

    Requests that arrive by A with outputs o can all end by A + sum of o: every optimal schedule and every earliest-fit
    schedule does so (rule T1 of horizon.py; by induction over the requests placed). So a gap longer than that sum
    separates independent parts, and a schedule for the closer arrivals becomes one for the true ones by adding
    ``inst.arrival - closer`` to its starts, optimal if it was.
    """
    order = np.argsort(inst.arrival, kind="stable")
    closer = np.empty(inst.n, np.int64)
    closer[order] = _shorten(inst.arrival[order], inst.output[order])
    return closer
