"""The verifier's own evaluation of dual prices, in integers. Imports no solver and no other bound code."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance

IntArray = npt.NDArray[np.int64]

#: rounds of prices that a certificate may hold
MAX_ROUNDS = 50_000_000
#: starts looked at together when arrivals differ
CHUNK = 1024


class TooLarge(ValueError):
    """The evaluation would leave int64."""


def _sum(values: IntArray) -> int:
    """Add int64 values without overflow."""
    return sum(int(part.sum(dtype=np.int64)) for part in _halves(values))


def _halves(values: IntArray) -> tuple[IntArray, ...]:
    # Parts small enough that no partial sum leaves int64.
    if len(values) <= 1 or float(np.abs(values.astype(np.float64)).sum()) < 2.0**61:
        return (values,)
    middle = len(values) // 2
    return (*_halves(values[:middle]), *_halves(values[middle:]))


class Lines:
    """Costs Q cost(t) = A_t + s B_t of starting at t with a given output length, for given prices."""

    def __init__(self, numerators: IntArray, denominator: int, latest: int, longest: int, peak: int) -> None:
        total = _sum(numerators)
        T = len(numerators)
        end = max(T, latest) + longest
        if denominator * end + (end + peak) * max(total, 1) >= 2**62:
            raise TooLarge("prices or times too large for int64")
        self.T, self.Q = T, denominator
        self.plain = np.zeros(T + 1, np.int64)
        self.plain[1:] = np.cumsum(numerators)
        self.timed = np.zeros(T + 1, np.int64)
        self.timed[1:] = np.cumsum(numerators * np.arange(1, T + 1))

    def of(self, output: int, first: int, last: int) -> tuple[IntArray, IntArray]:
        """Return (A, B) for starts first .. last."""
        t = np.arange(first, last + 1, dtype=np.int64)
        begin, end = np.minimum(t, self.T), np.minimum(t + output, self.T)
        B = self.plain[end] - self.plain[begin]
        return self.Q * (t + output) + self.timed[end] - self.timed[begin] - t * B, B


def _least_over_all(A: IntArray, B: IntArray, s: IntArray) -> IntArray:
    """Minimum over t of A_t + s B_t for each of the ascending distinct s.

    Divide and conquer: between two queries whose best lines are l and h, another line can only win if it is below both
    at one of the two integers next to their crossing, since its difference to min(l, h) is convex with one kink there.
    """
    least = np.empty(len(s), np.int64)
    everyone = np.arange(len(A))

    def best(x: int, among: IntArray) -> int:
        return int(among[np.argmin(A[among] + x * B[among])])

    todo = [(0, len(s) - 1, best(int(s[0]), everyone), best(int(s[-1]), everyone), everyone)]
    while todo:
        i, j, low, high, among = todo.pop()
        least[i : j + 1] = np.minimum(A[low] + s[i : j + 1] * B[low], A[high] + s[i : j + 1] * B[high])
        if j - i < 2 or B[low] <= B[high]:
            continue
        crossing = int((A[high] - A[low]) // (B[low] - B[high]))
        keep = np.zeros(len(among), bool)
        for x in (crossing, crossing + 1):
            keep |= A[among] + x * B[among] < min(int(A[low] + x * B[low]), int(A[high] + x * B[high]))
        among = among[keep]
        if len(among) == 0:
            continue
        k = int(np.clip(np.searchsorted(s, crossing, side="right") - 1, i, j - 1))
        pool = np.append(among, (low, high))
        todo.append((i, k, low, best(int(s[k]), pool), pool))
        todo.append((k + 1, j, best(int(s[k + 1]), pool), high, pool))
    return least


def _last_useful(lines: Lines, group: IntArray, first: int) -> int:
    """Return a start beyond which no request of one output length does better than at ``first``: t + o is too late."""
    output = int(group[0, 0])
    A, B = lines.of(output, first, first)
    most = int(A[0]) + int(group[-1, 2]) * int(B[0])
    return min(max(first, lines.T), max(first, most // lines.Q - output))


def _least_after(lines: Lines, output: int, arrival: int, prompt: int) -> int:
    """Minimum over t >= arrival; later starts stop mattering once t + o alone costs as much as the best."""
    last = max(arrival, lines.T)
    t, value = arrival, None
    while t <= last and (value is None or lines.Q * (t + output) < value):
        A, B = lines.of(output, t, min(last, t + CHUNK - 1))
        found = int((A + prompt * B).min())
        value = found if value is None else min(value, found)
        t += CHUNK
    assert value is not None
    return value


def _least_in_box(lines: Lines, output: int, arrival: int, prompt: int, count: int, box: int) -> int:
    """Total of ``count`` cheapest starts when at most ``box`` may coincide."""
    A, B = lines.of(output, arrival, max(arrival, lines.T) + -(-count // box))
    costs = np.sort(A + prompt * B)
    whole, rest = divmod(count, box)
    return box * _sum(costs[:whole]) + rest * int(costs[whole])


def dual_numerator(inst: Instance, numerators: IntArray, denominator: int, box: bool) -> int:
    """Return Q D for integer prices ``numerators`` over ``denominator`` = Q.

    Raises
    ------
    TooLarge
        When a term could leave int64.
    """
    a, s, o = inst.arrival, inst.prompt, inst.output
    # With the box, starts may spill over past the last price, by no more than there are requests.
    spill = inst.n if box else 0
    lines = Lines(numerators, denominator, spill + int(a.max()), int(o.max()), int((s + o).max()))
    order = np.lexsort((s, a, o))
    table = np.column_stack([o[order], a[order], s[order]])
    heads = np.flatnonzero(np.append(True, (table[1:] != table[:-1]).any(axis=1)))
    counts = np.diff(np.append(heads, inst.n))
    table = table[heads]
    total = 0
    if box:
        for (length, arrival, prompt), count in zip(table.tolist(), counts.tolist(), strict=True):
            together = min(count, inst.memory // (prompt + length))
            total += _least_in_box(lines, length, arrival, prompt, count, together)
    elif (a == a[0]).all():
        groups = np.append(np.flatnonzero(np.append(True, np.diff(table[:, 0]) != 0)), len(table))
        first = int(a[0])
        for low, high in zip(groups[:-1].tolist(), groups[1:].tolist(), strict=True):
            A, B = lines.of(int(table[low, 0]), first, _last_useful(lines, table[low:high], first))
            least = _least_over_all(A, B, table[low:high, 2])
            total += sum(m * x for m, x in zip(counts[low:high].tolist(), least.tolist(), strict=True))
    else:
        for (length, arrival, prompt), count in zip(table.tolist(), counts.tolist(), strict=True):
            total += count * _least_after(lines, length, arrival, prompt)
    return total - inst.memory * _sum(numerators)


__all__ = ["MAX_ROUNDS", "TooLarge", "dual_numerator"]
