"""Many small instances in one compiled call: the tables of the largest are used again for each."""

from __future__ import annotations

from numba import types

from algos.engine.loop import prepare, run_one
from algos.engine.state import HOOK_TYPE, TRUTH_TYPE, VIEW_TYPE, Truth, View
from kvratio.problem.compiled import UNCOUNTED, compiled

_ints = types.int64[::1]


@compiled(
    signature=types.void(
        HOOK_TYPE, VIEW_TYPE, TRUTH_TYPE, _ints, _ints, types.float64[:, ::1], types.int64, types.int64, _ints, _ints,
        types.int64[:, ::1],
    ),
    **UNCOUNTED,
)  # fmt: skip
def run_packed(hook, v, truth, offsets, memory, params, keeps, coins, limits, codes, totals):
    """Run every packed instance; ``truth`` and ``v.order`` are concatenated, the rest of the view is scratch.

    Parameters
    ----------
    hook, v, truth
        As for `run_one`; ``v.req`` has room for the largest instance.
    offsets, memory, params, limits
        Rows of each instance, its budget, its parameters and its limit on rounds.
    codes : int64[k]
        Output: 0, or what went wrong.
    totals : int64[k, 8]
        Output: counters of each instance.
    """
    for k in range(len(memory)):
        a, b = offsets[k], offsets[k + 1]
        n = b - a
        one = View(
            v.req[:n], v.st, v.order[a:b], v.waiting, v.active, v.run, v.ledger, v.ended, v.arrived, v.actions,
            params[k], v.own,
        )  # fmt: skip
        mine = Truth(
            truth.prompt[a:b], truth.arrival[a:b], truth.estimate[a:b], truth.low[a:b], truth.high[a:b],
            truth.output[a:b], truth.reveal[a:b], truth.by_arrival[a:b], truth.completion[a:b], truth.start[a:b],
            truth.first_start[a:b], truth.began[a:b], truth.heap_time, truth.heap_request, truth.heap_slot[a:b],
            truth.log, totals[k],
        )  # fmt: skip
        prepare(one, mine, memory[k], keeps, coins)
        codes[k] = run_one(hook, one, mine, limits[k])
