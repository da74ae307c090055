"""The words a serving policy is written in: what it may ask, and what it may put into the batch."""

from __future__ import annotations

import numpy as np

from algos.engine import bitset
from algos.serving.state import DECODING, PREFILLING
from kvratio.problem.compiled import inlined


# -- questions ------------------------------------------------------------------------------------------------------
@inlined
def rounded(v, tokens):
    """Tokens of memory that so many tokens occupy."""
    block = v.st[0].block
    return tokens if block == 1 else (tokens + block - 1) // block * block


@inlined
def need(v, i):
    """Memory that waiting request i takes when it is admitted."""
    r = v.req[i]
    return rounded(v, r.prompt + r.kept)


@inlined
def stage(v, i):
    """Stage of the next pass of request i, which decodes."""
    return v.req[i].offset + v.st[0].tick


@inlined
def emitted(v, i):
    """Tokens that request i has produced and still has."""
    r = v.req[i]
    return r.kept if r.status <= PREFILLING else r.offset + v.st[0].tick - 1


@inlined
def footprint(v, i):
    """Memory that resident i holds."""
    r = v.req[i]
    if r.status == PREFILLING:
        return rounded(v, r.prompt + r.kept)
    return rounded(v, r.prompt + r.offset + v.st[0].tick - r.survivor)


@inlined
def fits(v, i):
    """Whether waiting request i can be admitted without exceeding the memory."""
    s = v.st[0]
    return s.used + need(v, i) <= s.memory


@inlined
def first_waiting(v):
    """Waiting request that is first in the policy's order, or -1."""
    rank = bitset.first(v.waiting)
    return v.order[rank] if rank >= 0 else np.int64(-1)


@inlined
def may_admit(v):
    """Whether new requests may be admitted at all: not while one waits on the host."""
    return v.st[0].out == 0


@inlined
def watermark_limit(v, watermark):
    """Memory that an admission may fill up to; all of it while nobody is resident."""
    s = v.st[0]
    return s.memory if s.residents == 0 else np.int64(np.floor((1.0 - watermark) * s.memory + 1e-9))


# -- actions --------------------------------------------------------------------------------------------------------
@inlined
def admit(v, i):
    """Admit waiting request i and process its whole prompt in this iteration."""
    r = v.req[i]
    admit_part(v, i, r.prompt + r.kept)


@inlined
def admit_part(v, i, tokens):
    """Admit waiting request i and process the first ``tokens`` of its prompt; all of it is reserved."""
    s = v.st[0]
    r = v.req[i]
    bitset.discard(v.waiting, r.rank)
    if s.queued:
        v.queue[v.base[r.kind]].count -= 1
    s.waiting -= 1
    s.used += need(v, i)
    r.status = PREFILLING
    r.done = 0
    bitset.insert(v.prefilling, i)
    enter(v, i)
    prefill(v, i, tokens)


@inlined
def prefill(v, i, tokens):
    """Process ``tokens`` more of the prompt of resident i."""
    s = v.st[0]
    v.batch[s.prefills] = i
    v.chunk[s.prefills] = tokens
    s.prefills += 1


@inlined
def decode_all(v):
    """Let every request that decodes emit a token; ``heed`` says that the next arrival may change this."""
    v.st[0].all_decode = 1


@inlined
def decode(v, i):
    """Let request i emit a token."""
    s = v.st[0]
    r = v.req[i]
    if r.survivor == 1:
        s.used -= footprint(v, i)
        r.survivor = 0
        s.used += footprint(v, i)
    v.chosen[s.decodes] = i
    s.decodes += 1


@inlined
def survive(v, i):
    """Take request i back from the batch: at a boundary it gives up the slot of its next token."""
    s = v.st[0]
    r = v.req[i]
    if r.status == DECODING and v.queue[v.base[r.kind] + r.offset].entry == 1:
        s.used -= footprint(v, i)
        r.survivor = 1
        s.used += footprint(v, i)


@inlined
def evict(v, i):
    """Evict resident i when the hook returns; it joins the queue after this decision."""
    s = v.st[0]
    v.victims[s.victims] = i
    s.victims += 1


# -- the list of residents, oldest admission first ------------------------------------------------------------------
@inlined
def enter(v, i):
    """Put request i among the residents, as admitted at this decision."""
    s = v.st[0]
    r = v.req[i]
    r.admission = s.decision
    place = s.newest
    while place > i and v.req[place].admission == s.decision:
        place = v.req[place].before
    r.before = place
    r.after = v.req[place].after if place >= 0 else s.oldest
    if r.after >= 0:
        v.req[r.after].before = i
    else:
        s.newest = i
    if place >= 0:
        v.req[place].after = i
    else:
        s.oldest = i
    s.residents += 1


@inlined
def depart(v, i):
    """Take request i out of the residents."""
    s = v.st[0]
    r = v.req[i]
    if r.before >= 0:
        v.req[r.before].after = r.after
    else:
        s.oldest = r.after
    if r.after >= 0:
        v.req[r.after].before = r.before
    else:
        s.newest = r.before
    s.residents -= 1
