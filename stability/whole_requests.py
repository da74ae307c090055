"""One worker, whole requests, slot by slot: the compiled loop behind `stability.slots` and `stability.open_arrivals`.

A slot: arrivals join the queue; while the footprints after the slot exceed M the newest admitted is evicted to the
head of the queue; requests are admitted in order while they fit; everybody resident advances by one unit. The rules are
those of the queueing model of arXiv 2605.04595, with evictions that cost something.

With chunks no shorter than prompts, a prompt of l0 + 1 tokens and l1 - 1 outputs goes through the stages of the
congestion model (arXiv 2606.15555): footprints l0 + 1 .. l0 + l1, and the newest admitted is the least progressed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem.compiled import compiled, inlined

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: what an eviction costs: nothing, the prefill of prompt and tokens again, everything
MODES = ("swap", "recompute", "restart")
SWAP, RECOMPUTE, RESTART = range(3)

#: columns of the rows of a run: tokens held after the slot, then numbers of requests
ROWS = ("used", "admitted", "evicted", "completed", "resident", "waiting")
USED, ADMITTED, EVICTED, COMPLETED, RESIDENT, QUEUED = range(len(ROWS))

#: columns of the table of residents: place in the stream, tokens held, tokens to prefill, tokens produced
WHO, HOLD, TARGET, MADE = range(4)


class Limits(NamedTuple):
    """What a worker may do.

    Attributes
    ----------
    memory : int
        M, tokens.
    chunk : int
        Prompt tokens processed in a slot.
    mode : int
        Index into `MODES`.
    saturated : bool
        Whether the next request of the stream is always waiting.
    rate, burst : float
        Token bucket, empty at first: admissions earned in a slot, and how many unused ones are kept for later. An empty
        worker admits one request in any case. Infinite: no cap.
    """

    memory: int
    chunk: int
    mode: int
    saturated: bool
    rate: float = np.inf
    burst: float = np.inf


@inlined
def _following(request, chunk):
    """Footprint of a request after one more slot."""
    if request[HOLD] < request[TARGET]:
        return min(request[HOLD] + chunk, request[TARGET])
    return request[HOLD] + 1


@inlined
def _void(request, length, mode):
    """Take the memory of a request away: what it holds then, and must prefill before it goes on."""
    if mode == RECOMPUTE:
        request[HOLD], request[TARGET] = 0, length + request[MADE]
    elif mode == RESTART:
        request[HOLD], request[TARGET], request[MADE] = 0, length, 0


@inlined
def _advance(residents, count, chunk, output, kind, by_kind, t):
    """Give every resident its slot, book those that complete in it; return how many stay."""
    kept = 0
    for k in range(count):
        request = residents[k]
        decodes = request[HOLD] >= request[TARGET]
        request[HOLD] = _following(request, chunk)
        request[MADE] += decodes
        if request[HOLD] >= request[TARGET] and request[MADE] == output[request[WHO]]:
            by_kind[kind[request[WHO]], t] += 1
            continue
        for column in range(4):
            residents[kept, column] = request[column]
        kept += 1
    return kept


@compiled
def run_slots(prompt, output, kind, arrivals, limits, rows, by_kind):
    """Run a stream of requests, first come, first served, from an empty worker.

    Parameters
    ----------
    prompt, output, kind : int64[n]
        The stream in order; an output of 0 leaves when its prompt has been processed. n bounds the residents.
    arrivals : int64[slots]
        Requests of the stream that join the queue at the start of each slot; not read when saturated.
    limits : Limits
    rows : int64[slots, 6]
        Filled in: `ROWS`; completions are those at the end of the slot.
    by_kind : int64[kinds, slots]
        Zeros; filled in: completions by kind.

    Returns
    -------
    int64
        Slots run: fewer than asked where the stream of a saturated run was used up.
    """
    n, chunk = len(prompt), limits.chunk
    residents = np.zeros((n, 4), np.int64)
    # The newest is evicted first, so the head of the queue is the top of a stack.
    evicted = np.zeros((n, 4), np.int64)
    count, out, fresh, queued, credit = 0, 0, 0, 0, 0.0
    for t in range(len(rows)):
        row = rows[t]
        row[:] = 0
        if not limits.saturated:
            queued += arrivals[t]
        for k in range(count):
            row[USED] += _following(residents[k], chunk)
        while row[USED] > limits.memory:
            count -= 1
            row[USED] -= _following(residents[count], chunk)
            evicted[out] = residents[count]
            _void(evicted[out], prompt[residents[count, WHO]], limits.mode)
            out += 1
            row[EVICTED] += 1
        if limits.rate < np.inf:
            credit = min(credit, limits.burst) + limits.rate
        while out > 0 or limits.saturated or queued > 0:
            head = residents[min(count, n - 1)]
            if out > 0:
                head[:] = evicted[out - 1]
            elif fresh == n:
                return t
            else:
                head[WHO], head[HOLD], head[TARGET], head[MADE] = fresh, 0, prompt[fresh], 0
            following = _following(head, chunk)
            if row[USED] + following > limits.memory or (limits.rate < np.inf and count > 0 and credit < 1.0):
                break
            if out > 0:
                out -= 1
            else:
                fresh += 1
                queued -= 1
            count += 1
            credit = max(credit - 1.0, 0.0)
            row[USED] += following
            row[ADMITTED] += 1
        row[RESIDENT], row[QUEUED] = count, 0 if limits.saturated else queued + out
        count = _advance(residents, count, chunk, output, kind, by_kind, t)
        row[COMPLETED] = by_kind[:, t].sum()
    return len(rows)
