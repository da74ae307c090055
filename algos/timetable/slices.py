"""Slice lengths and the width of a staggered pipeline (Feng, Yang, Zhang, arXiv 2601.22996; docs/policies.md 6.1)."""

from __future__ import annotations

import math

import numpy as np
from numba import types

from kvratio.problem.compiled import UNCOUNTED, compiled
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import IntArray

#: steps of the geometric progression after which alpha counts as too close to 1 to be meant
MOST_STEPS = 10**8


@compiled(signature=types.int64(types.int64, types.int64, types.int64), **UNCOUNTED)
def pipeline_width(tau, prompt, memory):
    """Requests that one phase keeps running: k = (2M - tau + 1) // (2S + tau + 1).

    Started tau/k rounds apart, k requests of prompt S peak at most at k S + (tau (k + 1) + k - 1)/2 <= M.

    Parameters
    ----------
    tau : int64
        Slice length in rounds, 1 .. memory - prompt.
    prompt : int64
        The prompt S to which all are padded.
    memory : int64
        M.
    """
    return (2 * memory - tau + 1) // (2 * prompt + tau + 1)


@compiled(signature=types.int64(types.float64, types.float64, types.int64, types.int64[::1]), **UNCOUNTED)
def fill_slices(alpha, first, cap, out):
    """Write the distinct floors of first * alpha^q, the last replaced by ``cap``, as far as ``out`` has room.

    The products are taken one after another in IEEE doubles, as docs/policies.md 6.1 says, so that every program
    that follows it gets the same integers.

    Returns
    -------
    int64
        How many slices there are, whether or not they fit.
    """
    x = first
    last = np.int64(0)
    count = np.int64(0)
    while last < cap:
        tau = cap if x >= cap else min(np.int64(math.floor(x + 1e-9)), cap)
        if tau > last:
            if count < len(out):
                out[count] = tau
            count += 1
            last = tau
        x = x * alpha
    return count


def slices(alpha: float, first: float, cap: int) -> IntArray:
    """Return the slice lengths 1 <= tau_1 < tau_2 < ... = cap, int64.

    Parameters
    ----------
    alpha : float
        Growth, > 1.
    first : float
        Where the progression begins, > 0 (gsa: tau0, gba: beta).
    cap : int
        M - S, the longest slice that fits; every shorter ``cap`` gives the same list, cut off there.

    Raises
    ------
    BadParameter
        For values without meaning, or an alpha so close to 1 that the progression would not get anywhere.

    Examples
    --------
    >>> slices(4 / 3, 1, 60).tolist()
    [1, 2, 3, 4, 5, 7, 9, 13, 17, 23, 31, 42, 56, 60]
    """
    if not alpha > 1:
        raise BadParameter(f"alpha is {alpha!r}: slices grow only if it is larger than 1")
    if not first > 0:
        raise BadParameter(f"the first slice is {first!r}: give a number above 0")
    if cap < 1:
        raise BadParameter(f"the longest slice is {cap}: it must be at least 1")
    steps = math.log(cap / first) / math.log(alpha) if first < cap else 0.0
    if steps > MOST_STEPS:
        raise BadParameter(f"alpha is {alpha!r}: slices up to {cap} would take {steps:.2g} steps; take a larger alpha")
    count = fill_slices(alpha, first, cap, np.empty(0, np.int64))
    out = np.empty(count, np.int64)
    fill_slices(alpha, first, cap, out)
    return out
