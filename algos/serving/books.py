"""The engine's books: what happens to memory, queues and times when a request decodes, completes or is evicted."""

from __future__ import annotations

import numpy as np

from algos.engine import bitset, queue
from algos.serving import gaps, queues
from algos.serving.actions import depart, enter, footprint, rounded, stage
from algos.serving.state import DECODING, DONE, ELSEWHERE, OUT, PREFILLING, RECOMPUTE, SWAP, WAITING
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined


# -- the waiting queue ----------------------------------------------------------------------------------------------
@inlined
def enqueue(v, i):
    """Put request i into the waiting queue."""
    s = v.st[0]
    r = v.req[i]
    r.status = WAITING
    bitset.insert(v.waiting, r.rank)
    s.waiting += 1
    if s.queued:
        v.queue[v.base[r.kind]].count += 1
    if s.tell:
        v.joiners[s.joiners] = i
        s.joiners += 1


@inlined
def arrive(v, t):
    """Let every request join that has arrived by now, but those that can never fit and those sent elsewhere."""
    s = v.st[0]
    now = t.clock[0].now
    while s.released < s.known and (t.req[s.released].arrival <= now or t.req[s.released].refused == ELSEWHERE):
        i = s.released
        s.released += 1
        if t.req[i].refused:
            v.req[i].status = DONE
            continue
        s.unfinished += 1
        if s.grouped:
            v.group[v.req[i].kind].unfinished += 1
        enqueue(v, i)


# -- decoding -------------------------------------------------------------------------------------------------------
@inlined
def start_decoding(v, t, i, first):
    """Let resident i decode from stage ``first`` on; its footprint is counted here, its queue is the caller's."""
    s = v.st[0]
    r = v.req[i]
    r.status = DECODING
    r.offset = first - s.tick
    r.joined = s.tick
    r.survivor = v.queue[queues.row_of(v, i)].entry if s.queued else 0
    if s.together:
        _tick_along(v, t, i, first)
    elif not s.queued:
        bitset.insert(v.decoding, i)
    s.used += footprint(v, i)


@inlined
def _tick_along(v, t, i, first):
    s = v.st[0]
    r = v.req[i]
    s.active += 1
    s.tokens += r.prompt + first
    v.residue[(r.prompt + r.offset) % s.block] += 1
    v.fresh[s.fresh] = i
    s.fresh += 1
    queue.push(queue.Queue(t.due, 0, len(v.req)), i, t.req[i].output + 1 - r.offset, 0)


@inlined
def _stop_decoding(v, t, i):
    """Take request i out of whatever lets it decode, with its gaps between tokens written down."""
    s = v.st[0]
    r = v.req[i]
    s.used -= footprint(v, i)
    if s.queued:
        queues.remove(v, i)
    elif not s.together:
        bitset.discard(v.decoding, i)
    else:
        s.active -= 1
        s.tokens -= r.prompt + stage(v, i)
        v.residue[(r.prompt + r.offset) % s.block] -= 1
        queue.remove(queue.Queue(t.due, 0, len(v.req)), i)
        if r.joined == s.tick:
            _not_fresh(v, i)
        else:
            t.req[i].last_token = t.clock[0].ticked
            if s.tick >= r.joined + 2:
                _widen(t, i, gaps.longest(v, t, r.joined + 2))
                gaps.keep_ticks(t, i, r.joined + 2, s.tick)


@inlined
def _not_fresh(v, i):
    s = v.st[0]
    k = 0
    while v.fresh[k] != i:
        k += 1
    s.fresh -= 1
    v.fresh[k] = v.fresh[s.fresh]


@inlined
def _widen(t, i, gap):
    q = t.req[i]
    if not q.gap >= gap:
        q.gap = gap


@inlined
def token(v, t, i):
    """Write down that request i emits a token now."""
    q = t.req[i]
    now = t.clock[0].now
    gap = now - q.last_token
    if np.isnan(gap):
        if np.isnan(q.token):
            q.token = now
        q.attempt_token = now
    else:
        gaps.keep(t, i, gap)
        if not q.gap >= gap:
            q.gap = gap
    q.last_token = now


@compiled(**UNCOUNTED)
def complete(v, t, i):
    """Let request i, which has run its last pass, go."""
    _stop_decoding(v, t, i)
    _let_go(v, t, i)


@inlined
def _let_go(v, t, i):
    """Write down that request i, which holds nothing any more, has completed."""
    s = v.st[0]
    depart(v, i)
    v.req[i].status = DONE
    t.req[i].completion = t.clock[0].now
    s.unfinished -= 1
    s.completed += 1
    if s.grouped:
        v.group[v.req[i].kind].unfinished -= 1


# -- eviction -------------------------------------------------------------------------------------------------------
@compiled(**UNCOUNTED)
def evict_now(v, t, i):
    """Take the memory of resident i; what it loses depends on the eviction rule."""
    s = v.st[0]
    r = v.req[i]
    s.evictions += 1
    t.req[i].evictions += 1
    if s.tracked:
        row = t.lost[s.losses]
        row.request, row.time = i, t.clock[0].now
        row.passes = 0 if r.status == PREFILLING else stage(v, i)
        s.losses += 1
    depart(v, i)
    if r.status == PREFILLING:
        s.used -= footprint(v, i)
        s.wasted_prefill += r.done
        bitset.discard(v.prefilling, i)
        enqueue(v, i)
        return
    kept = stage(v, i) - 1
    held = footprint(v, i)
    _stop_decoding(v, t, i)
    if s.eviction == SWAP:
        r.kept = kept
        r.status = OUT
        bitset.insert(v.out, i)
        s.out += 1
        s.moved += held
        s.moved_total += held
        return
    if s.eviction == RECOMPUTE:
        r.kept = kept
        s.wasted_prefill += r.prompt + kept
    else:
        s.wasted_prefill += r.prompt
        s.wasted_decode += kept
        q = t.req[i]
        q.attempt_prefill, q.attempt_token, q.last_token, q.gap = np.nan, np.nan, np.nan, np.nan
        q.gaps = 0
    enqueue(v, i)


@inlined
def relieve(v, t):
    """Evict those admitted last while the memory is exceeded."""
    s = v.st[0]
    while s.used > s.memory:
        evict_now(v, t, s.newest)


@compiled(**UNCOUNTED)
def bring_back(v, t):
    """Let swapped-out requests return, oldest first, until one does not fit."""
    s = v.st[0]
    while s.out > 0:
        i = bitset.first(v.out)
        r = v.req[i]
        if s.used + rounded(v, r.prompt + r.kept + 1) > s.memory:
            return
        bitset.discard(v.out, i)
        s.out -= 1
        enter(v, i)
        before = s.used
        start_decoding(v, t, i, r.kept + 1)
        if s.queued:
            queues.append(v, i)
        r.kept = 0
        s.moved += s.used - before
        s.moved_total += s.used - before


# -- the end of an iteration ----------------------------------------------------------------------------------------
@inlined
def finish_prefills(v, t):
    """Book the prompt tokens of the batch; whoever has all of them decodes from now on."""
    s = v.st[0]
    now = t.clock[0].now
    for k in range(s.prefills):
        i = v.batch[k]
        r = v.req[i]
        r.done += v.chunk[k]
        if r.done < r.prompt + r.kept:
            continue
        q = t.req[i]
        if np.isnan(q.prefill):
            q.prefill = now
        if np.isnan(q.attempt_prefill):
            q.attempt_prefill = now
        bitset.discard(v.prefilling, i)
        s.used -= footprint(v, i)
        if t.req[i].output == 0:
            _let_go(v, t, i)
            continue
        start_decoding(v, t, i, r.kept + 1)
        if s.queued and not queues.moves_whole(v, i):
            queues.append(v, i)
    if s.queued:
        # Each of these is put first in its queue: the last of the batch begins.
        for k in range(s.prefills - 1, -1, -1):
            if v.req[v.batch[k]].status == DECODING and queues.moves_whole(v, v.batch[k]):
                queues.join(v, v.batch[k])


@inlined
def finish_decodes(v, t):
    """Move every request that was chosen to decode, one by one, by a stage."""
    s = v.st[0]
    for k in range(s.decodes):
        i = v.chosen[k]
        r = v.req[i]
        token(v, t, i)
        if r.offset == t.req[i].output:
            complete(v, t, i)
        else:
            s.used -= footprint(v, i)
            r.offset += 1
            s.used += footprint(v, i)
    s.emitted += s.decodes


@inlined
def finish_stages(v, t):
    """Move every request that was chosen to decode to the queue of its next stage.

    A whole interior moves by a turn of its ring. Who enters it from a boundary does so after that.
    """
    s = v.st[0]
    entering = 0
    for k in range(s.decodes):
        i = v.chosen[k]
        r = v.req[i]
        token(v, t, i)
        if r.offset == t.req[i].output:
            complete(v, t, i)
            continue
        row = queues.row_of(v, i)
        g = v.group[v.queue[row].group]
        if row == g.first and row + 1 < g.stop:
            v.chosen[entering] = i
            entering += 1
        elif g.whole == 1 and row + 1 < g.stop:
            used = rounded(v, r.prompt + r.offset)
            r.offset += 1
            s.used += rounded(v, r.prompt + r.offset) - used
        else:
            used = footprint(v, i)
            queues.move_on(v, i)
            s.used += footprint(v, i) - used
    s.emitted += s.decodes
    _leave_entries(v, entering)


@inlined
def _leave_entries(v, entering):
    """Turn the rings; let the first ``entering`` of the chosen go from the boundary into the interior."""
    s = v.st[0]
    if entering == 0:
        queues.turn_rings(v)
        return
    for k in range(entering):
        queues.remove(v, v.chosen[k])
    queues.turn_rings(v)
    for k in range(entering):
        i = v.chosen[k]
        s.used -= footprint(v, i)
        v.req[i].offset += 1
        queues.append(v, i)
        s.used += footprint(v, i)


@inlined
def finish_tick(v, t):
    """Let all requests that decode with the tick emit a token, and those at their last stage complete."""
    s = v.st[0]
    c = t.clock[0]
    # A footprint grows by a block where the token to come opens one.
    s.used += s.active if s.block == 1 else s.block * v.residue[-s.tick % s.block]
    s.tick += 1
    s.tokens += s.active
    s.emitted += s.active
    gaps.push(v, t, c.now - c.ticked, s.tick)
    c.ticked = c.now
    for k in range(s.fresh):
        token(v, t, v.fresh[k])
    s.fresh = 0


@inlined
def complete_due(v, t):
    """Let those go that have run their last pass with this tick."""
    s = v.st[0]
    due = queue.Queue(t.due, 0, len(v.req))
    while queue.size(due) > 0 and queue.top_key(due) == s.tick:
        complete(v, t, queue.top(due))
