"""New candidates from old ones, compiled: random starts, mutation of requests and classes, recombination."""

from __future__ import annotations

import numpy as np

from kvratio.problem.compiled import UNCOUNTED, compiled

# Columns of a candidate, and places in the limits (`space.Space.limits`).
PROMPT, OUTPUT, ARRIVAL, PREDICTED, LOW, HIGH = range(6)
MOST, MEMORY_LOW, MEMORY_HIGH, HORIZON, PREDICTIONS, INTERVALS, EQUAL, ALPHA, ERROR = range(9)

#: kinds of change; see `_change`
CHANGES = 13


@compiled(nogil=True, **UNCOUNTED)
def _draw(state, below):
    """Return a number in 0 .. below - 1 (SplitMix64)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.int64((z >> np.uint64(1)) % np.uint64(max(below, 1)))


@compiled(nogil=True, **UNCOUNTED)
def _near(value, factor):
    """Return (least, largest) within a factor given in thousandths; 0: any."""
    if factor == 0:
        return np.int64(1), np.int64(2**40)
    return max(1, (value * 1000 + factor - 1) // factor), max(1, value * factor // 1000)


@compiled(nogil=True, **UNCOUNTED)
def repair(genes, size, memory, limits):
    """Bring one candidate into the space: within memory, first arrival 0, predictions allowed.

    Parameters
    ----------
    genes : int64[n, 6]
        Changed in place.
    size, memory : int
    limits : int64[9]
    """
    most = max(1, memory * limits[ALPHA] // 1000)
    first = np.int64(2**62)
    shared = min(max(genes[0, PROMPT], 0), most - 1)
    for i in range(size):
        g = genes[i]
        s = shared if limits[EQUAL] == 1 else min(max(g[PROMPT], 0), most - 1)
        o = min(max(g[OUTPUT], 1), most - s)
        g[PROMPT], g[OUTPUT] = s, o
        g[ARRIVAL] = min(max(g[ARRIVAL], 0), limits[HORIZON])
        first = min(first, g[ARRIVAL])
        longest = memory - s
        if limits[PREDICTIONS] == 1:
            low, high = _near(o, limits[ERROR])
            g[PREDICTED] = min(max(g[PREDICTED], low, 1), high, longest)
        else:
            g[PREDICTED] = o
        if limits[INTERVALS] == 1:
            g[LOW] = min(max(g[LOW], 1), o)
            g[HIGH] = min(max(g[HIGH], o), longest)
            if limits[ERROR] > 0:
                g[HIGH] = max(o, min(g[HIGH], g[LOW] * limits[ERROR] // 1000))
                g[LOW] = max(g[LOW], (g[HIGH] * 1000 + limits[ERROR] - 1) // limits[ERROR])
                g[LOW] = min(g[LOW], o)
        else:
            g[LOW], g[HIGH] = 1, longest
    for i in range(size):
        genes[i, ARRIVAL] -= first


@compiled(nogil=True, **UNCOUNTED)
def _length(state, memory):
    """Draw a number of tokens: often an extreme one, as adversaries like them."""
    kind = _draw(state, 8)
    if kind == 0:
        return np.int64(1)
    if kind == 1:
        return memory - 1
    if kind == 2:
        return memory
    if kind == 3:
        return memory // 2
    if kind == 4:
        return 1 + _draw(state, 4)
    if kind == 5:
        return memory // (1 + _draw(state, 5))
    return 1 + _draw(state, memory)


@compiled(nogil=True, **UNCOUNTED)
def _fill_request(g, memory, limits, state):
    """Draw one request; `repair` follows."""
    g[OUTPUT] = min(_length(state, memory), memory)
    g[PROMPT] = min(_length(state, memory) - 1, memory - g[OUTPUT])
    g[ARRIVAL] = _draw(state, min(limits[HORIZON], 2 * memory) + 1) if _draw(state, 3) > 0 else 0
    for column in (PREDICTED, LOW, HIGH):
        g[column] = _length(state, memory)


@compiled(nogil=True, **UNCOUNTED)
def random_candidate(genes, limits, state):
    """Draw a candidate of a few classes of equal requests; return (size, memory)."""
    memory = limits[MEMORY_LOW] + _draw(state, limits[MEMORY_HIGH] - limits[MEMORY_LOW] + 1)
    size = 1 + _draw(state, limits[MOST])
    if _draw(state, 2) == 0:
        size = limits[MOST]
    i = 0
    while i < size:
        _fill_request(genes[i], memory, limits, state)
        run = 1 if _draw(state, 2) == 0 else 1 + _draw(state, size - i)
        step = _draw(state, 3) if _draw(state, 2) == 0 else 0
        for k in range(i + 1, min(i + run, size)):
            for column in range(6):
                genes[k, column] = genes[i, column]
            genes[k, ARRIVAL] = genes[k - 1, ARRIVAL] + step
        i += run
    repair(genes, size, memory, limits)
    return size, memory


@compiled(nogil=True, **UNCOUNTED)
def _column(limits, state):
    """Draw a column that may change in this space."""
    while True:
        column = _draw(state, 6)
        if column <= OUTPUT:
            return column
        if column == ARRIVAL and limits[HORIZON] > 0:
            return column
        if column == PREDICTED and limits[PREDICTIONS] == 1:
            return column
        if column >= LOW and limits[INTERVALS] == 1:
            return column


@compiled(nogil=True, **UNCOUNTED)
def _value(old, column, memory, limits, state):
    """Draw a new value for a column: a small step, a large one, or a fresh number."""
    kind = _draw(state, 4)
    if kind == 0:
        return old + 1
    if kind == 1:
        return old - 1
    if kind == 2:
        return old + _draw(state, 9) - 4
    if column == ARRIVAL:
        return _draw(state, min(limits[HORIZON], 2 * memory) + 1)
    return _length(state, memory) - (1 if column == PROMPT else 0)


@compiled(nogil=True, **UNCOUNTED)
def _alike(genes, i, j):
    """Whether two requests have the same lengths."""
    return genes[i, PROMPT] == genes[j, PROMPT] and genes[i, OUTPUT] == genes[j, OUTPUT]


@compiled(nogil=True, **UNCOUNTED)
def _move(genes, source, target):
    """Carry one request to another place; those between move up."""
    step = 1 if target > source else -1
    for column in range(6):
        kept = genes[source, column]
        k = source
        while k != target:
            genes[k, column] = genes[k + step, column]
            k += step
        genes[target, column] = kept


@compiled(nogil=True, **UNCOUNTED)
def _change_one(kind, genes, size, memory, limits, state):
    """Changes of one request, or of one and its like; return the size."""
    i, j = _draw(state, size), _draw(state, size)
    column = _column(limits, state)
    if kind <= 2:
        genes[i, column] = _value(genes[i, column], column, memory, limits, state)
    elif kind == 3:
        # All requests like i, at once: a class keeps together.
        s, o, value = genes[i, PROMPT], genes[i, OUTPUT], _value(genes[i, column], column, memory, limits, state)
        step = value - genes[i, column]
        for k in range(size):
            if genes[k, PROMPT] == s and genes[k, OUTPUT] == o:
                genes[k, column] = genes[k, column] + step if column == ARRIVAL else value
    elif kind == 4:
        for c in range(6):
            genes[i, c] = genes[j, c]
    elif kind == 5:
        _move(genes, i, j)
    elif kind == 6:
        _fill_request(genes[i], memory, limits, state)
    elif kind == 7:
        # Exactly as large as memory, or half of it, or to the end of another.
        most = memory // (1 + _draw(state, 2))
        if _draw(state, 2) == 0:
            genes[i, PROMPT] = most - genes[i, OUTPUT]
        else:
            genes[i, OUTPUT] = most - genes[i, PROMPT]
    elif kind == 8 and size < limits[MOST]:
        for c in range(6):
            genes[size, c] = genes[i, c]
        size += 1
        _move(genes, size - 1, _draw(state, size))
    elif kind == 9 and size > 1:
        _move(genes, i, size - 1)
        size -= 1
    return size


@compiled(nogil=True, **UNCOUNTED)
def _change(genes, size, memory, limits, state):
    """Apply one random change; return (size, memory).

    Kinds: one number (0-2), a class (3), copy (4), reorder (5), fresh request (6), fill memory (7), add (8), drop (9),
    a run of copies with arrivals in steps (10), shift of all later arrivals (11), the budget (12).
    """
    kind = _draw(state, CHANGES)
    if kind < 10:
        return _change_one(kind, genes, size, memory, limits, state), memory
    i, j = _draw(state, size), _draw(state, size)
    if kind == 10:
        step = _draw(state, 3) if limits[HORIZON] > 0 else 0
        for k in range(i + 1, max(i, j) + 1):
            for c in range(6):
                genes[k, c] = genes[i, c]
            genes[k, ARRIVAL] = genes[k - 1, ARRIVAL] + step
    elif kind == 11:
        by, after = _draw(state, 7) - 3, genes[i, ARRIVAL]
        for k in range(size):
            if genes[k, ARRIVAL] >= after:
                genes[k, ARRIVAL] += by
    else:
        wanted = memory + _draw(state, 5) - 2
        if _draw(state, 4) == 0:
            wanted = limits[MEMORY_LOW] + _draw(state, limits[MEMORY_HIGH] - limits[MEMORY_LOW] + 1)
        new = min(max(wanted, limits[MEMORY_LOW]), limits[MEMORY_HIGH])
        # Requests that were long against the old budget stay so: their peaks move with it.
        for k in range(size):
            s, o = genes[k, PROMPT], genes[k, OUTPUT]
            if 2 * (s + o) > memory:
                if o >= s:
                    genes[k, OUTPUT] = o + new - memory
                else:
                    genes[k, PROMPT] = s + new - memory
        memory = new
    return size, memory


@compiled(nogil=True, **UNCOUNTED)
def breed(pool, pool_sizes, pool_memory, genes, sizes, memory, limits, state):
    """Fill a block with children of a pool sorted best first.

    Parameters
    ----------
    pool : int64[p, n, 6]
    pool_sizes, pool_memory : int64[p]
    genes : int64[k, n, 6]
        Output, with ``sizes`` and ``memory``.
    limits : int64[9]
    state : uint64[1]
        Of the random numbers; advanced.
    """
    count = len(pool_sizes)
    for c in range(len(sizes)):
        child = genes[c]
        # The smaller of two draws: better parents more often.
        a, b = min(_draw(state, count), _draw(state, count)), min(_draw(state, count), _draw(state, count))
        size, budget = pool_sizes[a], pool_memory[a]
        for i in range(size):
            for column in range(6):
                child[i, column] = pool[a, i, column]
        if _draw(state, 3) == 0:
            # The tail of the second parent replaces that of the first, or single requests do.
            whole, cut = _draw(state, 2), _draw(state, size)
            for i in range(min(size, pool_sizes[b])):
                if (i >= cut) if whole == 0 else (_draw(state, 2) == 0):
                    for column in range(6):
                        child[i, column] = pool[b, i, column]
        size, budget = _change(child, size, budget, limits, state)
        while _draw(state, 2) == 0:
            size, budget = _change(child, size, budget, limits, state)
        repair(child, size, budget, limits)
        sizes[c], memory[c] = size, budget


@compiled(nogil=True, **UNCOUNTED)
def scatter(genes, sizes, memory, limits, state):
    """Fill a block with random candidates."""
    for c in range(len(sizes)):
        sizes[c], memory[c] = random_candidate(genes[c], limits, state)
