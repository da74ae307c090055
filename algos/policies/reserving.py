"""Engines that reserve memory for the longest run they expect, and stop what outlives it (orca, s3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.engine import bitset
from algos.engine.actions import first_waiting, start_capped
from algos.engine.state import DONE, NEVER
from algos.papers import JIN, YU
from kvratio.problem.compiled import inlined
from kvratio.problem.instance import Instance

# r.a is the reservation res of a request in tokens, s.u the sum of (prompt + res) over running requests. It bounds
# their memory, so the next round never overflows. An attempt is capped at the age res: the engine's step 3.
#
# Neither policy needs a wake time: reservations change only at completions and caps.


def decide_orca(v):
    """Start by rank while the reservations fit and fewer than ``max_batch`` run."""
    s = v.st[0]
    for k in range(s.n_ended):
        _release(v, v.ended[k])
    for k in range(s.n_arrived):
        r = v.req[v.arrived[k]]
        r.a = min(np.int64(v.param[0]), s.memory - r.prompt)
    most = _most_running(v.param[1])
    i = first_waiting(v)
    while i >= 0 and s.running < most and s.u + v.req[i].prompt + v.req[i].a <= s.memory:
        _reserve(v, i)
        i = first_waiting(v)
    return NEVER


@inlined
def _reserve(v, i):
    s = v.st[0]
    r = v.req[i]
    s.u += r.prompt + r.a
    start_capped(v, i, r.a - r.kept)


@inlined
def _release(v, i):
    """Give back the reservation of an ended attempt, and double it where it was too small."""
    s = v.st[0]
    r = v.req[i]
    s.u -= r.prompt + r.a
    if r.status != DONE:
        r.a = min(2 * r.a, s.memory - r.prompt)


@inlined
def _most_running(given):
    return NEVER if np.isnan(given) else np.int64(given)


# -- decreasing first fit -------------------------------------------------------------------------------------------
# The size of a waiting request is prompt + res. Going through them by (-size, index) and past misfits is the same as
# taking the largest size that fits, smallest index first, again and again. res is a power of two or else M - prompt,
# which makes the size M. So the waiting requests are kept in one ordered set of ranks per exponent, the static order
# being by (-prompt, index), and one set of indices for those of size M.
WHOLE = 0  # the set of those of size M; the set of exponent b is number 1 + b


def decide_s3(v):
    """Start the largest reservation that fits, while one fits and fewer than ``max_batch`` run."""
    s = v.st[0]
    if s.w == 0:
        _clear_sets(v)
    for k in range(s.n_ended):
        i = v.ended[k]
        _release(v, i)
        if v.req[i].status != DONE:
            _file(v, i)
    for k in range(s.n_arrived):
        i = v.arrived[k]
        r = v.req[i]
        r.a = 1
        while r.a < r.estimate:
            r.a *= 2
        r.a = min(r.a, s.memory - r.prompt)
        _file(v, i)
    most = _most_running(v.param[0])
    while s.running < most:
        i = _largest_fit(v, s.memory - s.u)
        if i < 0:
            break
        bitset.discard(v.own[_at(v, _number(v, i)) :], _member(v, i))
        _reserve(v, i)
    return NEVER


@inlined
def _largest_fit(v, free):
    """Waiting request with the largest (size, -index) among those of size at most ``free``, or -1."""
    s = v.st[0]
    best = np.int64(-1)
    best_size = np.int64(-1)
    if free == s.memory:
        best = bitset.first(v.own[_at(v, WHOLE) :])
        best_size = s.memory if best >= 0 else best_size
    for number in range(1, s.w):
        power = np.int64(1) << (number - 1)
        if power >= free + 1:
            break
        i = _largest_prompt(v, v.own[_at(v, number) :], free - power)
        if i >= 0:
            size = v.req[i].prompt + power
            if size > best_size or (size == best_size and i < best):
                best, best_size = i, size
    return best


@inlined
def _largest_prompt(v, ranks, most):
    """First request of a set of ranks, which are by (-prompt, index), with a prompt of at most ``most``, or -1."""
    lo, hi = bitset.first(ranks), bitset.last(ranks)
    if lo < 0 or v.req[v.order[hi]].prompt > most:
        return np.int64(-1)
    # Only members are looked at: other ranks may belong to requests that have not arrived.
    while lo < hi:
        mid = (lo + hi) >> 1
        member = bitset.following(ranks, mid, len(v.order))
        if v.req[v.order[member]].prompt <= most:
            hi = mid
        else:
            lo = member + 1
    return v.order[bitset.following(ranks, lo, len(v.order))]


@inlined
def _file(v, i):
    """Enter waiting request i into its set."""
    bitset.insert(v.own[_at(v, _number(v, i)) :], _member(v, i))


@inlined
def _number(v, i):
    """Number of the set that request i belongs to by its present reservation."""
    r = v.req[i]
    if r.prompt + r.a == v.st[0].memory:
        return np.int64(WHOLE)
    exponent = np.int64(0)
    while (np.int64(1) << exponent) < r.a:
        exponent += 1
    return 1 + exponent


@inlined
def _member(v, i):
    """What stands for request i in its set: its index among those of size M, else its rank."""
    r = v.req[i]
    return i if r.prompt + r.a == v.st[0].memory else r.rank


@inlined
def _at(v, number):
    """First word of a set in the scratch."""
    return number * (len(v.own) // _sets(v))


@inlined
def _sets(v):
    """Number of sets: that of size M, and one per power of two below M."""
    count = np.int64(1)
    while (np.int64(1) << (count - 1)) < v.st[0].memory:
        count += 1
    return count


@inlined
def _clear_sets(v):
    """Lay the sets out, at the first epoch."""
    s = v.st[0]
    s.w = _sets(v)
    for number in range(s.w):
        bitset.clear_all(v.own[_at(v, number) :], s.n)


def resolve_orca(inst: Instance, params: dict[str, Any]) -> dict[str, Any]:
    """Fill in the limit on output tokens: the largest clamped prediction, which is public."""
    if params["max_tokens"] is None:
        params["max_tokens"] = int(inst.clamp(inst.predicted).max())
    return params


def scratch_s3(n: int, memory: int, params: Mapping[str, Any], known: Known) -> int:
    """Return the words for the sets of waiting requests: one per power of two below M, and one."""
    return (1 + (memory - 1).bit_length()) * bitset.words_needed(n)


MAX_BATCH = Parameter(
    "max_batch", None, "most requests that run together; none: no limit", low=1, high=2**53, whole=True
)

CARDS = (
    Card(
        id="orca",
        title="Orca: reserve the limit",
        family="engine",
        information="none",
        evicts="if an output exceeds the limit",
        about="First come, first served; reserves memory for the limit on output tokens, which is public. What "
        "outlives its reservation is stopped and waits with a doubled one.",
        reference="Orca (OSDI 2022)",
        source=YU,
        parameters=(
            Parameter(
                "max_tokens",
                None,
                "limit on output tokens; none: the largest prediction, taken as public",
                low=1,
                high=2**53,
                whole=True,
            ),
            MAX_BATCH,
        ),
        decide=decide_orca,
        resolve=resolve_orca,
    ),
    Card(
        id="s3",
        title="S3: reserve the predicted bucket",
        family="engine",
        information="prediction",
        evicts="if an output exceeds its bucket",
        allowed_evictions=("restart",),
        about="Reserves the power of two that covers the prediction, largest reservation first, past misfits. What "
        "outlives its reservation is stopped and restarts with a doubled one.",
        reference="2306.06000",
        source=JIN,
        parameters=(MAX_BATCH,),
        decide=decide_s3,
        key=lambda known, params: -known.prompt,
        scratch=scratch_s3,
    ),
)
