"""Simulation of the saturated worker: the exact recursion for any mix, in compiled code."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from kvratio.problem.errors import BadParameter
from stability.congestion.classes import Classes, FloatArray, classes_of, memory_of
from stability.congestion.recursion import advance
from stability.congestion.stages import Stages, stages_of

#: states of a run may take this many GiB; beyond it, ``record="totals"`` is asked for
STATES_GIB = 8


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of the recursion; unpacks as ``y, evicted, admitted, completed``.

    Attributes
    ----------
    evicted, admitted, completed : float64[steps+1]
        Requests in each iteration; row 0 is the start and has none.
    wasted : float64[steps+1]
        Token-iterations of work lost with the evicted.
    by_class : float64[K]
        Completed requests of each class over all iterations, in the caller's order (0 where the share is 0).
    start, last : float64[d]
        Mass at each age before the first iteration and after the last; a run that goes on starts from ``last``.
    memory : float
        Tokens.
    cap : float
        Most requests admitted in one iteration.
    recorded : bool
        Whether ``y`` gives every state.
    stages : Stages
        Weights of the mix.
    """

    evicted: FloatArray
    admitted: FloatArray
    completed: FloatArray
    wasted: FloatArray
    by_class: FloatArray
    start: FloatArray
    last: FloatArray
    memory: float
    cap: float
    recorded: bool
    stages: Stages = field(repr=False)

    @cached_property
    def y(self) -> FloatArray:
        """Mass at each age after each iteration, float64[steps+1, d]; row 0 is the start.

        The states are made when first asked for, by running again: most runs are long, and asked for totals only.
        With ``record="totals"`` there is one row, the last state.
        """
        if not self.recorded:
            return self.last[None, :]
        states = np.empty((self.steps + 1, self.stages.d))
        states[0] = self.start
        _advance(self.stages, self.memory, self.cap, self.start.copy(), self.steps, states)
        return states

    @property
    def V(self) -> FloatArray:
        """Tokens per unit of mass at each age, float64[d]."""
        return self.stages.V

    @property
    def alpha(self) -> FloatArray:
        """Requests per unit of mass at each age, float64[d]."""
        return self.stages.alpha

    def __iter__(self) -> Iterator[FloatArray]:
        return iter((self.y, self.evicted, self.admitted, self.completed))

    @property
    def steps(self) -> int:
        """Iterations of the run."""
        return len(self.evicted) - 1

    @property
    def used(self) -> FloatArray:
        """Tokens in memory after each iteration that ``y`` has, float64."""
        return self.y @ self.V

    def throughput(self, first: int = 1) -> float:
        """Return the mean completions per iteration over iterations ``first`` to the last."""
        return float(self._window(self.completed, first).mean())

    def evictions(self, first: int = 1) -> float:
        """Return the mean evicted requests per iteration over iterations ``first`` to the last."""
        return float(self._window(self.evicted, first).mean())

    def wasted_share(self, first: int = 1) -> float:
        """Return the share of memory-iterations from ``first`` on whose work was evicted then."""
        return float(self._window(self.wasted, first).mean()) / self.memory

    def _window(self, values: FloatArray, first: int) -> FloatArray:
        if not 1 <= first <= self.steps:
            raise BadParameter(f"first is {first}: give an iteration from 1 to {self.steps}")
        return values[first:]


def simulate(
    prompt: Any,
    decode: Any,
    memory: float,
    steps: int,
    *,
    shares: Any = None,
    start: Any = None,
    cap: float = math.inf,
    record: str = "states",
) -> Trajectory:
    """Run the congestion dynamics of a saturated worker.

    Each iteration: the mass at every age moves on, what reaches its decode length completes; if memory is above M,
    the youngest are evicted until it fits, and nothing is admitted; otherwise memory is filled with new requests.

    Parameters
    ----------
    prompt : float or float[K]
        Input l0, tokens.
    decode : int or int[K]
        Decode length l1 of each class, >= 1.
    memory : float
        M, tokens.
    steps : int
        Iterations.
    shares : float[K], optional
        Share of each class among the admitted, sum 1; default: equal.
    start : float[d], optional
        Mass at each age; default: an empty worker that infinite backlog has just filled, ``(M / V[0], 0, ..., 0)``
        whatever the cap. Zeros: an empty worker that admits in the first iteration.
    cap : float, optional
        Most requests admitted in one iteration; the start is not an iteration.
    record : {"states", "totals"}
        Whether the run's ``y`` gives every state (made when asked for) or the last only.

    Returns
    -------
    Trajectory

    Raises
    ------
    BadParameter
        One line: a value without meaning, or states that would not fit into the machine's memory.

    Notes
    -----
    Exact for any number of classes: class k holds ``p_k y_j`` at age j (arXiv 2606.15555; infinite backlog, divisible
    requests). An overflow of 1e-12 M counts as none. A start above M is cut by the evictions of the first iteration.
    Requests longer than M are admitted all the same, as mass below one request.
    """
    classes = classes_of(prompt, decode, shares)
    return run(classes, memory, steps, start=start, cap=cap, record=record)


def run(
    classes: Classes,
    memory: float,
    steps: int,
    *,
    start: Any = None,
    cap: float = math.inf,
    record: str = "states",
) -> Trajectory:
    """Run checked classes; parameters as `simulate`."""
    stages = stages_of(classes)
    tokens = memory_of(memory)
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise BadParameter(f"steps is {steps!r}: give a whole number of iterations >= 0")
    if isinstance(cap, bool) or not isinstance(cap, (int, float, np.number)) or not cap >= 0:
        raise BadParameter(f"cap is {cap!r}: give requests per iteration >= 0")
    if record not in ("states", "totals"):
        raise BadParameter(f"record is {record!r}: give 'states' or 'totals'")
    first = start_of(start, stages, tokens)
    rows = int(steps) + 1
    if record == "states" and rows * stages.d * 8 > STATES_GIB * 2**30:
        raise BadParameter(
            f"{rows:,} states of {stages.d:,} stages take {rows * stages.d * 8 / 2**30:.0f} GiB: use record='totals'"
        )
    totals, passed, last = _advance(stages, tokens, float(cap), first, int(steps), np.empty((0, stages.d)))
    by_class = np.zeros(classes.given)
    by_class[classes.index] = classes.share * passed[np.searchsorted(stages.length, classes.decode)]
    first.flags.writeable = last.flags.writeable = False
    return Trajectory(
        evicted=totals[0],
        admitted=totals[1],
        completed=totals[2],
        wasted=totals[3],
        by_class=by_class,
        start=first,
        last=last,
        memory=tokens,
        cap=float(cap),
        recorded=record == "states",
        stages=stages,
    )


def _advance(
    stages: Stages, memory: float, cap: float, start: FloatArray, steps: int, states: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Run; return evicted, admitted, completed, wasted (float64[4, steps+1]), mass at each length, and last state."""
    totals = np.zeros((4, steps + 1))
    passed = np.zeros(len(stages.length))
    weights = stages.V, stages.alpha, stages.spent, stages.length, stages.ending
    last = advance(*weights, memory, cap, start, states, *totals, passed)
    return totals, passed, last


def start_of(start: Any, stages: Stages, memory: float) -> FloatArray:
    """Return the state that a run starts from, checked, float64[d]."""
    if start is None:
        first = np.zeros(stages.d)
        first[0] = memory / stages.V[0]
        return first
    try:
        first = np.array(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadParameter(f"start is {start!r}: give the mass at each age") from None
    if first.shape != (stages.d,):
        raise BadParameter(f"start has shape {first.shape}: give one mass for each of the {stages.d} ages")
    if not (np.isfinite(first).all() and (first >= 0).all()):
        s = int(np.argmin(np.isfinite(first) & (first >= 0)))
        raise BadParameter(f"start at age {s} is {first[s]:g}: give masses >= 0")
    return first
