"""The recursion in exact rational numbers, plain Python: the slow twin of the compiled one.

Unstable cycles can be followed only here: rounding drives the compiled recursion away from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from kvratio.problem.errors import BadParameter

Row = tuple[Fraction, ...]


@dataclass(frozen=True)
class ExactTrajectory:
    """A run in rational numbers.

    Attributes
    ----------
    y : tuple of tuples of Fraction
        Mass at each age; row 0 is the start.
    evicted, admitted, completed : tuple of Fraction
        Requests in each iteration; row 0 has none.
    """

    y: tuple[Row, ...]
    evicted: Row
    admitted: Row
    completed: Row


def simulate_exact(
    prompt: Any,
    decode: Any,
    memory: Any,
    steps: int,
    *,
    shares: Any = None,
    start: Sequence[Any] | None = None,
    cap: Any = None,
) -> ExactTrajectory:
    """Run the congestion dynamics in exact arithmetic.

    Parameters
    ----------
    prompt : rational, or a sequence of one per class
    decode : int, or a sequence of one per class
    memory : rational
        Tokens.
    steps : int
        Iterations; numbers grow with them, so a few hundred at most.
    shares : sequence of rationals, optional
        Sum 1 exactly; default: equal.
    start : sequence of rationals, optional
        As in `simulate`.
    cap : rational, optional
        Most requests admitted in one iteration.

    Returns
    -------
    ExactTrajectory

    Raises
    ------
    BadParameter
        One line: shares that do not sum to 1, lengths below 1, or a start of another length.
    """
    lengths = [decode] if isinstance(decode, int) else [int(length) for length in decode]
    inputs = [Fraction(p) for p in prompt] if isinstance(prompt, Sequence) else [Fraction(prompt)] * len(lengths)
    split = [Fraction(1, len(lengths))] * len(lengths) if shares is None else [Fraction(p) for p in shares]
    if not lengths or min(lengths) < 1 or not len(lengths) == len(inputs) == len(split) or sum(split) != 1:
        raise BadParameter("exact run: give as many prompts and shares as decode lengths >= 1, with shares of sum 1")
    classes = [row for row in zip(inputs, lengths, split, strict=True) if row[2] > 0]
    limit, most = Fraction(memory), None if cap is None else Fraction(cap)
    d = max(length for _, length, _ in classes)
    V = [sum((p * (l0 + 1 + s) for l0, l1, p in classes if l1 > s), Fraction()) for s in range(d)]
    alpha = [sum((p for _, l1, p in classes if l1 > s), Fraction()) for s in range(d)]
    if start is None:
        start = [limit / V[0]] + [Fraction()] * (d - 1)
    if len(start) != d:
        raise BadParameter(f"start has {len(start)} masses: give one for each of the {d} ages")
    y = [tuple(Fraction(mass) for mass in start)]
    totals: list[tuple[Fraction, Fraction, Fraction]] = [(Fraction(), Fraction(), Fraction())]
    for _ in range(steps):
        completed = sum((p * y[-1][l1 - 1] for _, l1, p in classes), Fraction())
        z = [Fraction(), *y[-1][:-1]]
        over = sum((V[s] * z[s] for s in range(d)), Fraction()) - limit
        evicted = admitted = Fraction()
        if over > 0:
            for s in range(d):
                r = min(z[s], over / V[s])
                z[s] -= r
                over -= r * V[s]
                evicted += r * alpha[s]
        else:
            z[0] = admitted = -over / V[0] if most is None else min(-over / V[0], most)
        y.append(tuple(z))
        totals.append((evicted, admitted, completed))
    columns = tuple(zip(*totals, strict=True))
    return ExactTrajectory(tuple(y), columns[0], columns[1], columns[2])
