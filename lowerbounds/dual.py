"""The Lagrangian dual of the memory rows, evaluated exactly in integers for one price per round.

With integer prices N_r >= 0 over a denominator Q, a start at t of class c = (a, s, o) costs

    Q cost_c(t) = Q (t + o) + sum over k = 1..o of (s + k) N[t + k],

and Q D = sum_c m_c min over t >= a of Q cost_c(t) - M sum_r N_r is at most Q OPT for ANY such prices. Past the
last price the cost grows with t, so no horizon is assumed. For a fixed o the cost is a line A_t + s B_t in s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Certificate
from kvratio.problem.compiled import compiled
from kvratio.problem.errors import BadParameter
from lowerbounds.classes import Classes
from lowerbounds.exact_sums import SAFE, exact_dot, exact_sum

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

#: largest denominator tried; powers of two keep the scaling of floats exact
LARGEST_DENOMINATOR = 2**24
#: an insertion into a tree of lines takes about as long as this many steps of a scan
TREE_STEP = 8.0


class PricesTooLarge(BadParameter):
    """Prices that no denominator brings inside int64."""


@dataclass(frozen=True)
class Prices:
    """Integer prices of one unit of memory: ``numerators[r - 1] / denominator`` in round r, 0 afterwards."""

    numerators: IntArray
    denominator: int


@dataclass(frozen=True)
class DualValue:
    """``numerator / prices.denominator`` is a lower bound on the total completion time.

    ``best_start`` holds one minimising start per class (the earliest), int64[k]; with ``box`` the inner minimum
    respects that at most floor(M / peak) of a class start together.
    """

    prices: Prices
    numerator: int
    best_start: IntArray
    box: bool = False

    @property
    def lower(self) -> int:
        """The least integer not below the bound."""
        return -((-self.numerator) // self.prices.denominator)

    @property
    def value(self) -> float:
        """The bound as a float, for people."""
        return self.numerator / self.prices.denominator

    def certificate(self, kind: str = "dual", **more: Any) -> Certificate:
        """Return the ``dual`` certificate: prices as (length, numerator) runs, the claimed Q D, flags."""
        data = {
            "objective": "completion",
            "denominator": self.prices.denominator,
            "runs": run_lengths(self.prices.numerators),
            "numerator": self.numerator,
            "box": self.box,
            **more,
        }
        return Certificate(kind, "lower", data)


def run_lengths(values: IntArray) -> list[list[int]]:
    """Return [[length, value], ..]: equal neighbours take one entry, as on a coarse grid; zeros at the end none."""
    values = values[: int(np.flatnonzero(values)[-1]) + 1] if values.any() else values[:0]
    if len(values) == 0:
        return []
    heads = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths = np.diff(np.append(heads, len(values)))
    return [[int(n), int(v)] for n, v in zip(lengths, values[heads], strict=True)]


def fits_int64(prices: Prices, classes: Classes) -> bool:
    """Whether every term of the evaluation, prefix sums included, stays below 2**62."""
    T = len(prices.numerators)
    latest = T + int(classes.arrival.max()) + int(classes.output.max()) + len(classes) + int(classes.count.max())
    total = exact_sum(prices.numerators)
    peak = int((classes.prompt + classes.output).max())
    return prices.denominator * latest + (latest + peak) * max(total, 1) < SAFE


def integer_prices(rates: FloatArray, classes: Classes) -> Prices:
    """Round float prices down to integers over the largest power of two that keeps the evaluation inside int64.

    Raises
    ------
    PricesTooLarge
        When even a denominator of 1 would overflow.
    BadParameter
        When prices are negative or not finite.
    """
    if not np.isfinite(rates).all() or (rates < 0).any():
        raise BadParameter("prices must be finite and >= 0")
    denominator = LARGEST_DENOMINATOR
    while denominator >= 1:
        if float(rates.sum()) * denominator < SAFE:
            prices = Prices(np.floor(rates * denominator).astype(np.int64), denominator)
            if fits_int64(prices, classes):
                return prices
        denominator //= 2
    raise PricesTooLarge("prices are too large for an exact evaluation in int64: scale them down")


@compiled
def _line(t, o, T, Q, sums, moments):
    """Return (A_t, B_t): the cost of a start at t with length o is A_t + s B_t."""
    low = min(t, T)
    high = min(t + o, T)
    window = sums[high] - sums[low]
    return Q * (t + o) + moments[high] - moments[low] - t * window, window


@compiled
def _scan(arrival, prompt, output, T, Q, sums, moments, least, best):
    """Minimise class by class: later starts stop mattering once t + o alone costs as much as the best."""
    for c in range(len(arrival)):
        a, s, o = arrival[c], prompt[c], output[c]
        A, B = _line(a, o, T, Q, sums, moments)
        value = A + s * B
        at = a
        t = a + 1
        while t <= T and Q * (t + o) < value:
            A, B = _line(t, o, T, Q, sums, moments)
            if A + s * B < value:
                value = A + s * B
                at = t
            t += 1
        least[c] = value
        best[c] = at


@compiled
def _scan_length(arrival, prompt, output, T, Q, sums, moments):
    """Upper bound on the steps that `_scan` takes."""
    steps = 0.0
    for c in range(len(arrival)):
        A, B = _line(arrival[c], output[c], T, Q, sums, moments)
        steps += max(0, min(T, (A + prompt[c] * B) // Q - output[c]) - arrival[c])
    return steps


@compiled
def _hulls(group_start, prompt, output, begin, T, Q, sums, moments, least, best):
    """Minimise all classes of one arrival with nonincreasing prices: a lower hull of lines for each length.

    Slopes B_t fall with t, so lines enter a stack in order; ``from_s[k]`` is the least integer s from which line k is
    below line k - 1. Queries come in ascending s. Ties go to the earlier start.
    """
    lines_a = np.empty(T + 2, np.int64)
    lines_b = np.empty(T + 2, np.int64)
    start = np.empty(T + 2, np.int64)
    from_s = np.empty(T + 2, np.int64)
    for g in range(len(group_start) - 1):
        o = output[group_start[g]]
        largest = prompt[group_start[g + 1] - 1]
        size = 0
        for t in range(begin, max(begin, T) + 1):
            A, B = _line(t, o, T, Q, sums, moments)
            # Not below the current best line for the largest s: then for no s >= 0 that is asked.
            if size > 0 and A + largest * B >= lines_a[size - 1] + largest * lines_b[size - 1]:
                continue
            cut = np.int64(0)
            while size > 0:
                k = size - 1
                # B < lines_b[k] here, since the new line is strictly below at `largest` and any tie is not.
                if lines_b[k] <= B:
                    size -= 1
                    continue
                gain = A - lines_a[k]
                drop = lines_b[k] - B
                cut = gain // drop + 1 if gain >= 0 else np.int64(0)
                if cut <= from_s[k]:
                    size -= 1
                else:
                    break
            if size == 0:
                cut = np.int64(0)
            lines_a[size] = A
            lines_b[size] = B
            start[size] = t
            from_s[size] = cut
            size += 1
        k = 0
        for c in range(group_start[g], group_start[g + 1]):
            while k + 1 < size and from_s[k + 1] <= prompt[c]:
                k += 1
            least[c] = lines_a[k] + prompt[c] * lines_b[k]
            best[c] = start[k]


@compiled
def _insert(a, b, at, values, new_a, new_b, new_at):
    """Insert a line into a Li Chao tree over the integers ``values``: each node keeps the lowest line at its middle."""
    low, high, node = 0, len(values) - 1, 1
    while True:
        middle = (low + high) // 2
        x = values[middle]
        if at[node] < 0 or new_a + x * new_b <= a[node] + x * b[node]:
            a[node], new_a = new_a, a[node]
            b[node], new_b = new_b, b[node]
            at[node], new_at = new_at, at[node]
            if new_at < 0:
                return
        # The line that lost at the middle can win on one side only.
        if low < middle and new_a + values[low] * new_b < a[node] + values[low] * b[node]:
            high = middle - 1
            node = 2 * node
        elif middle < high and new_a + values[high] * new_b < a[node] + values[high] * b[node]:
            low = middle + 1
            node = 2 * node + 1
        else:
            return


@compiled
def _trees(group_start, by_arrival, arrival, prompt, output, T, Q, sums, moments, least, best):
    """Minimise classes with arrivals: for each length, starts enter a Li Chao tree from the last to the first.

    ``by_arrival`` lists the classes of each group in descending order of arrival; a class is answered when all starts
    from its arrival on are in. Ties go to the earlier start.
    """
    for g in range(len(group_start) - 1):
        head, tail = group_start[g], group_start[g + 1]
        o = output[head]
        values = np.unique(prompt[head:tail])
        room = 4 * len(values) + 4
        a, b, at = np.empty(room, np.int64), np.empty(room, np.int64), np.full(room, -1, np.int64)
        t = T + 1
        for k in range(head, tail):
            c = by_arrival[k]
            while t > arrival[c] and t > 0:
                t -= 1
                A, B = _line(t, o, T, Q, sums, moments)
                _insert(a, b, at, values, A, B, t)
            if arrival[c] > T:
                A, B = _line(arrival[c], o, T, Q, sums, moments)
                least[c] = A + prompt[c] * B
                best[c] = arrival[c]
                continue
            low, high, node = 0, len(values) - 1, 1
            place = np.searchsorted(values, prompt[c])
            first = True
            while low <= high and at[node] >= 0:
                value = a[node] + prompt[c] * b[node]
                if first or value < least[c] or (value == least[c] and at[node] < best[c]):
                    least[c] = value
                    best[c] = at[node]
                    first = False
                middle = (low + high) // 2
                if place == middle:
                    break
                if place < middle:
                    high = middle - 1
                    node = 2 * node
                else:
                    low = middle + 1
                    node = 2 * node + 1


def _prefix_sums(prices: Prices) -> tuple[IntArray, IntArray]:
    numbers = np.arange(1, len(prices.numerators) + 1, dtype=np.int64)
    zero = np.zeros(1, np.int64)
    sums = np.concatenate([zero, np.cumsum(prices.numerators)])
    moments = np.concatenate([zero, np.cumsum(numbers * prices.numerators)])
    return sums, moments


def least_costs(classes: Classes, prices: Prices) -> tuple[IntArray, IntArray]:
    """Return (Q min_t cost_c(t), its earliest t) for each class, int64[k] each.

    Raises
    ------
    BadParameter
        When a price is negative or a term could leave int64.
    """
    if (prices.numerators < 0).any() or prices.denominator < 1:
        raise BadParameter("prices must be >= 0 over a denominator >= 1")
    if not fits_int64(prices, classes):
        raise BadParameter("prices or times are too large for an exact evaluation in int64: use a smaller denominator")
    T, Q = len(prices.numerators), prices.denominator
    sums, moments = _prefix_sums(prices)
    least, best = np.empty(len(classes), np.int64), np.empty(len(classes), np.int64)
    arguments = (T, Q, sums, moments)
    common = int(classes.arrival[0])
    same = bool((classes.arrival == common).all())
    # Before the common arrival prices play no part.
    falling = same and bool((np.diff(prices.numerators[common:]) <= 0).all())
    heads = np.flatnonzero(np.append(True, np.diff(classes.output) != 0))
    grouped = float(len(heads)) * max(T - int(classes.arrival.min()), 1)
    scanned = _scan_length(classes.arrival, classes.prompt, classes.output, *arguments)
    bounds = np.append(heads, len(classes))
    if falling and 2 * grouped < scanned:
        _hulls(bounds, classes.prompt, classes.output, common, *arguments, least, best)
    elif TREE_STEP * grouped < scanned:
        by_arrival = np.lexsort((-classes.arrival, classes.output))
        _trees(bounds, by_arrival, classes.arrival, classes.prompt, classes.output, *arguments, least, best)
    else:
        _scan(classes.arrival, classes.prompt, classes.output, *arguments, least, best)
    return least, best


def evaluate(classes: Classes, prices: Prices) -> DualValue:
    """Return the dual value of integer prices, exact (docs/bounds.md)."""
    least, best = least_costs(classes, prices)
    numerator = exact_dot(classes.count, least) - classes.memory * exact_sum(prices.numerators)
    return DualValue(prices, numerator, best)


def start_costs(classes: Classes, prices: Prices, c: int, last: int) -> IntArray:
    """Return Q cost_c(t) for t = a_c .. last, int64."""
    T, Q = len(prices.numerators), prices.denominator
    sums, moments = _prefix_sums(prices)
    a, s, o = int(classes.arrival[c]), int(classes.prompt[c]), int(classes.output[c])
    t = np.arange(a, last + 1, dtype=np.int64)
    low, high = np.minimum(t, T), np.minimum(t + o, T)
    return Q * (t + o) + (s - t) * (sums[high] - sums[low]) + moments[high] - moments[low]


def evaluate_box(classes: Classes, prices: Prices) -> DualValue:
    """Return the dual value with at most floor(M / peak) starts of a class at one time; never below `evaluate`.

    Each class fills its cheapest starts. For small instances: O(classes x rounds).
    """
    if not fits_int64(prices, classes):
        raise BadParameter("prices or times are too large for an exact evaluation in int64: use a smaller denominator")
    T = len(prices.numerators)
    total = 0
    best = np.empty(len(classes), np.int64)
    for c, box in enumerate(classes.box.tolist()):
        count, a = int(classes.count[c]), int(classes.arrival[c])
        costs = start_costs(classes, prices, c, max(a, T) + -(-count // box))
        best[c] = a + int(costs.argmin())
        costs.sort()
        full = count // box
        total += box * exact_sum(costs[:full]) + (count - full * box) * int(costs[full])
    return DualValue(prices, total - classes.memory * exact_sum(prices.numerators), best, box=True)


def keeps_optimum(classes: Classes, value: DualValue, cls: IntArray, start: IntArray, upper: int) -> np.ndarray:
    """T4, price fixing: which starts (class, t) may occur in a schedule of cost <= ``upper``; bool[v].

    The dual value with one member's minimum replaced by the cost of that start bounds every schedule that contains it.
    """
    T, Q = len(value.prices.numerators), value.prices.denominator
    least, _ = least_costs(classes, value.prices)
    sums, moments = _prefix_sums(value.prices)
    s, o = classes.prompt[cls], classes.output[cls]
    low, high = np.minimum(start, T), np.minimum(start + o, T)
    cost = Q * (start + o) + (s - start) * (sums[high] - sums[low]) + moments[high] - moments[low]
    return cost - least[cls] <= Q * upper - value.numerator
