"""What a run of the congestion model does in every iteration, and the memory it would need without evictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from kvratio.problem.seeds import stream
from stability.congestion import equilibrium_rate, simulate, stage_weights
from stability.congestion.classes import FloatArray

#: cells of states that are held at a time
CELLS = 1 << 22


@dataclass(frozen=True, eq=False)
class History:
    """A run, iteration by iteration.

    Attributes
    ----------
    demand : float64[steps]
        Tokens that those in memory need after they have moved on, before evictions and admissions.
    admitted, completed, evicted : float64[steps]
        Requests per iteration.
    last : float64[d]
        Mass at each age at the end.
    """

    demand: FloatArray
    admitted: FloatArray
    completed: FloatArray
    evicted: FloatArray
    last: FloatArray


def near_equilibrium(
    prompt: Any, decode: Any, memory: float, shares: Any = None, noise: float = 0.01, seed: int = 0
) -> FloatArray:
    """Return x* at every stage, each changed by up to the share ``noise`` at random and scaled to fill memory.

    Raises
    ------
    BadParameter
        A noise outside [0, 1), or classes without meaning.
    """
    if not 0 <= noise < 1:
        raise BadParameter(f"noise is {noise!r}: give a share from 0 to below 1")
    V = stage_weights(prompt, decode, shares)
    y = equilibrium_rate(prompt, decode, memory, shares) * np.ones(len(V))
    y *= 1 + noise * stream("stability figures", "start", seed).uniform(-1, 1, len(V))
    return np.asarray(y * (memory / float(V @ y)), dtype=np.float64)


def history(prompt: Any, decode: Any, memory: float, steps: int, *, shares: Any = None, start: Any = None) -> History:
    """Run the congestion model; states are made a stretch at a time, so that long runs of many stages fit."""
    V = stage_weights(prompt, decode, shares)
    stretch, here, done = max(1, CELLS // len(V)), start, 0
    parts: list[Any] = []
    while done < steps:
        run = simulate(prompt, decode, memory, min(stretch, steps - done), shares=shares, start=here)
        parts.append((run.y[:-1, :-1] @ V[1:], run.admitted[1:], run.completed[1:], run.evicted[1:]))
        here, done = run.last, done + run.steps
    if not parts:
        raise BadParameter(f"steps is {steps}: give at least 1 iteration")
    demand, admitted, completed, evicted = (np.concatenate(column) for column in zip(*parts, strict=True))
    return History(demand, admitted, completed, evicted, np.asarray(here, dtype=np.float64))
