"""One layer of the backward search, compiled: expand the labels of a round, drop what leads to no optimum.

A label at round t stands for all schedules of rounds > t that it has fixed: which requests are placed (they complete
after t), and which of those still run in round t. ``head`` rows hold

    0 unplaced set (bits)   1 bound, times Q   2 sum of placed completions   3 active count + 256 * required total
    4 index of the parent   5 memory of the active in round t * 2**40 + their token-rounds up to t
    6 largest bound known, times Q (column 1 is the bound under the prices of the sweep)   7 signature (`_signature`)

and ``body`` rows the active requests, each as completion * 128 + request * 2 + justified. "Required total": a request
that started at t without being justified demands this much memory in round t, and a completion there (rule E1).
"""

from __future__ import annotations

import numpy as np

from kvratio.problem.compiled import compiled

HEAD = 8
#: parts of a layer by hash of the unplaced set; each is filled by one thread
SHARDS = 2
#: bound of a label that another one dominates
DEAD = np.int64(1) << 62
#: labels of one set that a new label is compared with; dominance is a saving, so a cap costs no truth
COMPARE = 12


@compiled
def _volume(prompt, age):
    """Token-rounds that a request holds while it has 1..age tokens."""
    return prompt * age + age * (age + 1) // 2


@compiled(nogil=True)
def expand(
    t, head, body, low, high, base_index, limit, idle, memory, arrival, prompt, output, next_twin, offset,
    priced, budget, gain, step, out_head, out_body, result,
):  # fmt: skip
    """Expand labels ``low .. high - 1`` of round t into labels of round t - 1.

    Parameters
    ----------
    base_index : int
        Index of label 0 among all labels of the round.
    limit : int
        Q * threshold: labels with a larger bound are dropped.
    idle : bool
        Whether nothing may run in round t although something runs later (only before the last arrival).
    priced : int64[sum of outputs]
        What each age pays in round t; ``budget`` is what the round's rows allow in all.
    gain : int64[n]
        rc_j(t) - best_j(t); `tables.NEVER` or more where j cannot complete at t.
    step : int64[8, 256]
        Sum over the requests of a byte of the set of best_j(t - 1) - best_j(t).
    out_head, out_body
        Filled with children.
    result : int64[8]
        0 children; 1 next label to expand (less than ``high`` when out_head is full); 2, 3, 4 cost, parent and
        unplaced set of the best complete schedule found; 5 labels cut by bound, 6 by E1, 7 by volume.

    """
    n = len(output)
    width = body.shape[1]
    room = out_head.shape[0]
    made = 0
    pick = np.empty(n, np.int64)
    chosen = np.empty(n + 1, np.int64)
    at = np.empty(n + 1, np.int64)
    one = np.int64(1)
    p = low
    while p < high:
        first_child = made
        mask = head[p, 0]
        base = head[p, 1]
        cost = head[p, 2]
        count = head[p, 3] & 255
        need = head[p, 3] >> 8
        total = np.int64(0)
        paid = np.int64(0)
        area = np.int64(0)
        for k in range(count):
            e = body[p, k]
            j = (e >> 1) & 63
            age = output[j] - ((e >> 7) - t)
            total += prompt[j] + age
            paid += priced[offset[j] + age - 1]
            area += _volume(prompt[j], age)
        # Who may complete in this round, highest index first so that identical requests come in order.
        picks = 0
        left = np.int64(0)
        for j in range(n - 1, -1, -1):
            if (mask >> j) & one:
                left += _volume(prompt[j], output[j])
                if prompt[j] + output[j] <= memory - total and base + gain[j] <= limit:
                    pick[picks] = j
                    picks += 1
        depth = 0
        at[0] = -1
        sum_total = total
        sum_gain = base
        sum_paid = paid
        chosen_mask = np.int64(0)
        full = False
        while True:
            # Visit the subset chosen[0..depth-1].
            if (depth > 0 or need == 0) and sum_total >= need and (sum_total > 0 or idle or cost == 0):
                slack = budget - sum_paid
                child_mask = mask & ~chosen_mask
                bound = sum_gain + slack
                child_cost = cost + depth * t
                if child_mask == 0 and bound <= limit:
                    if result[2] < 0 or child_cost < result[2]:
                        result[2] = child_cost
                        result[3] = base_index + p
                        result[4] = chosen_mask
                elif bound <= limit:
                    for b in range(8):
                        bound += step[b, (child_mask >> (8 * b)) & 255]
                    if bound > limit:
                        result[5] += 1
                    else:
                        if made >= room:
                            full = True
                            break
                        tight = sum_total == memory and depth > 0
                        demand = np.int64(0)
                        size = 0
                        ahead = np.int64(0)
                        work = np.int64(0)
                        fits = True
                        for k in range(count + depth):
                            if k < count:
                                e = body[p, k]
                                if tight:
                                    e |= one
                            else:
                                e = (t << 7) | (chosen[k - count] << 1)
                            j = (e >> 1) & 63
                            age = output[j] - ((e >> 7) - t)
                            if age > 1:
                                if size >= width:
                                    fits = False
                                    break
                                out_body[made, size] = e
                                size += 1
                                ahead += prompt[j] + age - 1
                                work += _volume(prompt[j], age - 1)
                            elif e & one == 0 and arrival[j] < t - 1:
                                demand = max(demand, memory - prompt[j])
                        if not fits:
                            # The width is the largest number of requests that can be active: this is a bug.
                            result[0] = -1
                            return
                        remaining = left
                        for k in range(depth):
                            remaining -= _volume(prompt[chosen[k]], output[chosen[k]])
                        if remaining + work > memory * (t - 1):
                            result[7] += 1
                        else:
                            # Entries in a fixed order make equal states equal in bytes.
                            for k in range(1, size):
                                e = out_body[made, k]
                                q = k - 1
                                while q >= 0 and out_body[made, q] > e:
                                    out_body[made, q + 1] = out_body[made, q]
                                    q -= 1
                                out_body[made, q + 1] = e
                            out_head[made, 0] = child_mask
                            out_head[made, 1] = bound
                            out_head[made, 2] = child_cost
                            out_head[made, 3] = size + 256 * demand
                            out_head[made, 4] = base_index + p
                            out_head[made, 5] = (ahead << 40) + work
                            out_head[made, 6] = max(bound, head[p, 6])
                            made += 1
                else:
                    result[5] += 1
            else:
                result[6] += 1
            # Next subset in depth-first order.
            k = at[depth] + 1
            moved = False
            while True:
                while k < picks:
                    j = pick[k]
                    twin = next_twin[j]
                    if (
                        sum_total + prompt[j] + output[j] <= memory
                        and sum_gain + gain[j] <= limit
                        and (twin < 0 or ((mask & ~chosen_mask) >> twin) & one == 0)
                    ):
                        moved = True
                        break
                    k += 1
                if moved:
                    at[depth] = k
                    chosen[depth] = pick[k]
                    j = pick[k]
                    sum_total += prompt[j] + output[j]
                    sum_gain += gain[j]
                    sum_paid += priced[offset[j] + output[j] - 1]
                    chosen_mask |= one << j
                    depth += 1
                    at[depth] = k
                    break
                if depth == 0:
                    break
                depth -= 1
                j = chosen[depth]
                sum_total -= prompt[j] + output[j]
                sum_gain -= gain[j]
                sum_paid -= priced[offset[j] + output[j] - 1]
                chosen_mask &= ~(one << j)
                k = at[depth] + 1
            if not moved:
                break
        if full:
            made = first_child
            break
        p += 1
    result[0] = made
    result[1] = p


@compiled
def _signature(t, count, body, prompt, output, marks, shift):
    """Pack the memory of the active in rounds t - marks[0..7], shifted right to 7 bits, into one number."""
    packed = np.int64(0)
    for i in range(8):
        used = np.int64(0)
        for k in range(count):
            j = (body[k] >> 1) & 63
            age = output[j] - ((body[k] >> 7) - t) - marks[i]
            if age > 0:
                used += prompt[j] + age
        packed = (packed << 8) | (used >> shift)
    return packed


@compiled
def _surely_not_below(head_a, head_b):
    """Whether memory now, token-rounds or signature show that a's memory exceeds b's in some round."""
    low = (np.int64(1) << 40) - 1
    # The top bit of each byte of the difference survives exactly where the byte of b is at least that of a.
    guard = np.int64(-9187201950435737472)
    return (
        head_a[5] >> 40 > head_b[5] >> 40
        or head_a[5] & low > head_b[5] & low
        or ((head_b[7] | guard) - head_a[7]) & guard != guard
    )


@compiled
def _below(t, head_a, body_a, head_b, body_b, prompt, output):
    """Whether a's memory is at most b's in every round up to t (the difference is linear between ages)."""
    count_a = head_a[3] & 255
    count_b = head_b[3] & 255
    for k in range(count_a + count_b):
        e = body_a[k] if k < count_a else body_b[k - count_a]
        last = output[(e >> 1) & 63] - ((e >> 7) - t)
        # Rounds t - back in which the request is about to vanish, and just has.
        for back in range(last - 1, last + 1):
            used_a = np.int64(0)
            used_b = np.int64(0)
            for i in range(count_a):
                f = body_a[i]
                j = (f >> 1) & 63
                age = output[j] - ((f >> 7) - t) - back
                if age > 0:
                    used_a += prompt[j] + age
            for i in range(count_b):
                f = body_b[i]
                j = (f >> 1) & 63
                age = output[j] - ((f >> 7) - t) - back
                if age > 0:
                    used_b += prompt[j] + age
            if used_a > used_b:
                return False
    return True


@compiled
def hash_set(mask):
    """Mix a set into a nonnegative number."""
    x = mask * np.int64(-7046029254386353131)
    x ^= (x >> 29) & np.int64(0x7FFFFFFFF)
    x *= np.int64(-4658895280553007687)
    return (x >> 20) & np.int64(0x7FFFFFFFFFF)


@compiled
def shard_of(mask):
    """Return the part of a layer that holds labels of this unplaced set."""
    return (hash_set(mask) >> 42) & (SHARDS - 1)


@compiled(nogil=True)
def insert(
    t, new_head, new_body, made, shard, head, body, size, table, chain, prompt, output, marks, shift, stats
):  # fmt: skip
    """Add labels of round t to a shard unless one of equal set is at least as good (rule E4); return the new size.

    ``table`` (a power of two of slots, -1 empty) starts chains of labels of equal hash; ``chain`` links them. The
    caller guarantees room for all of them. Labels that a new one dominates get the bound `DEAD`. ``marks`` and
    ``shift`` are those of `_signature`.
    """
    slots = len(table) - 1
    for q in range(made):
        mask = new_head[q, 0]
        mixed = hash_set(mask)
        if (mixed >> 42) & (SHARDS - 1) != shard:
            continue
        new_head[q, 7] = _signature(t, new_head[q, 3] & 255, new_body[q], prompt, output, marks, shift)
        slot = mixed & slots
        k = table[slot]
        before = np.int64(-1)
        compared = 0
        dominated = False
        while k >= 0 and compared < COMPARE:
            if head[k, 0] == mask:
                compared += 1
                if (
                    head[k, 2] <= new_head[q, 2]
                    and not _surely_not_below(head[k], new_head[q])
                    and _below(t, head[k], body[k], new_head[q], new_body[q], prompt, output)
                ):
                    dominated = True
                    # What dominates once tends to dominate again: bring it to the front.
                    if before >= 0:
                        chain[before] = chain[k]
                        chain[k] = table[slot]
                        table[slot] = k
                    break
                if (
                    head[k, 2] >= new_head[q, 2]
                    and not _surely_not_below(new_head[q], head[k])
                    and _below(t, new_head[q], new_body[q], head[k], body[k], prompt, output)
                ):
                    head[k, 1] = DEAD
                    stats[1] += 1
                    if before >= 0:
                        chain[before] = chain[k]
                    else:
                        table[slot] = chain[k]
                    k = chain[k]
                    continue
            before = k
            k = chain[k]
        if dominated:
            stats[0] += 1
            continue
        head[size] = new_head[q]
        body[size] = new_body[q]
        chain[size] = table[slot]
        table[slot] = size
        size += 1
    return size


@compiled(nogil=True)
def rehash(head, size, table, chain):
    """Enter the live labels of a layer into an empty table."""
    slots = len(table) - 1
    for k in range(size):
        if head[k, 1] != DEAD:
            slot = hash_set(head[k, 0]) & slots
            chain[k] = table[slot]
            table[slot] = k


@compiled(nogil=True)
def compress(head, body, size):
    """Move the live labels to the front, in order; return how many there are."""
    kept = 0
    for k in range(size):
        if head[k, 1] != DEAD:
            if kept != k:
                head[kept] = head[k]
                body[kept] = body[k]
            kept += 1
    return kept


@compiled
def byte_steps(best, t):
    """Return int64[8, 256]: for each byte of a set, the sum of best_j(t - 1) - best_j(t) over its requests."""
    n = best.shape[0]
    step = np.zeros((8, 256), np.int64)
    for j in range(n):
        rise = best[j, t - 1] - best[j, t]
        for value in range(256):
            if (value >> (j & 7)) & 1:
                step[j >> 3, value] += rise
    return step
