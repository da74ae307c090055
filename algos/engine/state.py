"""What a policy sees: one record per request, one of scalars, and a few lists. Nothing hidden is in here.

A policy's hook gets a `View`. Requests that have not arrived are blank, ``output`` is -1 until completion unless
the policy is clairvoyant, and predictions are blank unless its card asks for them: the engine keeps the truth in
arrays the hook never receives (docs/policies.md, "Who may read what").
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

#: "no such time": later than any epoch
NEVER = np.int64(2**62)

UNRELEASED, WAITING, RUNNING, DONE = 0, 1, 2, 3

REQUEST = np.dtype(
    [
        (name, "<i8")
        for name in (
            "prompt",  # s
            "arrival",  # a
            "estimate",  # point prediction clamped into [1, M - s]; one_bit: 1 long, 0 short
            "low",  # interval prediction, clamped
            "high",
            "output",  # -1 until completion, unless the policy is clairvoyant
            "start",  # virtual start of the running attempt: now - age
            "kept",  # tokens kept from earlier attempts (recompute, swap)
            "cap",  # rounds after which the engine stops the attempt
            "end",  # believed end while in the ledger, else -1
            "rank",  # position in the policy's order
            "slot",  # position in the running list
            "status",
            "a",  # four numbers of the policy's own, 0 at first
            "b",
            "c",
            "d",
        )
    ]
)

STATE = np.dtype(
    [
        (name, "<i8")
        for name in (
            "now",  # the epoch t
            "memory",  # M
            "n",  # capacity of the request table; not the number of requests to come
            "released",  # requests that have arrived so far
            "unfinished",  # of those, not completed
            "running",  # m, requests running
            "offset",  # B: demand of round t is B + m t
            "n_ended",  # completions and timed ends of this epoch, in `ended`
            "n_arrived",  # arrivals of this epoch, in `arrived`
            "n_actions",
            "keeps",  # 1 when eviction keeps tokens (recompute, swap)
            "first",  # ledger window
            "last",
            "over_offset",  # aggregate of running requests past their believed end
            "over_count",
            "surprise",  # something ended or moved in a way the ledger did not foresee
            "blocked",  # list policies: the head that did not fit, and when to try again
            "retry",
            "error",  # code of a forbidden action, and the request
            "culprit",
            "coins",  # state of the SplitMix64 generator
            "u",  # six scalars of the policy's own, 0 at first
            "v",
            "w",
            "x",
            "y",
            "z",
        )
    ]
)


class View(NamedTuple):
    """All that a policy may read and write; every entry is an array.

    Attributes
    ----------
    req : record[n]
        `REQUEST` rows.
    st : record[1]
        `STATE` scalars; write ``s = v.st[0]``.
    order : int64[n]
        Request at each rank of the policy's static order.
    waiting, active : int64[..]
        Ordered sets of ranks (`algos.engine.bitset`).
    run : int64[..]
        The first ``s.running`` entries are the running requests, in no order.
    ledger : int64[3 * capacity]
        Believed ends (`algos.engine.ledger`).
    ended, arrived : int64[..]
        What happened at this epoch.
    actions : int64[..]
        Starts (i) and evictions (~i) of this epoch, in order.
    param : float64[..]
        The card's parameters in the card's order.
    own : int64[..]
        Scratch of the size the card asked for, 0 at first.
    """

    req: Any
    st: Any
    order: Any
    waiting: Any
    active: Any
    run: Any
    ledger: Any
    ended: Any
    arrived: Any
    actions: Any
    param: Any
    own: Any


class Truth(NamedTuple):
    """What the engine alone holds; every entry is an array.

    Attributes
    ----------
    prompt, arrival, estimate, low, high, output : int64[n]
        The instance, already cut down to what the policy's information class may learn on arrival.
    reveal : int64[n]
        What the policy's ``output`` column shows on arrival: -1, or the output for a clairvoyant policy.
    by_arrival : int64[n]
        Requests by (arrival, index).
    completion, start, first_start : int64[n]
        Results.
    began : int64[n]
        Actual start of the current attempt.
    heap_time, heap_request, heap_slot : int64[..]
        The next end of each running request (`algos.engine.heap`).
    log : int64[k, 4]
        Attempts (request, start, stop, completed), where asked for; else of length 0.
    totals : int64[8]
        `algos.engine.loop` counters.
    """

    prompt: Any
    arrival: Any
    estimate: Any
    low: Any
    high: Any
    output: Any
    reveal: Any
    by_arrival: Any
    completion: Any
    start: Any
    first_start: Any
    began: Any
    heap_time: Any
    heap_request: Any
    heap_slot: Any
    log: Any
    totals: Any


_ints = types.int64[::1]
VIEW_TYPE = types.NamedTuple(
    (
        from_dtype(REQUEST)[::1],
        from_dtype(STATE)[::1],
        *([_ints] * 8),
        types.float64[::1],
        _ints,
    ),
    View,
)
#: a policy's hook: called once per decision epoch, returns the next epoch at which it wants to be asked again
HOOK_TYPE = types.FunctionType(types.int64(VIEW_TYPE))
TRUTH_TYPE = types.NamedTuple((*([_ints] * 15), types.int64[:, ::1], _ints), Truth)
