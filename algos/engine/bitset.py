"""Ordered sets of small integers: 64-ary trees of bits in one int64 array. All operations cost O(log_64 n).

``words[0]`` is the number of levels, ``words[1 + level]`` the offset of a level and the end of the one below; level 0
holds the members, a bit of level k + 1 says whether a word of level k has members.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros

from kvratio.problem.compiled import inlined

HEADER = 8


def words_needed(n: int) -> int:
    """Return the length of the array for members 0 .. n-1."""
    total, size = HEADER, max(1, n)
    while True:
        size = (size + 63) // 64
        total += size
        if size == 1:
            return total


@inlined
def clear_all(words, n):
    """Make the set empty, with room for members 0 .. n-1."""
    size = max(1, n)
    at = HEADER
    level = 0
    while True:
        size = (size + 63) // 64
        words[1 + level] = at
        for k in range(at, at + size):
            words[k] = 0
        at += size
        level += 1
        if size == 1:
            break
    words[0] = level
    words[1 + level] = at


@inlined
def insert(words, x):
    """Put x in."""
    for level in range(words[0]):
        at = words[1 + level] + (x >> 6)
        before = words[at]
        words[at] = before | (np.int64(1) << (x & 63))
        if before != 0:
            return
        x >>= 6


@inlined
def discard(words, x):
    """Take x out."""
    for level in range(words[0]):
        at = words[1 + level] + (x >> 6)
        words[at] &= ~(np.int64(1) << (x & 63))
        if words[at] != 0:
            return
        x >>= 6


@inlined
def contains(words, x):
    """Whether x is in."""
    return (words[words[1] + (x >> 6)] >> (x & 63)) & 1 == 1


@inlined
def _descend_first(words, level, x):
    while level > 0:
        level -= 1
        x = (x << 6) + trailing_zeros(words[words[1 + level] + x])  # type: ignore[call-arg]
    return x


@inlined
def first(words):
    """Return the smallest member, or -1."""
    top = words[0]
    if words[words[top]] == 0:
        return np.int64(-1)
    return _descend_first(words, top, np.int64(0))


@inlined
def last(words):
    """Return the largest member, or -1."""
    level = words[0]
    if words[words[level]] == 0:
        return np.int64(-1)
    x = np.int64(0)
    while level > 0:
        level -= 1
        x = (x << 6) + 63 - leading_zeros(words[words[1 + level] + x])  # type: ignore[call-arg]
    return x


@inlined
def following(words, x, n):
    """Return the smallest member >= x, or -1; n is the room given to `clear_all`."""
    if x >= n:
        return np.int64(-1)
    level = np.int64(0)
    top = words[0]
    while level < top:
        if level > 0:
            # Every word up to x on the level below is done: look past it.
            x += 1
        at = x >> 6
        if at >= words[2 + level] - words[1 + level]:
            return np.int64(-1)
        word = words[words[1 + level] + at] & (np.int64(-1) << (x & 63))
        if word != 0:
            return _descend_first(words, level, (at << 6) + trailing_zeros(word))  # type: ignore[call-arg]
        x = at
        level += 1
    return np.int64(-1)
