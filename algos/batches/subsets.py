"""The best batch by trying all feasible subsets, and the exact comparison of F.

A set X is batch-feasible iff all of it started at once fits: for each length u in X, the sum over members with
length >= u of (prompt + u) is at most M. Subsets of a feasible set are feasible, and with places taken from the long
end, adding a member adds one condition: at its own length.
"""

from __future__ import annotations

import numpy as np

from algos.batches.table import BEST, CHOSEN, FOUND, HEAD, INDEX, LATE, LENGTH, NEXT, PROMPT, SIZE, cell
from algos.engine.state import NEVER
from kvratio.problem.compiled import inlined


@inlined
def is_at_most(a, b, c, d):
    """Whether a/b <= c/d for positive integers, exactly: Euclid's algorithm on both, so that nothing overflows."""
    while True:
        whole, other = a // b, c // d
        if whole != other:
            return whole < other
        a -= whole * b
        c -= other * d
        if a == 0:
            return True
        if c == 0:
            return False
        # a/b <= c/d iff d/c <= b/a
        a, b, c, d = d, c, b, a


@inlined
def try_all(b, memory):
    """Go through all feasible subsets, places descending; ties to the larger set, then the smallest index tuple."""
    words = b.words
    size = words[b.at + SIZE]
    k = words[b.at + HEAD]
    while k < size:  # the list of those left only runs upwards: LATE holds who comes before
        following = words[cell(b, NEXT, k)]
        words[cell(b, LATE, following)] = k
        k = following
    words[cell(b, LATE, words[b.at + HEAD])] = -1
    count = np.int64(0)
    prompts = np.int64(0)
    total = np.int64(0)
    best_total = np.int64(0)
    k = words[cell(b, LATE, size)]
    while True:
        if k >= 0:
            length, prompt = words[cell(b, LENGTH, k)], words[cell(b, PROMPT, k)]
            if prompts + prompt + (count + 1) * length <= memory:
                words[cell(b, CHOSEN, count)] = k
                count, prompts, total = count + 1, prompts + prompt, total + length
                if _beats(b, total, count, best_total):
                    best_total = total
                    _keep_reversed(b, count)
        else:
            if count == 0:
                return
            count -= 1
            k = words[cell(b, CHOSEN, count)]
            prompts -= words[cell(b, PROMPT, k)]
            total -= words[cell(b, LENGTH, k)]
        k = words[cell(b, LATE, k)]


@inlined
def _beats(b, total, count, best_total):
    """Whether the chosen set comes before the best one."""
    best = b.words[b.at + FOUND]
    if best == 0 or not is_at_most(best_total, best * best, total, count * count):
        return True
    if not is_at_most(total, count * count, best_total, best * best):
        return False
    return count > best or (count == best and _is_lexicographically_before(b, count))


@inlined
def _is_lexicographically_before(b, count):
    """Whether the chosen set has the smaller sorted index tuple: it holds the smallest index not in both."""
    words = b.words
    least, other = NEVER, NEVER
    for x in range(count):
        mine, theirs = words[cell(b, CHOSEN, x)], words[cell(b, BEST, x)]
        in_best, in_chosen = False, False
        for y in range(count):
            in_best = in_best or words[cell(b, BEST, y)] == mine
            in_chosen = in_chosen or words[cell(b, CHOSEN, y)] == theirs
        if not in_best:
            least = min(least, words[cell(b, INDEX, mine)])
        if not in_chosen:
            other = min(other, words[cell(b, INDEX, theirs)])
    return least < other


@inlined
def _keep_reversed(b, count):
    """Remember the chosen set, which descends, with its places ascending."""
    b.words[b.at + FOUND] = count
    for x in range(count):
        b.words[cell(b, BEST, count - 1 - x)] = b.words[cell(b, CHOSEN, x)]
