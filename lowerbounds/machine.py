"""One machine that processes M units of volume a round, in ticks of one unit: the relaxation behind LB3 and LB4."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled

IntArray = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """Who is processed when: request[k] is processed in ticks first[k] .. last[k]; ascending in time."""

    request: IntArray
    first: IntArray
    last: IntArray


@compiled
def _sift_up(heap, size, key, index):
    """Insert (key, index) into a binary heap held in an int64[:, 2] array with ``size`` entries."""
    k = size
    while k > 0:
        parent = (k - 1) >> 1
        if heap[parent, 0] < key or (heap[parent, 0] == key and heap[parent, 1] < index):
            break
        heap[k, 0] = heap[parent, 0]
        heap[k, 1] = heap[parent, 1]
        k = parent
    heap[k, 0] = key
    heap[k, 1] = index


@compiled
def _drop_top(heap, size):
    """Remove the top of a heap with ``size`` entries; the caller lowers its size by one."""
    key = heap[size - 1, 0]
    index = heap[size - 1, 1]
    last = size - 1
    k = 0
    while True:
        child = 2 * k + 1
        if child >= last:
            break
        right = child + 1
        if right < last and (
            heap[right, 0] < heap[child, 0] or (heap[right, 0] == heap[child, 0] and heap[right, 1] < heap[child, 1])
        ):
            child = right
        if key < heap[child, 0] or (key == heap[child, 0] and index < heap[child, 1]):
            break
        heap[k, 0] = heap[child, 0]
        heap[k, 1] = heap[child, 1]
        k = child
    heap[k, 0] = key
    heap[k, 1] = index


@compiled
def _simulate(by_release, release, work, by_remaining, request, first, last):
    """Fill the piece arrays (capacity 2 n) and return how many pieces there are."""
    n = len(work)
    heap = np.empty((n + 1, 2), np.int64)
    size = 0
    remaining = work.copy()
    pieces = 0
    arrived = 0
    now = np.int64(0)
    while arrived < n or size > 0:
        if size == 0 and release[by_release[arrived]] > now:
            now = release[by_release[arrived]]
        while arrived < n and release[by_release[arrived]] <= now:
            i = by_release[arrived]
            _sift_up(heap, size, remaining[i], i)
            size += 1
            arrived += 1
        i = heap[0, 1]
        stop = now + remaining[i]
        if arrived < n and release[by_release[arrived]] < stop:
            stop = release[by_release[arrived]]
        if pieces > 0 and request[pieces - 1] == i and last[pieces - 1] == now:
            last[pieces - 1] = stop
        else:
            request[pieces] = i
            first[pieces] = now
            last[pieces] = stop
            pieces += 1
        remaining[i] -= stop - now
        now = stop
        if remaining[i] == 0:
            _drop_top(heap, size)
            size -= 1
        elif by_remaining:
            # A smaller key at the top keeps the heap in order.
            heap[0, 0] = remaining[i]
    return pieces


def run_machine(inst: Instance, by_remaining: bool) -> Pieces:
    """Run the preemptive machine: least remaining volume first, or least original volume first; ties by index.

    Returns
    -------
    Pieces
        At most 2 n, in ticks (M ticks a round).
    """
    if inst.is_batch:
        order = np.argsort(inst.volume, kind="stable")
        last = np.cumsum(inst.volume[order])
        return Pieces(order, last - inst.volume[order], last)
    room = 2 * inst.n
    request, first, last = (np.empty(room, np.int64) for _ in range(3))
    by_release = np.argsort(inst.arrival, kind="stable")
    ticks = inst.arrival * inst.memory
    count = _simulate(by_release, ticks, np.array(inst.volume), by_remaining, request, first, last)
    return Pieces(request[:count].copy(), first[:count].copy(), last[:count].copy())
