"""The long request L = (0, 1, M - 1) of the constructions A, A2, B and O, and what it does to those behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from instances.construction import Construction, Setting, requests
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance

#: a policy that lets the long request wait beyond this many times M gets nothing else to do
PATIENCE = 16


def rounded(x: float) -> int:
    """Round half up: floor(x + 1/2)."""
    return math.floor(x + 0.5)


def alone(memory: int) -> Instance:
    """Return the instance that holds L only; it is what a policy under attack is probed with."""
    return requests(memory, (1, 0, 1, memory - 1))


def never_started(memory: int, start: int, **resolved: Any) -> Construction:
    """Return the construction for a policy that has not started L by time 16 M: nothing more is released.

    L then ends at start + M - 1, against M - 1 for the witness that starts it at once.
    """
    return Construction(
        alone(memory),
        witness=np.zeros(1, np.int64),
        forced_cost=start + memory - 1,
        start=start,
        resolved={**resolved, "start": start},
    )


def gap(memory: int, c: float, family: str) -> int:
    """Return w = max(1, round(c sqrt(M))): the burst comes w before the end of L; needs 1 <= w <= M - 1."""
    return checked_gap(max(1, rounded(c * math.sqrt(memory))), memory, family, f"c={c}")


def checked_gap(w: int, memory: int, family: str, origin: str) -> int:
    """Return w if a release at start + M - w can answer the start, that is w <= M - 1."""
    if w > memory - 1:
        raise BadParameter(f"{family}: {origin} gives w = {w} > memory - 1 = {memory - 1}: take it smaller")
    return w


def unit_flow_beside(memory: int, start: int, first: int, times: int, count: int) -> int:
    """Return the least total flow of unit requests that run beside L.

    L holds 1 + t - start in round t of start + 1 .. start + M - 1. At each of ``times`` epochs from ``first`` on,
    ``count`` requests (prompt 1, output 1) arrive; each takes two units for one round, so in every round starting as
    many as fit is optimal.
    """
    present = flow = 0
    t = first
    while t < first + times or present:
        if t < first + times:
            present += count
        flow += present
        t += 1
        held = 1 + t - start if start < t <= start + memory - 1 else 0
        present -= min(present, (memory - held) // 2)
    return flow


def long_flow(memory: int, start: int) -> int:
    """Flow of L when it starts at ``start`` and is never killed."""
    return start + memory - 1


def read_start(setting: Setting, memory: int, given: int) -> int:
    """Return b: the first start of L by the policy under attack, or the one given."""
    return setting.start_of_first(alone(memory), given)


__all__ = [
    "PATIENCE",
    "alone",
    "checked_gap",
    "gap",
    "long_flow",
    "never_started",
    "read_start",
    "rounded",
    "unit_flow_beside",
]
