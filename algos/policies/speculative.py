"""gsa_spec: gsa's timetable with speculative runs in free memory (arXiv 2601.22996; docs/policies.md 6.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Card, Known, Parameter
from algos.engine import bitset
from algos.engine.actions import evict, first_waiting, need, next_waiting, room, start, start_capped
from algos.engine.state import DONE, NEVER
from algos.papers import FENG
from algos.policies.staggered import MOST, PADDED, TAU0
from algos.timetable.guarantees import GSA_GUARANTEE
from algos.timetable.slices import fill_slices, pipeline_width, slices
from kvratio.problem.compiled import inlined

# What a request of the batch does, in r.a: nothing, its slice of the timetable, or a run besides it.
IDLE, BASE, SPECULATIVE = 0, 1, 2

# Scratch: scalars, then a request for each slot, the slices, and two ordered sets, of idle and speculative requests.
CAP, PADDING, STAGE, HEAD, SLOTS, STEP, PART, CARRIED, WIDTH, LADDER, IDLE_AT, SPECULATIVE_AT, SCALARS = range(13)

# Scalars: s.u unfinished requests of the batch, s.v next slot, s.w its epoch, s.x end of the phase, s.y requests
# listed, of which the first own[SLOTS] have slots, s.z slice length.


@inlined
def _prepare(v):
    """Lay out the scratch."""
    own, n = v.own, len(v.order)
    own[LADDER] = SCALARS + n
    count = fill_slices(v.param[0], v.param[1], v.st[0].memory, own[own[LADDER] :])
    own[IDLE_AT] = own[LADDER] + count
    idle = own[own[IDLE_AT] :]
    bitset.clear_all(idle, n)
    own[SPECULATIVE_AT] = own[IDLE_AT] + idle[1 + idle[0]]
    bitset.clear_all(own[own[SPECULATIVE_AT] :], n)


@inlined
def _gather(v):
    """Take all that wait as the next batch, by index; its first phase begins now."""
    s, own = v.st[0], v.own
    size, padding = 0, 0
    i = first_waiting(v)
    while i >= 0:
        own[SCALARS + size] = i
        v.req[i].a = IDLE
        bitset.insert(own[own[IDLE_AT] :], i)
        padding = max(padding, v.req[i].prompt)
        size += 1
        i = next_waiting(v, i)
    s.u = s.y = size
    s.x = s.now
    s.z = 0
    own[PADDING] = padding
    own[CAP] = s.memory - padding
    own[STAGE] = 0
    own[HEAD] = -1


@inlined
def _next_phase(v):
    """Lay out a slot for each unfinished request; after the last slice one for the first alone, without an end."""
    s, own = v.st[0], v.own
    size = 0
    for r in range(s.y):
        i = own[SCALARS + r]
        if v.req[i].status != DONE:
            own[SCALARS + size] = i
            size += 1
    s.y = size
    s.v = 0
    s.w = s.now
    own[CARRIED] = 0
    if s.z >= own[CAP]:
        own[HEAD] = own[SCALARS]
        own[SLOTS], own[STEP], own[PART], own[WIDTH] = 1, 0, 0, 1
        s.z = NEVER
        s.x = NEVER
        return
    s.z = min(own[own[LADDER] + own[STAGE]], own[CAP])
    own[STAGE] += 1
    width = pipeline_width(s.z, own[PADDING], s.memory)
    own[SLOTS], own[STEP], own[PART], own[WIDTH] = size, s.z // width, s.z % width, width
    s.x = s.now + ((size - 1) * s.z) // width + s.z


@inlined
def _advance(v):
    """Go on to the next slot."""
    s, own = v.st[0], v.own
    s.v += 1
    s.w += own[STEP]
    own[CARRIED] += own[PART]
    if own[CARRIED] >= own[WIDTH]:
        own[CARRIED] -= own[WIDTH]
        s.w += 1


def decide(v):
    """Close slots and phases, open slots, kill speculative runs for room, and fill what is left with new ones.

    Wakes for the next slot of an unfinished request and for the end of the phase; in between, demand only grows,
    so nothing that did not fit could start.
    """
    s, own = v.st[0], v.own
    if own[IDLE_AT] == 0:
        _prepare(v)
    idle, speculative = own[own[IDLE_AT] :], own[own[SPECULATIVE_AT] :]
    for k in range(s.n_ended):
        i = v.ended[k]
        r = v.req[i]
        if r.status == DONE:
            s.u -= 1
            if r.a == SPECULATIVE:
                bitset.discard(speculative, i)
            if i == own[HEAD]:
                s.x = s.now
        else:
            r.a = IDLE
            bitset.insert(idle, i)
    if s.u == 0:
        _gather(v)
        if s.u == 0:
            return NEVER
    if s.now >= s.x:
        _next_phase(v)
    first = s.v
    opening = 0
    while s.v < own[SLOTS] and s.w == s.now:
        i = own[SCALARS + s.v]
        r = v.req[i]
        if r.status != DONE:
            if r.a == SPECULATIVE:
                bitset.discard(speculative, i)
                evict(v, i)
            else:
                bitset.discard(idle, i)
            opening += r.prompt + 1
        _advance(v)
    # Room is made before the slots open, so that never more run than memory could hold.
    while need(v) + opening > s.memory:
        i = bitset.last(speculative)
        bitset.discard(speculative, i)
        bitset.insert(idle, i)
        v.req[i].a = IDLE
        evict(v, i)
    for k in range(first, s.v):
        i = own[SCALARS + k]
        if v.req[i].status != DONE:
            v.req[i].a = BASE
            start_capped(v, i, s.z)
    while s.v < own[SLOTS] and v.req[own[SCALARS + s.v]].status == DONE:
        _advance(v)
    i = bitset.first(idle)
    while i >= 0 and room(v, i):
        bitset.discard(idle, i)
        bitset.insert(speculative, i)
        v.req[i].a = SPECULATIVE
        start(v, i)
        i = bitset.first(idle)
    return min(s.w, s.x) if s.v < own[SLOTS] else s.x


def scratch(n: int, memory: int, settings: Mapping[str, Any], known: Known) -> int:
    """Return the length of the scratch."""
    return SCALARS + n + len(slices(settings["alpha"], settings["tau0"], memory)) + 2 * bitset.words_needed(n)


CARDS = (
    Card(
        id="gsa_spec",
        title="Geometric slicing with speculative runs",
        family="staggered",
        information="none",
        arrivals="batch rule",
        evicts="at the end of each slice, and speculative runs when memory is short",
        allowed_evictions=("restart",),
        about="gsa's timetable, and in the memory it leaves free further runs of unfinished requests, which may finish "
        "early and are killed when room is needed or their own slot opens. No request completes later than under gsa "
        "with the same parameters." + PADDED,
        reference="2601.22996",
        source=FENG,
        parameters=(Parameter("alpha", 2.0, "growth of the slices, above 1", low=1, high=MOST, above=True), TAU0),
        guarantee=GSA_GUARANTEE,
        decide=decide,
        key=lambda known, settings: np.zeros(len(known.prompt), np.int64),
        scratch=scratch,
    ),
)
