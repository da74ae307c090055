"""What a timetable policy sees between two phases, and what only the kernel holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

#: what a plan asks the kernel to do with ``jobs[lo:hi]``: one staggered phase of slices, or each alone to its end
PHASE, ALONE = 1, 2

PLAN_STATE = np.dtype(
    [
        (name, "<i8")
        for name in (
            "now",  # T: the epoch at which what is planned now begins
            "memory",  # M
            "fresh",  # 1 when a new batch has just been put into `jobs` by index, else 0
            "unfinished",  # requests of the batch that have not completed
            "lo",  # the requests to run are jobs[lo:hi]; after a phase its survivors, in order
            "hi",
            "tau",  # slice length of the phase
            "prompt",  # S, the prompt to which the phase is padded
            "latest",  # largest completion so far in the batch
            "u",  # four scalars of the policy's own; undefined while `fresh`
            "v",
            "w",
            "x",
        )
    ]
)


class PlanView(NamedTuple):
    """All that a plan may read and write.

    Attributes
    ----------
    prompt : int64[n]
        -1 for requests of batches to come.
    output : int64[n]
        The same; -1 everywhere unless the policy is clairvoyant.
    jobs : int64[n]
        Requests of the present batch, by index when it begins. A phase runs ``jobs[lo:hi]`` in that order and leaves
        its survivors at ``jobs[lo:hi]`` with a smaller ``hi``: the only thing a plan learns of output lengths.
    ladder : int64[..]
        Slice lengths for a cap of M or more.
    own : int64[..]
        Scratch.
    st : record[1]
        `PLAN_STATE` scalars.
    """

    prompt: Any
    output: Any
    jobs: Any
    ladder: Any
    own: Any
    st: Any


class Books(NamedTuple):
    """What the kernel alone holds.

    Attributes
    ----------
    prompt, output : int64[n], read-only
    reveal : int64[n] or int64[0], read-only
        What the plan's ``output`` column shows of a request when its batch begins; empty: nothing.
    completion, start, first_start : int64[n]
        Results.
    log : int64[k, 4]
        Attempts (request, start, stop, completed), where asked for; else of length 0.
    totals : int64[6]
        `algos.timetable.kernel` counters.
    """

    prompt: Any
    output: Any
    reveal: Any
    completion: Any
    start: Any
    first_start: Any
    log: Any
    totals: Any


_ints = types.int64[::1]
_public = types.Array(types.int64, 1, "C", readonly=True)
PLAN_TYPE = types.NamedTuple((*([_ints] * 5), from_dtype(PLAN_STATE)[::1]), PlanView)
BOOKS_TYPE = types.NamedTuple((*([_public] * 3), *([_ints] * 3), types.int64[:, ::1], _ints), Books)
PUBLIC_TYPE = _public
#: a plan: called before each phase, sets lo, hi, tau and prompt, returns `PHASE` or `ALONE`
PLAN_HOOK_TYPE = types.FunctionType(types.int64(PLAN_TYPE))
