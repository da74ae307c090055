"""Priority queues over small integers in a slice of a policy's scratch: smallest (first, second, item) on top.

Any item can be moved or taken out in O(log n). A queue of n items lives in ``words[at : at + words_needed(n)]``;
all zeros is the empty queue, which is how the engine hands out scratch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kvratio.problem.compiled import UNCOUNTED, compiled, inlined

# An entry of the heap holds first key, second key, item.
ENTRY = 3


class Queue(NamedTuple):
    """Where a queue lives: the array, its first word, and the number of items it may hold (0 .. n-1)."""

    words: Any
    at: Any
    n: Any


def words_needed(n: int) -> int:
    """Return the number of words for items 0 .. n-1: a count, a place for each item, and the heap."""
    return 1 + n + ENTRY * n


@inlined
def size(q):
    """Return the number of items in the queue."""
    return q.words[q.at]


@inlined
def contains(q, item):
    """Whether the item is in."""
    return q.words[q.at + 1 + item] > 0


@inlined
def top(q):
    """Return the first item, or -1."""
    if q.words[q.at] == 0:
        return np.int64(-1)
    return q.words[q.at + 1 + q.n + 2]


@inlined
def top_key(q):
    """Return the first key of the first item; the queue must not be empty."""
    return q.words[q.at + 1 + q.n]


@compiled(**UNCOUNTED)
def push(q, item, first, second):
    """Put the item in, or move it, with these keys."""
    place = q.words[q.at + 1 + item] - 1
    if place < 0:
        place = q.words[q.at]
        q.words[q.at] += 1
        _up(q, place, first, second, item)
    elif _before(q, first, second, item, place):
        _up(q, place, first, second, item)
    else:
        _down(q, place, first, second, item)


@compiled(**UNCOUNTED)
def pop(q):
    """Take the first item out and return it, or -1."""
    item = top(q)
    if item >= 0:
        remove(q, item)
    return item


@compiled(**UNCOUNTED)
def remove(q, item):
    """Take the item out, if it is in."""
    place = q.words[q.at + 1 + item] - 1
    if place < 0:
        return
    q.words[q.at + 1 + item] = 0
    q.words[q.at] -= 1
    last = q.words[q.at]
    if place == last:
        return
    entry = _entry(q, last)
    first, second, moved = q.words[entry], q.words[entry + 1], q.words[entry + 2]
    if place > 0 and _before(q, first, second, moved, (place - 1) >> 1):
        _up(q, place, first, second, moved)
    else:
        _down(q, place, first, second, moved)


@inlined
def clear(q):
    """Take all items out, at the cost of their number."""
    for place in range(q.words[q.at]):
        q.words[q.at + 1 + q.words[_entry(q, place) + 2]] = 0
    q.words[q.at] = 0


@inlined
def _entry(q, place):
    return q.at + 1 + q.n + 3 * place


@inlined
def _before(q, first, second, item, place):
    """Whether these keys come before those of the entry at a place."""
    entry = _entry(q, place)
    if first != q.words[entry]:
        return first < q.words[entry]
    if second != q.words[entry + 1]:
        return second < q.words[entry + 1]
    return item < q.words[entry + 2]


@inlined
def _put(q, place, first, second, item):
    entry = _entry(q, place)
    q.words[entry], q.words[entry + 1], q.words[entry + 2] = first, second, item
    q.words[q.at + 1 + item] = place + 1


@inlined
def _move(q, source, place):
    entry = _entry(q, source)
    _put(q, place, q.words[entry], q.words[entry + 1], q.words[entry + 2])


@inlined
def _up(q, place, first, second, item):
    while place > 0:
        parent = (place - 1) >> 1
        if not _before(q, first, second, item, parent):
            break
        _move(q, parent, place)
        place = parent
    _put(q, place, first, second, item)


@inlined
def _down(q, place, first, second, item):
    count = q.words[q.at]
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count:
            right = _entry(q, child + 1)
            if _before(q, q.words[right], q.words[right + 1], q.words[right + 2], child):
                child += 1
        entry = _entry(q, child)
        # The moving entry stays when it comes before its smaller child.
        if not _before_keys(q.words[entry], q.words[entry + 1], q.words[entry + 2], first, second, item):
            break
        _move(q, child, place)
        place = child
    _put(q, place, first, second, item)


@inlined
def _before_keys(first, second, item, other_first, other_second, other_item):
    if first != other_first:
        return first < other_first
    if second != other_second:
        return second < other_second
    return item < other_item
