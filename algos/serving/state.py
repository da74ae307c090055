"""What a serving policy sees, and what only the engine knows. Flat arrays, so that a run can stop and be resumed.

Stages count passes: the next pass of a request is its stage. Where all decodes advance together (``tick``), a
request stores its stage minus the tick, so that nobody has to be touched in an iteration in which nothing happens to
it. Policies that choose decodes one by one keep the tick at 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from kvratio.problem.service import ITERATION_DTYPE

#: more than any count or number of iterations
NEVER = np.int64(2**62)
#: a hook's answer: requests were evicted and nothing is left in the batch, decide again at once
AGAIN = np.int64(-1)

UNRELEASED, WAITING, PREFILLING, DECODING, OUT, DONE = 0, 1, 2, 3, 4, 5
RESTART, RECOMPUTE, SWAP = 0, 1, 2
#: values of ``refused``: it can never fit, or another worker got it
REFUSED, ELSEWHERE = 1, 2
EVICTIONS = {"restart": RESTART, "recompute": RECOMPUTE, "swap": SWAP}


def _whole(names: str) -> np.dtype[Any]:
    return np.dtype([(name, "<i8") for name in names.split()])


#: what every pass touches comes first
REQUEST = _whole(
    "prompt "  # l
    "kind "  # index into the mix; 0 unless the policy is told
    "status "
    "offset "  # decoding: stage of the next pass minus the tick
    "survivor "  # 1 in a boundary queue: no slot for its next token yet
    "ahead "  # the queue of its stage
    "behind "
    "left "  # the interior of its group, in no order
    "right "
    "kept "  # tokens kept through an eviction, g
    "estimate "  # predicted output, clamped to what fits; -1 unless the policy is told
    "rank "  # position in the policy's static order
    "joined "  # tick at which it began to decode
    "done "  # prompt tokens processed in this attempt
    "admission "  # number of the decision at which it became resident
    "before "  # residents by (admission, index)
    "after "
    "a"  # a number of the policy's own, 0 at first
)

STATE = _whole(
    "memory "  # C
    "block "
    "eviction "
    "known "  # requests that the engine has been given
    "closed "  # 1: no more will be given
    "released "  # of these, arrived
    "unfinished "  # of these, neither refused nor completed
    "completed "
    "watched "  # 1: stop after every iteration in which a request completes
    "waiting "
    "residents "
    "out "  # swapped out
    "decision "  # number of the current decision
    "iterations "
    "used "  # footprint of all residents
    "tick "
    "active "  # requests that decode with the tick
    "tokens "  # l + stage, summed over them
    "oldest "  # ends of the list of residents
    "newest "
    "fresh "  # requests without a token since they began to decode
    "moved "  # tokens moved since the last iteration
    "prefills "  # the batch: prompts, decodes one by one, or all decodes
    "decodes "
    "all_decode "
    "heed "  # 1: an arrival may change the decision
    "victims "  # requests that the policy evicts
    "tell "  # 1: the policy wants to know who joined the queue
    "joiners "
    "together "  # 1: all requests decode with the tick
    "queued "  # 1: requests stand in queues by stage
    "grouped "  # 1: by kind too
    "logged "  # 1: iterations are written down
    "tracked "  # 1: evictions are written down
    "losses "  # of these, rows
    "rows "
    "gap_top "  # stack of gaps between ticks
    "evictions "
    "wasted_prefill "
    "wasted_decode "
    "moved_total "
    "emitted "
    "peak "
    "u "  # two scalars of the policy's own, 0 at first
    "v"
)

#: a queue of requests that wait for the same pass
QUEUE = _whole("head tail count group entry")
#: a type (WAIT) or a segment (Nested WAIT): stages first .. stop-1 of the queues
#: ``member`` is one of the interior, ``over`` counts its queues longer than ``bound``, ``shift`` the turns of its ring,
#: and ``whole`` says that it turns after this iteration
GROUP = _whole("bound first stop width first_rank unfinished turn interior over member shift whole")

CLOCK = np.dtype([(name, "<f8") for name in ("base", "now", "busy", "token_seconds", "ticked")])
#: what the engine alone knows of a request. ``prefill`` and ``token`` are first times ever, ``attempt_prefill`` and
#: ``attempt_token`` those of the attempt under ``restart``; ``last_token`` is the time of the newest token; ``gaps``
#: gaps between tokens of the attempt stand in the trail from ``trail`` on
SECRET = np.dtype(
    [("output", "<i8")]
    + [(name, "<f8") for name in ("last_token", "gap", "arrival", "admitted", "prefill", "attempt_prefill", "token")]
    + [(name, "<f8") for name in ("attempt_token", "completion")]
    + [(name, "<i8") for name in ("evictions", "refused", "trail", "gaps")]
)

#: an eviction that was written down: passes done in the attempt, and when
LOSS = np.dtype([("request", "<i8"), ("passes", "<i8"), ("time", "<f8")])


class View(NamedTuple):
    """All that a policy may read and write; every entry is an array.

    Attributes
    ----------
    req : record[n]
        `REQUEST` rows, by (arrival, index).
    st : record[1]
        `STATE` scalars.
    order : int64[n]
        Request at each rank of the policy's static order.
    waiting, prefilling, decoding, out, ready : int64[..]
        Ordered sets (`algos.engine.bitset`): ranks that wait; requests in prefill, in decode (where they are chosen
        one by one), swapped out; non-empty queues.
    batch, chunk : int64[n]
        Requests that do (part of) their prefill, and how many tokens of it.
    chosen : int64[n]
        Requests that decode, where they are chosen one by one.
    victims, joiners, fresh : int64[n]
    queue : record[..]
        `QUEUE` rows: at ``base[kind] + stage``.
    group : record[..]
        `GROUP` rows.
    base : int64[kinds]
    residue : int64[block]
        Decoding requests by what l + offset leaves modulo the block.
    param : float64[..]
        The card's parameters in the card's order.
    own : int64[..]
        Scratch of the size the card asked for, 0 at first.
    """

    req: Any
    st: Any
    order: Any
    waiting: Any
    prefilling: Any
    decoding: Any
    out: Any
    ready: Any
    batch: Any
    chunk: Any
    chosen: Any
    victims: Any
    joiners: Any
    fresh: Any
    queue: Any
    group: Any
    base: Any
    residue: Any
    param: Any
    own: Any


class Truth(NamedTuple):
    """What the engine alone holds; every entry is an array.

    Attributes
    ----------
    req : record[n]
        `SECRET` rows.
    clock : record[1]
        `CLOCK`.
    rates : float64[8]
        Seconds per unit of `kvratio.problem.clock.FEATURES`.
    knee : int64[1]
    counts : int64[8]
        Features of all iterations since ``base``.
    due : int64[..]
        Heap of requests by the tick at which they complete (`algos.engine.queue`).
    gap_time, gap_tick : [2 * (largest output + 2)]
        Gaps between ticks that no later gap reaches (`algos.serving.gaps`).
    log : record[..]
        `kvratio.problem.service.ITERATION_DTYPE` rows.
    lost : record[..]
        `LOSS` rows.
    trail : float32[..]
        Gaps between tokens, request after request; empty unless they are kept.
    ring : float32[..]
        The newest gaps between ticks, at the tick modulo the length; empty unless gaps are kept.
    most : int64[2]
        Most key-value tokens of a batch; most prompt tokens.
    """

    req: Any
    clock: Any
    rates: Any
    knee: Any
    counts: Any
    due: Any
    gap_time: Any
    gap_tick: Any
    log: Any
    lost: Any
    trail: Any
    ring: Any
    most: Any


_ints = types.int64[::1]
_floats = types.float64[::1]
_singles = types.float32[::1]
VIEW_TYPE = types.NamedTuple(
    (
        from_dtype(REQUEST)[::1],
        from_dtype(STATE)[::1],
        *([_ints] * 12),
        from_dtype(QUEUE)[::1],
        from_dtype(GROUP)[::1],
        _ints,
        _ints,
        _floats,
        _ints,
    ),
    View,
)
TRUTH_TYPE = types.NamedTuple(
    (
        from_dtype(SECRET)[::1],
        from_dtype(CLOCK)[::1],
        _floats,
        _ints,
        _ints,
        _ints,
        _floats,
        _ints,
        from_dtype(ITERATION_DTYPE)[::1],
        from_dtype(LOSS)[::1],
        _singles,
        _singles,
        _ints,
    ),
    Truth,
)
#: a policy's hook: forms a batch, returns for how many iterations it stands if nothing happens, or `AGAIN`
HOOK_TYPE = types.FunctionType(types.int64(VIEW_TYPE))
