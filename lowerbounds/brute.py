"""Exact optimum of tiny instances by a forward search over rounds; no horizon, no solver.

At each epoch the search chooses which waiting requests start. A state is (epoch, age of each request); identical
requests start in order. A state reached again at no smaller cost is dropped, and so is one whose cost plus a lower
bound on the rest is not below the incumbent (the model is that of Jaillet et al., arXiv 2502.07115).
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.compiled import compiled
from kvratio.problem.errors import BadParameter, SolverError
from lowerbounds.decode import Incumbent, improve_order, list_orders
from lowerbounds.gaps import closer_arrivals

IntArray = npt.NDArray[np.int64]

#: requests that the search accepts unless the caller says otherwise
LIMIT = 8
#: requests with long outputs make too many epochs to look at each
MAX_TOTAL_OUTPUT = 3000
#: visited states per second, on a slow machine: turns a time limit into a work limit, so that answers repeat
NODES_PER_SECOND = 500_000
#: seconds beyond which a time limit is none
LONGEST = 1e9

#: places in the array of running figures: incumbent cost, nodes, node limit, states stored
_BEST, _NODES, _NODE_LIMIT, _STORED = 0, 1, 2, 3


@compiled
def _rest_bound(now, arrival, output, volume, start, used, memory, earliest):
    """Lower bound on the completions of all requests that have not started by ``now``.

    The j-th of them completes no sooner than the j-th smallest earliest completion, nor before the memory that is
    still free adds up to their j smallest volumes.
    """
    n = len(arrival)
    waiting = 0
    for i in range(n):
        if start[i] < 0:
            x = max(now, arrival[i]) + output[i]
            k = waiting
            while k > 0 and earliest[k - 1] > x:
                earliest[k] = earliest[k - 1]
                k -= 1
            earliest[k] = x
            waiting += 1
    total, need, room, r, k = 0, 0, 0, now, 0
    for i in range(n):  # ascending volume
        if start[i] < 0:
            need += volume[i]
            while room < need:
                r += 1
                room += memory - used[r]
            total += max(r, earliest[k])
            k += 1
    return total


@compiled
def _shiftable(now, arrival, prompt, output, start, used, memory):
    """Whether a request that ends at ``now`` could have started one round earlier: then this is no optimum.

    Rounds up to ``now`` are final. Safe together with the stored states: one stored at no larger cost has only
    optimal completions left uncut.
    """
    for i in range(len(arrival)):
        x = start[i]
        if x < 0 or x + output[i] != now or x == arrival[i] or used[x] + prompt[i] + 1 > memory:
            continue
        free = True
        for r in range(x + 1, now):
            if used[r] >= memory:
                free = False
                break
        if free:
            return True
    return False


@compiled
def _seen_cheaper(now, cost, output, start, row, keys, costs, figures):
    """Look a state up and store it; return whether it was reached before at no larger cost."""
    n = len(output)
    row[0] = now
    for i in range(n):
        if start[i] < 0:
            row[i + 1] = -1
        elif start[i] + output[i] <= now:
            row[i + 1] = -2
        else:
            row[i + 1] = now - start[i]
    code = np.uint64(1469598103934665603)
    for k in range(n + 1):
        code = (code ^ np.uint64(row[k] + 3)) * np.uint64(1099511628211)
        code ^= code >> np.uint64(29)
    mask = len(costs) - 1
    place = np.int64(code >> np.uint64(1)) & mask
    while costs[place] > 0:
        same = True
        for k in range(n + 1):
            if keys[place, k] != row[k]:
                same = False
                break
        if same:
            if costs[place] <= cost + 1:
                return True
            costs[place] = cost + 1
            return False
        place = (place + 1) & mask
    # A full table only means less pruning.
    if figures[_STORED] < len(costs) // 2:
        figures[_STORED] += 1
        keys[place] = row
        costs[place] = cost + 1
    return False


@compiled
def _open_epoch(
    now, cost, arrival, prompt, output, volume, memory, used, start, best_start, earliest, row, keys, costs, figures
):
    """Return the epoch at which to decide next, or -1 when nothing below this state can improve on the incumbent."""
    n = len(arrival)
    figures[_NODES] += 1
    first_arrival = np.int64(-1)
    for i in range(n):
        if start[i] < 0 and (first_arrival < 0 or arrival[i] < first_arrival):
            first_arrival = arrival[i]
    if first_arrival < 0:
        if cost < figures[_BEST]:
            figures[_BEST] = cost
            best_start[:] = start
        return -1
    # Nobody waits: go on to the next arrival.
    now = max(now, first_arrival)
    if cost + _rest_bound(now, arrival, output, volume, start, used, memory, earliest) >= figures[_BEST]:
        return -1
    if _shiftable(now, arrival, prompt, output, start, used, memory):
        return -1
    if _seen_cheaper(now, cost, output, start, row, keys, costs, figures):
        return -1
    return now


@compiled
def _idle_for_nothing(now, arrival, start, used):
    """Whether round now + 1 would be idle after the last arrival: that never helps (rule T1 of horizon.py)."""
    if used[now + 1] > 0:
        return False
    still_to_come = 0
    for i in range(len(arrival)):
        if start[i] < 0 and arrival[i] > now:
            still_to_come += 1
    return still_to_come == 0


@compiled
def _search(
    arrival, prompt, output, volume, twin, memory, used, start, best_start, earliest, row, keys, costs, figures
):
    """Depth first: at each epoch, request after request either starts or waits; starting is tried first.

    A frame of the stack is (epoch, request, cost so far, whether the request has been started and is to be taken back).
    Waiting continues in the same frame, so the stack is no deeper than there are requests.
    """
    n = len(arrival)
    stack = np.zeros((n + 2, 4), np.int64)
    depth = 0
    while depth >= 0 and figures[_NODES] <= figures[_NODE_LIMIT]:
        now, k, cost = stack[depth, 0], stack[depth, 1], stack[depth, 2]
        if stack[depth, 3] == 1:
            stack[depth, 3] = 0
            start[k] = -1
            for age in range(1, output[k] + 1):
                used[now + age] -= prompt[k] + age
            stack[depth, 1] = k + 1
            continue
        if k == 0:
            now = _open_epoch(
                now, cost, arrival, prompt, output, volume, memory, used, start, best_start, earliest, row, keys, costs,
                figures,
            )  # fmt: skip
            if now < 0:
                depth -= 1
                continue
            stack[depth, 0] = now
        if k == n:
            if _idle_for_nothing(now, arrival, start, used):
                depth -= 1
            else:
                stack[depth, 0] = now + 1
                stack[depth, 1] = 0
            continue
        fits = start[k] < 0 and arrival[k] <= now and (not twin[k] or start[k - 1] >= 0)
        if fits:
            for age in range(output[k], 0, -1):
                if used[now + age] + prompt[k] + age > memory:
                    fits = False
                    break
        if not fits:
            stack[depth, 1] = k + 1
            continue
        for age in range(1, output[k] + 1):
            used[now + age] += prompt[k] + age
        start[k] = now
        stack[depth, 3] = 1
        depth += 1
        stack[depth, 0] = now
        stack[depth, 1] = k + 1
        stack[depth, 2] = cost + now + output[k]
        stack[depth, 3] = 0


def brute_force(inst: Instance, limit: int = LIMIT, time_limit: float = 60.0) -> tuple[int, IntArray]:
    """Return the least total completion time and one optimal schedule.

    Parameters
    ----------
    inst : Instance
        With at most ``limit`` requests; arrivals are allowed.
    limit : int
        Largest number of requests to accept. The effort grows exponentially: 8 is quick, 12 may take minutes.
    time_limit : float
        Seconds, turned into a number of states: the answer does not depend on the machine's speed.

    Returns
    -------
    cost : int
    starts : int64[n]

    Raises
    ------
    BadParameter
        When the instance has more than ``limit`` requests or too many rounds.
    SolverError
        When the work ran out.
    """
    if inst.n > limit:
        raise BadParameter(f"brute force takes at most limit={limit} requests, this instance has {inst.n}: use 'exact'")
    total_output = int(inst.output.sum())
    if total_output > MAX_TOTAL_OUTPUT:
        raise BadParameter(f"brute force takes outputs of {MAX_TOTAL_OUTPUT} in all, not {total_output}: use 'exact'")
    incumbent = Incumbent(inst)
    list_orders(incumbent, time.monotonic() + time_limit)
    improve_order(incumbent, 0, time.monotonic() + time_limit, work=2000)
    assert incumbent.cost is not None
    assert incumbent.starts is not None
    closer = closer_arrivals(inst)
    order = np.lexsort((inst.arrival, inst.output, inst.prompt, inst.volume))
    columns = [np.ascontiguousarray(x[order]) for x in (closer, inst.prompt, inst.output, inst.volume)]
    twin = np.zeros(inst.n, np.bool_)
    twin[1:] = np.logical_and.reduce([x[1:] == x[:-1] for x in columns])
    moved = int((inst.arrival - closer).sum())
    size = 1 << min(22, 8 + 2 * inst.n)
    figures = np.array(
        [incumbent.cost - moved, 0, int(min(max(time_limit, 0.01), LONGEST) * NODES_PER_SECOND), 0], np.int64
    )
    start, best_start = np.full(inst.n, -1, np.int64), np.full(inst.n, -1, np.int64)
    # Two spare stretches: the bound may look past the last completion.
    used = np.zeros(int(closer.max()) + 2 * total_output + 4, np.int64)
    row = np.zeros(inst.n + 1, np.int32)
    _search(
        *columns, twin, inst.memory, used, start, best_start, np.zeros(inst.n, np.int64), row,
        np.zeros((size, inst.n + 1), np.int32), np.zeros(size, np.int64), figures,
    )  # fmt: skip
    if figures[_NODES] > figures[_NODE_LIMIT]:
        raise SolverError(f"brute force stopped after {figures[_NODE_LIMIT]} states: raise time_limit or use 'exact'")
    if best_start[0] < 0:
        return incumbent.cost, incumbent.starts
    starts = np.empty(inst.n, np.int64)
    starts[order] = best_start
    starts += inst.arrival - closer
    return int(figures[_BEST]) + moved, starts
