"""The best batch by local search (docs/policies.md, section 3)."""

from __future__ import annotations

import numpy as np

from algos.batches.subsets import is_at_most
from algos.batches.table import (
    BEST,
    CHOSEN,
    COUNTS,
    CURSOR,
    FOUND,
    HEAD,
    INDEX,
    LATE,
    LATE_NEXT,
    LEFT,
    LENGTH,
    NEXT,
    PEAK_RANK,
    PROMPT,
    PROMPTS,
    SCANNED,
    SIZE,
    TOTAL,
    cell,
    inside,
    next_smaller,
    outside,
    peak,
)
from algos.engine import queue
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# For k = 1, 2, .. the rule begins with the k first places and, while they do not fit, swaps the largest (peak, index)
# for the next place with a smaller peak. Places passed over never come back, since the largest peak only falls. So
# after scanning p places, the set for k holds k smallest peaks of these p, and the sets are nested in k: if k + 1 fits
# after p, so does k. Hence the scan for k + 1 may begin where that for k ended, with one more member, and one scan of
# the places serves all k.
#
# Which one more, among equal peaks? Place x is admitted to the set for k iff, of the places up to x, at most k have a
# peak of at most its own (its own included); of those of one peak that were admitted, the largest indices leave first.
# That number is counted when x is scanned. Members that left, and places whose number is k, stand in the queue
# `outside` by (peak, index), whose top is the one more for k + 1; places with a larger number wait in lists, LATE.


@inlined
def search_locally(b, memory):
    """Local search: keep the best F over k, ties to the larger k, until some k can not be made to fit."""
    words = b.words
    _begin_search(b)
    best_total = np.int64(0)
    for k in range(1, words[b.at + LEFT] + 1):
        _add_one(b, k)
        while not _chosen_fit(b, k, memory):
            if not _swap_one(b, k):
                _end_search(b)
                return
        total, best = words[b.at + TOTAL], words[b.at + FOUND]
        if best == 0 or is_at_most(total, k * k, best_total, best * best):
            best_total = total
            words[b.at + FOUND] = k
            for x in range(k):
                words[cell(b, BEST, x)] = words[cell(b, CHOSEN, x)]
    _end_search(b)


@inlined
def _begin_search(b):
    words = b.words
    words[b.at + SCANNED], words[b.at + TOTAL], words[b.at + PROMPTS] = 0, 0, 0
    words[b.at + CURSOR] = words[b.at + HEAD]


@inlined
def _end_search(b):
    """Leave the working columns and the queues as they were, at the cost of what was scanned."""
    words = b.words
    size = words[b.at + SIZE]
    x = words[b.at + HEAD]
    for scanned in range(words[b.at + SCANNED]):
        k = words[cell(b, PEAK_RANK, x)]
        while k <= size and words[cell(b, COUNTS, k)] > 0:
            words[cell(b, COUNTS, k)] = 0
            k += k & -k
        words[cell(b, LATE, scanned + 1)] = -1
        x = words[cell(b, NEXT, x)]
    queue.clear(inside(b))
    queue.clear(outside(b))


@compiled(**UNCOUNTED)
def _add_one(b, k):
    """Make the set for k - 1 that for k, after the same scan or, where nothing was passed over, one place more."""
    words = b.words
    if words[b.at + SCANNED] < k:
        x = words[b.at + CURSOR]
        _scan(b)
        _join(b, k - 1, x)
        return
    x = words[cell(b, LATE, k)]
    while x >= 0:
        queue.push(outside(b), x, peak(b, x), words[cell(b, INDEX, x)])
        x = words[cell(b, LATE_NEXT, x)]
    _join(b, k - 1, queue.pop(outside(b)))


@compiled(**UNCOUNTED)
def _swap_one(b, k):
    """Swap the largest (peak, index) for the next place with a smaller peak; false if there is none."""
    words = b.words
    out = queue.top(inside(b))
    into = next_smaller(b, words[b.at + CURSOR], peak(b, out))
    if into < 0:
        return False
    while words[b.at + CURSOR] < into:
        x = words[b.at + CURSOR]
        number = _scan(b)
        words[cell(b, LATE_NEXT, x)] = words[cell(b, LATE, number)]
        words[cell(b, LATE, number)] = x
    _scan(b)
    _drop(b, k, out)
    queue.push(outside(b), out, peak(b, out), words[cell(b, INDEX, out)])
    _join(b, k - 1, into)
    return True


@compiled(**UNCOUNTED)
def _scan(b):
    """Move the cursor past a place; return how many scanned places, itself included, have at most its peak."""
    words = b.words
    x = words[b.at + CURSOR]
    words[b.at + CURSOR] = words[cell(b, NEXT, x)]
    words[b.at + SCANNED] += 1
    rank = words[cell(b, PEAK_RANK, x)]
    size = words[b.at + SIZE]
    k = rank
    while k <= size:  # a Fenwick tree over ranks
        words[cell(b, COUNTS, k)] += 1
        k += k & -k
    number = np.int64(0)
    k = rank
    while k > 0:
        number += words[cell(b, COUNTS, k)]
        k -= k & -k
    return number


@compiled(**UNCOUNTED)
def _join(b, count, x):
    """Add place x to the ``count`` chosen, which ascend."""
    words = b.words
    k = count
    while k > 0 and words[cell(b, CHOSEN, k - 1)] > x:
        words[cell(b, CHOSEN, k)] = words[cell(b, CHOSEN, k - 1)]
        k -= 1
    words[cell(b, CHOSEN, k)] = x
    words[b.at + TOTAL] += words[cell(b, LENGTH, x)]
    words[b.at + PROMPTS] += words[cell(b, PROMPT, x)]
    queue.push(inside(b), x, -peak(b, x), -words[cell(b, INDEX, x)])


@compiled(**UNCOUNTED)
def _drop(b, count, x):
    """Take place x out of the ``count`` chosen."""
    words = b.words
    queue.remove(inside(b), x)
    k = count - 1
    carried = words[cell(b, CHOSEN, k)]
    while carried != x:
        k -= 1
        carried, words[cell(b, CHOSEN, k)] = words[cell(b, CHOSEN, k)], carried
    words[b.at + TOTAL] -= words[cell(b, LENGTH, x)]
    words[b.at + PROMPTS] -= words[cell(b, PROMPT, x)]


@inlined
def _chosen_fit(b, count, memory):
    """Whether the chosen set is batch-feasible."""
    words = b.words
    prompts = words[b.at + PROMPTS]
    first = words[cell(b, CHOSEN, 0)]
    # The condition at the shortest length is the one that fails most often.
    if prompts + count * words[cell(b, LENGTH, first)] > memory:
        return False
    for k in range(count):
        x = words[cell(b, CHOSEN, k)]
        # Of equal lengths the first place sees them all; the others' conditions are weaker.
        if prompts + (count - k) * words[cell(b, LENGTH, x)] > memory:
            return False
        prompts -= words[cell(b, PROMPT, x)]
    return True
