"""The members that batches are taken from, laid out in a slice of an int64 array, and the list of those left.

Members are entered by (length, index); a place is a position in that order. Compiled policies may not allocate, so
everything, the working columns of the searches included, lives in the slice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from algos.engine import queue
from algos.engine.state import NEVER
from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# Words of the header: members, members left, the first of these, size of the best set so far; then the local search:
# places scanned, the next to scan, and the lengths and prompts of the chosen.
SIZE, LEFT, HEAD, FOUND, SCANNED, CURSOR, TOTAL, PROMPTS = range(8)
HEADER = 8
# Columns of n + 2 words: the members; who follows among those left; the searches' own; the best set so far.
LENGTH, PROMPT, INDEX, PEAK_RANK, NEXT, COUNTS, LATE, LATE_NEXT, CHOSEN, BEST = range(10)
COLUMNS = 10
# Then four columns for a tree of smallest peaks, and two queues.
TREE = COLUMNS
TREE_COLUMNS = 4


class Batches(NamedTuple):
    """Where the members live: the array, its first word, and the largest number of members."""

    words: Any
    at: Any
    n: Any


def words_needed(n: int) -> int:
    """Return the number of words for n members."""
    return HEADER + (COLUMNS + TREE_COLUMNS) * (n + 2) + 2 * queue.words_needed(n)


@inlined
def cell(b, column, k):
    """Return the word of a column at place k."""
    return b.at + HEADER + column * (b.n + 2) + k


@inlined
def peak(b, k):
    """Return prompt + length of the member at place k."""
    return b.words[cell(b, PROMPT, k)] + b.words[cell(b, LENGTH, k)]


@inlined
def inside(b):
    """Return the queue of the chosen, largest (peak, index) on top."""
    return queue.Queue(b.words, cell(b, TREE + TREE_COLUMNS, 0), b.n)


@inlined
def outside(b):
    """Return the queue of those passed over, smallest (peak, index) on top."""
    return queue.Queue(b.words, cell(b, TREE + TREE_COLUMNS, 0) + 1 + b.n + queue.ENTRY * b.n, b.n)


@inlined
def begin(b):
    """Drop all members."""
    b.words[b.at + SIZE] = 0


@inlined
def enter(b, index, prompt, length):
    """Add a member; they must come by (length, index)."""
    k = b.words[b.at + SIZE]
    b.words[cell(b, INDEX, k)] = index
    b.words[cell(b, PROMPT, k)] = prompt
    b.words[cell(b, LENGTH, k)] = length
    b.words[cell(b, NEXT, k)] = k + 1
    b.words[b.at + SIZE] = k + 1


@compiled(**UNCOUNTED)
def seal(b):
    """Make ready for `algos.batches.order.extract`, once all members are in."""
    words = b.words
    size = words[b.at + SIZE]
    words[b.at + LEFT], words[b.at + HEAD] = size, 0
    for k in range(size + 2):
        words[cell(b, COUNTS, k)] = 0
        words[cell(b, LATE, k)] = -1
    _rank_peaks(b, size)
    half = _half(b)
    for k in range(half):
        words[cell(b, TREE, half + k)] = peak(b, k) if k < size else NEVER
    for k in range(half - 1, 0, -1):
        words[cell(b, TREE, k)] = min(words[cell(b, TREE, 2 * k)], words[cell(b, TREE, 2 * k + 1)])


@inlined
def _rank_peaks(b, size):
    """Rank the peaks from 1 on; equal peaks share a rank."""
    line = inside(b)
    for k in range(size):
        queue.push(line, k, peak(b, k), 0)
    rank = np.int64(0)
    before = np.int64(-1)
    for _ in range(size):
        k = queue.pop(line)
        if peak(b, k) != before:
            rank += 1
            before = peak(b, k)
        b.words[cell(b, PEAK_RANK, k)] = rank


@inlined
def left(b):
    """Return the number of members not yet taken out."""
    return b.words[b.at + LEFT]


@inlined
def found(b, position):
    """Return the index of a member of the set taken out last, by (length, index)."""
    return b.words[cell(b, INDEX, b.words[cell(b, BEST, position)])]


@inlined
def take_out_best(b):
    """Take the places of the best set, which ascend, out of the list of those left."""
    words = b.words
    size = words[b.at + FOUND]
    taken = np.int64(0)
    last = np.int64(-1)
    k = words[b.at + HEAD]
    while taken < size:
        following = words[cell(b, NEXT, k)]
        if k == words[cell(b, BEST, taken)]:
            taken += 1
            _forget_peak(b, k)
            if last < 0:
                words[b.at + HEAD] = following
            else:
                words[cell(b, NEXT, last)] = following
        else:
            last = k
        k = following
    words[b.at + LEFT] -= size


# -- a tree of smallest peaks ---------------------------------------------------------------------------------------
@inlined
def _half(b):
    """Return the number of leaves: the least power of two that holds all places."""
    half = np.int64(1)
    while half < b.words[b.at + SIZE]:
        half *= 2
    return half


@inlined
def _forget_peak(b, k):
    words = b.words
    k += _half(b)
    words[cell(b, TREE, k)] = NEVER
    k >>= 1
    while k > 0:
        words[cell(b, TREE, k)] = min(words[cell(b, TREE, 2 * k)], words[cell(b, TREE, 2 * k + 1)])
        k >>= 1


@inlined
def next_smaller(b, k, most):
    """Return the first place from k on that is left and has a peak below ``most``, or -1."""
    words = b.words
    half = _half(b)
    if k >= half:
        return np.int64(-1)
    k += half
    while words[cell(b, TREE, k)] >= most:
        # Go right: up from right children, then to the sibling.
        while k & 1:
            k >>= 1
        if k == 0:
            return np.int64(-1)
        k += 1
    while k < half:
        k *= 2
        if words[cell(b, TREE, k)] >= most:
            k += 1
    return k - half
