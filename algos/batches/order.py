"""Requests in the order of the smallest batches: the best set, then the best of the rest, and so on.

The best set X is batch-feasible and has the smallest F(X) = (sum of lengths) / |X|^2, ties to the larger set, then to
the smallest index tuple (docs/policies.md, section 3; Wang, Ye, Zhou, arXiv 2508.06133).
"""

from __future__ import annotations

import numpy as np

from algos.batches.subsets import try_all
from algos.batches.swaps import search_locally
from algos.batches.table import FOUND, Batches, begin, enter, found, left, seal, take_out_best, words_needed
from kvratio.problem.compiled import UNCOUNTED, compiled
from kvratio.problem.instance import IntArray


@compiled(**UNCOUNTED)
def extract(b, memory, exact):
    """Find the best set among the members left and take it out.

    Parameters
    ----------
    b : Batches
        Sealed, with members left.
    memory : int
        The budget M; every member alone fits.
    exact : bool
        Try all subsets (at most 62 members), or search locally.

    Returns
    -------
    int64
        The size of the set; `found` tells its members.
    """
    b.words[b.at + FOUND] = 0
    if exact:
        try_all(b, memory)
    else:
        search_locally(b, memory)
    take_out_best(b)
    return b.words[b.at + FOUND]


@compiled
def _fill_order(words, by_length, prompt, length, memory, exact, order):
    n = len(by_length)
    b = Batches(words, 0, n)
    begin(b)
    for k in range(n):
        i = by_length[k]
        enter(b, i, prompt[i], length[i])
    seal(b)
    done = 0
    while left(b) > 0:
        size = extract(b, memory, exact)
        for x in range(size):
            order[done + x] = found(b, x)
        done += size


def sorted_f_order(prompt: IntArray, length: IntArray, memory: int, exact_limit: int) -> IntArray:
    """Return the order of requests: the best set by (length, index), then the best of the rest, and so on.

    Parameters
    ----------
    prompt, length : int64[n]
        Prompt tokens and believed output tokens; each request alone fits in memory.
    memory : int
        The budget M.
    exact_limit : int
        With more requests than this, every set is found by local search.

    Returns
    -------
    int64[n]
        Indices in order.
    """
    n = len(prompt)
    order = np.empty(n, np.int64)
    by_length = np.argsort(length, kind="stable").astype(np.int64)
    words = np.zeros(words_needed(n), np.int64)
    _fill_order(words, by_length, np.array(prompt), np.array(length), memory, n <= exact_limit, order)
    return order
