"""The exact search: what it is asked, and what it answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter
from lowerbounds.exact.course import Course
from lowerbounds.exact.proof import describe
from lowerbounds.exact.weights import state_prices

IntArray = npt.NDArray[np.int64]

#: labels expanded in a second (a slow estimate): how long a search with a work limit is planned to take
LABELS_PER_SECOND = 50_000


@dataclass(frozen=True)
class SearchResult:
    """An interval that contains the optimum of the objective, and how it was found.

    Attributes
    ----------
    lower, upper : int
        For the objective asked for.
    starts : int64[n]
        A feasible schedule of cost ``upper``.
    status : {"optimal", "interval"}
    statistics : dict
        ``root`` (float bound of the prices), ``rows`` with a price, ``expanded`` labels, ``reason`` (why it stopped),
        ``passes`` (threshold, labels, end), ``seconds``
    proof : dict or None
        For n <= 16 and a proved lower bound: JSON-able prices that `replay.replay` checks.
    weights : dict or None
        The final prices per state and round, for a `profile` certificate.
    """

    lower: int
    upper: int
    starts: IntArray
    status: str
    statistics: dict[str, Any] = field(default_factory=dict)
    proof: dict[str, Any] | None = None
    weights: dict[str, Any] | None = None


def search(
    inst: Instance,
    objective: str = "completion",
    time_limit: float = 60.0,
    work_limit: int | None = None,
    memory_mb: int = 4000,
    seed: int = 0,
    upper: npt.ArrayLike | None = None,
    workers: int = 2,
    plan: float | None = None,
) -> SearchResult:
    """Find the optimum of an instance of up to 64 requests, or an interval; by prices alone up to 256 requests.

    Parameters
    ----------
    inst : Instance
        Batch or with arrivals. More than 256 requests, or very long ones, get closed-form bounds and list schedules.
    objective : {"completion", "flow"}
    time_limit : float
        Seconds. Where it ends the search, the result depends on the machine.
    work_limit : int, optional
        Labels to expand; results repeat to the byte where it ends the search.
    memory_mb : int
        Megabytes for labels.
    seed : int
        Of the order search behind the first upper bound.
    upper : array of int, shape (n,), optional
        Starts of a feasible schedule to begin with.
    workers : int
        Threads; more than two are not used. The result under a work limit does not depend on them.
    plan : float, optional
        Seconds that the steps of everything before the labels are planned for. Default: the time limit, or under a
        work limit the time that so many labels take.

    Returns
    -------
    SearchResult

    Raises
    ------
    BadParameter
        When the objective is unknown, a limit is negative, or ``upper`` is no feasible schedule.
    """
    if objective not in ("completion", "flow"):
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")
    for name, value in (("time_limit", time_limit), ("work_limit", work_limit or 0), ("memory_mb", memory_mb)):
        if not value >= 0:
            raise BadParameter(f"{name} is {value}: give a number >= 0")
    if workers < 1:
        raise BadParameter(f"workers is {workers}: give a number >= 1")
    began = time.monotonic()
    if plan is None and work_limit is not None:
        plan = work_limit / LABELS_PER_SECOND
    run = Course(inst, began, began + time_limit, work_limit, memory_mb << 20, seed, plan)
    if upper is not None:
        starts = _feasible(inst, upper)
        run.offer(int(starts.sum() + inst.output.sum()), starts)
    run.first_bounds()
    reason = None if run.done else run.too_large()
    if reason is None and not run.done:
        with ThreadPoolExecutor(1) if workers > 1 else nullcontext() as run.threads:
            run.go()
    return _conclude(run, objective, reason, time.monotonic() - began)


def _feasible(inst: Instance, starts: npt.ArrayLike) -> IntArray:
    """Return starts as int64[n] after checking arrivals and memory."""
    start = np.asarray(starts, dtype=np.int64)
    if start.shape != (inst.n,) or (start < inst.arrival).any():
        raise BadParameter(f"upper must hold {inst.n} starts, none before its arrival")
    # Memory is highest in rounds in which a request completes.
    for end in np.unique(start + inst.output).tolist():
        active = (start < end) & (start + inst.output >= end)
        if int((inst.prompt + end - start)[active].sum()) > inst.memory:
            raise BadParameter(f"upper is not feasible: more than {inst.memory} tokens in round {end}")
    return start


def _conclude(run: Course, objective: str, reason: str | None, seconds: float) -> SearchResult:
    shift = int(run.inst.arrival.sum()) if objective == "flow" else 0
    statistics = run.statistics | {
        "expanded": run.limits.expanded,
        "reason": "done" if run.done else (reason or run.limits.reached() or "memory"),
        "seconds": seconds,
    }
    proof = None
    if run.root is not None and run.jobs is not None:
        statistics["root"] = run.root.table.value / run.root.table.denominator
        statistics["rows"] = int((run.root.table.numerators > 0).sum())
        if run.recorded:
            proof = describe(run.jobs, run.root, run.lower)
    status = "optimal" if run.done else "interval"
    weights = None if run.root is None or run.jobs is None else state_prices(run.jobs, run.root.table)
    return SearchResult(run.lower - shift, run.upper - shift, run.starts, status, statistics, proof, weights)
