"""The verifier's own computation of LB0 to LB4, from their definitions. Imports no solver and no other bound code.

It is written for Python integers and heaps, where the bounds themselves use arrays and compiled loops, so that the
two can only agree by being right.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from kvratio.problem import Instance

#: the rounding rule of the certificates: sums over at most this many distinct denominators are exact ..
EXACT_DENOMINATORS = 48
#: .. other sums are rounded down, denominator by denominator, to multiples of 2**-ROUNDING_BITS
ROUNDING_BITS = 40


class Requests:
    """The four columns of an instance as lists of Python integers."""

    def __init__(self, inst: Instance) -> None:
        self.memory = int(inst.memory)
        self.arrival = [int(x) for x in inst.arrival]
        self.prompt = [int(x) for x in inst.prompt]
        self.output = [int(x) for x in inst.output]
        self.volume = [s * o + o * (o + 1) // 2 for s, o in zip(self.prompt, self.output, strict=True)]
        self.earliest = sorted(a + o for a, o in zip(self.arrival, self.output, strict=True))


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _add(terms: Iterable[tuple[int, int]]) -> tuple[Fraction, int]:
    """Add (numerator, denominator) pairs by the rounding rule; return the sum and the bits of its rounding."""
    totals: dict[int, int] = defaultdict(int)
    for numerator, denominator in terms:
        totals[denominator] += numerator
    if len(totals) <= EXACT_DENOMINATORS:
        return sum((Fraction(t, d) for d, t in totals.items()), Fraction(0)), 0
    return Fraction(sum((t << ROUNDING_BITS) // d for d, t in totals.items()), 1 << ROUNDING_BITS), ROUNDING_BITS


def _offsets(r: Requests) -> tuple[Fraction, int]:
    """Sum of delta_i = (6 s o + (o + 1)(2 o + 1)) / (6 (2 s + o + 1))."""
    return _add(
        (6 * s * o + (o + 1) * (2 * o + 1), 6 * (2 * s + o + 1)) for s, o in zip(r.prompt, r.output, strict=True)
    )


def _prefixes(r: Requests) -> list[int]:
    total, out = 0, []
    for v in sorted(r.volume):
        total += v
        out.append(total)
    return out


def _star(r: Requests) -> int:
    """LB1*: two heaps hold the j smallest volumes among the requests with a + o <= T, and the others."""
    waiting = sorted(zip((a + o for a, o in zip(r.arrival, r.output, strict=True)), r.volume, strict=True))
    chosen: list[int] = []  # negated: largest first
    others: list[int] = []
    total = k = T = answer = 0
    for _ in waiting:
        while not others:
            T = max(T, waiting[k][0])
            total, k = _admit(waiting, k, T, chosen, others, total)
        v = heapq.heappop(others)
        heapq.heappush(chosen, -v)
        total += v
        while True:
            need = max(T, _up(total, r.memory))
            if k == len(waiting) or waiting[k][0] > need:
                break
            T = waiting[k][0] if waiting[k][0] > T else T
            total, k = _admit(waiting, k, T, chosen, others, total)
        T = need
        answer += T
    return answer


def _admit(
    waiting: list[tuple[int, int]], k: int, T: int, chosen: list[int], others: list[int], total: int
) -> tuple[int, int]:
    while k < len(waiting) and waiting[k][0] <= T:
        v = waiting[k][1]
        if chosen and v < -chosen[0]:
            largest = -heapq.heapreplace(chosen, -v)
            total += v - largest
            v = largest
        heapq.heappush(others, v)
        k += 1
    return total, k


def _machine(r: Requests, remaining_first: bool) -> list[tuple[int, int, int]]:
    """Preemptive machine of M ticks a round; return (request, first tick, last tick) in order of time."""
    order = sorted(range(len(r.volume)), key=lambda i: (r.arrival[i], i))
    left = list(r.volume)
    queue: list[tuple[int, int]] = []
    pieces: list[tuple[int, int, int]] = []
    now = k = 0
    while queue or k < len(order):
        if not queue:
            now = max(now, r.arrival[order[k]] * r.memory)
        while k < len(order) and r.arrival[order[k]] * r.memory <= now:
            heapq.heappush(queue, (r.volume[order[k]], order[k]))
            k += 1
        _, i = heapq.heappop(queue)
        stop = now + left[i]
        if k < len(order):
            stop = min(stop, r.arrival[order[k]] * r.memory)
        pieces.append((i, now, stop))
        left[i] -= stop - now
        if left[i]:
            heapq.heappush(queue, (left[i] if remaining_first else r.volume[i], i))
        now = stop
    return pieces


def _filled(r: Requests, ticks: int) -> int:
    """Twice the midpoint-weighted volume when rounds are filled in order with ``ticks`` units."""
    q, rest = divmod(ticks, r.memory)
    return r.memory * q * q + rest * (2 * q + 1)


def _busy(r: Requests, pieces: list[tuple[int, int, int]], rounded: bool) -> tuple[Fraction, int]:
    if rounded:
        terms = ((_filled(r, y) - _filled(r, x), r.volume[i]) for i, x, y in pieces)
        total, bits = _add(terms)
        total /= 2
    else:
        total, bits = _add(((y - x) * (y + x), r.volume[i]) for i, x, y in pieces)
        total /= 2 * r.memory
    delta, delta_bits = _offsets(r)
    return total + delta, max(bits, delta_bits)


def _fluid(r: Requests) -> list[tuple[int, int, int]]:
    """Smallest volume first from time 0, arrivals ignored."""
    now, pieces = 0, []
    for i in sorted(range(len(r.volume)), key=r.volume.__getitem__):
        pieces.append((i, now, now + r.volume[i]))
        now += r.volume[i]
    return pieces


def closed_form_value(inst: Instance, name: str) -> tuple[Fraction, int] | None:
    """Return (value, rounding bits) of a closed form for total completion; None for an unknown name."""
    r = Requests(inst)
    M = r.memory
    if name == "LB0":
        return Fraction(sum(r.earliest)), 0
    if name == "LB1":
        return Fraction(sum(_prefixes(r)), M), 0
    if name == "LB1r":
        return Fraction(sum(max(_up(V, M), e) for V, e in zip(_prefixes(r), r.earliest, strict=True))), 0
    if name == "LB1*":
        return Fraction(_star(r)), 0
    if name == "LB2":
        delta, bits = _offsets(r)
        twice = sum(2 * V - v for V, v in zip(_prefixes(r), sorted(r.volume), strict=True))
        return Fraction(twice, 2 * M) + delta, bits
    if name == "LB2r":
        return _busy(r, _fluid(r), rounded=True)
    if name in ("LB3", "LB3r"):
        ends: dict[int, int] = {}
        for i, _, y in _machine(r, remaining_first=True):
            ends[i] = y
        if name == "LB3":
            return Fraction(sum(ends.values()), M), 0
        return Fraction(sum(max(_up(y, M), e) for y, e in zip(sorted(ends.values()), r.earliest, strict=True))), 0
    if name in ("LB4", "LB4r"):
        return _busy(r, _machine(r, remaining_first=False), rounded=name == "LB4r")
    return None


__all__ = ["closed_form_value"]
