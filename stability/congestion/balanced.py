"""Balanced cycles of one class: cohorts at fixed distances that complete without ever being evicted.

All but the worst one are unstable; still, some starts land on one exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import memory_of

Row = tuple[Fraction, ...]


@dataclass(frozen=True)
class BalancedCycle:
    """A balanced cycle of one class.

    Attributes
    ----------
    prompt : Fraction
        l0, tokens.
    decode : int
        l1: the period is l1, or a part of it where the gaps repeat.
    memory : Fraction
        M, tokens.
    gaps : tuple of int
        Distance from each cohort, oldest first, to the next younger one; sum l1.
    states : tuple of l1 rows of l1 Fraction
        Mass at each age, one row per iteration.
    throughput : Fraction
        Completions per iteration, ``M / (l0 l1 + (l1^2 + sum gaps^2)/2)``.
    """

    prompt: Fraction
    decode: int
    memory: Fraction
    gaps: tuple[int, ...]
    states: tuple[Row, ...]
    throughput: Fraction

    def captured(self) -> tuple[Row, ...]:
        """Return starts off the cycle that land on it in one iteration; memory is full in each.

        What the youngest ages of a state without an admission held one iteration before is known; the mass that
        completes in between is free, and fills memory. Without it the cycle would not be entered from outside.
        """
        found: list[Row] = []
        for row in self.states:
            if row[0]:
                continue
            held = sum((self._weight(s) * row[s + 1] for s in range(self.decode - 1)), Fraction())
            oldest = (self.memory - held) / self._weight(self.decode - 1)
            before = (*row[1:], oldest)
            if oldest >= 0 and before not in (*self.states, *found):
                found.append(before)
        return tuple(found)

    def _weight(self, age: int) -> Fraction:
        return self.prompt + 1 + age


def balanced_cycle(prompt: float, decode: int, memory: float, gaps: Sequence[int]) -> BalancedCycle:
    """Return the balanced cycle of one class with given gaps.

    Parameters
    ----------
    prompt : float
        l0, tokens.
    decode : int
        l1.
    memory : float
        M, tokens.
    gaps : sequence of int
        Distances between neighbouring cohorts, each >= 1, sum l1. (l1,) is the worst cycle, all 1 the equilibrium.

    Returns
    -------
    BalancedCycle
        In exact rational numbers.

    Raises
    ------
    BadParameter
        One line: a gap below 1, or gaps that do not sum to l1.

    Notes
    -----
    A cohort with gap g behind it completes with mass T g; the youngest fills what memory the others leave, and shrinks
    by evictions until a completion lets a new one in (derived; throughput as in arXiv 2606.15555).
    """
    memory_of(memory)
    given = tuple(int(g) for g in gaps)
    if decode < 1 or prompt < 0 or not given or min(given) < 1 or sum(given) != decode:
        raise BadParameter(f"gaps {given} at decode length {decode}: give gaps >= 1 that sum to it, and a prompt >= 0")
    l0, M = Fraction(prompt), Fraction(memory)
    T = M / (l0 * decode + Fraction(decode**2 + sum(g * g for g in given), 2))
    states = tuple(_state(l0, decode, M, T, given, moment) for moment in range(decode))
    return BalancedCycle(l0, decode, M, given, states, T)


def balanced_cycles(prompt: float, decode: int, memory: float) -> Iterator[BalancedCycle]:
    """Yield every balanced cycle of one class, one for each way to place gaps on a ring of l1 ages.

    Their number grows as 2^l1 / l1. Parameters and errors as `balanced_cycle`.
    """
    if decode < 1:
        raise BadParameter(f"decode length is {decode}: give whole tokens >= 1")
    for gaps in _compositions(decode):
        if gaps == max(gaps[i:] + gaps[:i] for i in range(len(gaps))):
            yield balanced_cycle(prompt, decode, memory, gaps)


def _state(l0: Fraction, l1: int, M: Fraction, T: Fraction, gaps: tuple[int, ...], moment: int) -> Row:
    """Return the state in which the first cohort is ``moment`` iterations past its admission."""
    ages, age = [], moment
    for g in gaps:
        ages.append(age % l1)
        age -= g
    youngest = min(range(len(ages)), key=lambda h: ages[h])
    row = [Fraction()] * l1
    for h, g in enumerate(gaps):
        if h != youngest:
            row[ages[h]] = T * g
    room = M - sum((mass * (l0 + 1 + s) for s, mass in enumerate(row)), Fraction())
    row[ages[youngest]] = room / (l0 + 1 + ages[youngest])
    return tuple(row)


def _compositions(total: int) -> Iterator[tuple[int, ...]]:
    if total == 0:
        yield ()
    for first in range(total, 0, -1):
        for rest in _compositions(total - first):
            yield (first, *rest)
