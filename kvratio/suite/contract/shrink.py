"""Making an instance smaller while something stays true of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kvratio.problem.errors import BadInstance
from kvratio.problem.instance import Instance

#: trials after which the smallest so far is taken
TRIALS = 1500


def shrink(inst: Instance, holds: Callable[[Instance], bool], trials: int = TRIALS) -> Instance:
    """Return an instance that is no larger and for which ``holds`` is still true.

    Requests are dropped, numbers lowered and predictions made exact, again and again, until no single step keeps the
    property, or ``trials`` steps have been tried.
    """
    left = trials
    changed = True
    while changed and left > 0:
        changed = False
        for smaller in _steps(inst):
            left -= 1
            if left < 0:
                break
            if holds(smaller):
                inst, changed = smaller, True
                break
    return inst.replace(name="", witness=None)


def _steps(inst: Instance) -> Iterator[Instance]:
    """Yield instances that are smaller by one step, the largest steps first."""
    n = inst.n
    for size in (n // 2, 1):
        for first in range(0, n, size) if 0 < size < n else ():
            yield inst.subset([i for i in range(n) if not first <= i < first + size])
    if inst.has_predictions:
        yield inst.replace(predicted=None)
    if inst.has_intervals:
        yield inst.replace(predicted_low=None, predicted_high=None)
    if inst.arrival.any():
        yield inst.replace(arrival=None)
        yield from _lowered(inst, "arrival", 0)
    yield from _lowered(inst, "output", 1)
    yield from _lowered(inst, "prompt", 0)
    for memory in (int(inst.peak.max()), inst.memory // 2, inst.memory - 1):
        if int(inst.peak.max()) <= memory < inst.memory:
            yield inst.replace(memory=memory)


def _lowered(inst: Instance, column: str, least: int) -> Iterator[Instance]:
    values = getattr(inst, column)
    for i in range(inst.n):
        old = int(values[i])
        for new in dict.fromkeys((least, old // 2, old - 1)):
            if least <= new < old:
                changed = values.copy()
                changed[i] = new
                try:
                    yield inst.replace(**{column: changed})
                except BadInstance:
                    continue


__all__ = ["TRIALS", "shrink"]
