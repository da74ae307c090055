"""Sorting in place, for compiled code that must not allocate (numba's own sort does)."""

from __future__ import annotations

from kvratio.problem.compiled import UNCOUNTED, compiled


@compiled(**UNCOUNTED)
def sort_ascending(values, size):
    """Sort values[:size]; O(size) when they are sorted already, else heapsort."""
    k = 1
    while k < size and values[k - 1] <= values[k]:
        k += 1
    if k >= size:
        return
    for root in range(size // 2 - 1, -1, -1):
        _sink(values, root, size)
    for end in range(size - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sink(values, 0, end)


@compiled(**UNCOUNTED)
def _sink(values, root, size):
    """Move values[root] down until no child is larger."""
    value = values[root]
    while True:
        child = 2 * root + 1
        if child >= size:
            break
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[root] = values[child]
        root = child
    values[root] = value
