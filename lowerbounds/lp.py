"""The LP relaxation of the time-indexed program, and the exact dual certificate made from its memory duals."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance
from kvratio.problem.errors import BadParameter, SolverError
from lowerbounds import dual
from lowerbounds.classes import Classes, group
from lowerbounds.program import TimeIndexed, build, count_nonzeros

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: entries of the memory rows above which no LP is tried
MAX_NONZEROS = 3_000_000
#: rounds added beyond the makespan of a good schedule in the first attempt
MARGIN = 25


class OutOfTime(SolverError):
    """The LP solver reached its time limit."""


class LinearSolution(NamedTuple):
    """A solved relaxation. ``value`` is the solver's float and never a bound; ``prices`` come from the memory rows."""

    program: TimeIndexed
    value: float
    x: FloatArray
    prices: FloatArray


def solver_version() -> str:
    """Return the name and version of the LP solver, for the record."""
    import scipy

    return f"HiGHS in scipy {scipy.__version__}"


def solve(classes: Classes, horizon: int, box: bool = False, time_limit: float | None = None) -> LinearSolution:
    """Solve the relaxation in which every request completes by ``horizon``.

    Parameters
    ----------
    classes : Classes
    horizon : int
        Latest completion, in rounds.
    box : bool
        Add x[c, t] <= floor(M / peak); only meaningful for classes of identical requests.
    time_limit : float, optional
        Seconds for the solver.

    Raises
    ------
    OutOfTime
        When the time limit came first.
    SolverError
        When the solver stops without an optimum for another reason (infeasible horizon).
    """
    import scipy.optimize

    linprog: Any = scipy.optimize.linprog
    program = build(classes, np.full(len(classes), horizon, np.int64))
    if (np.bincount(program.cls, minlength=len(classes)) == 0).any():
        raise SolverError(f"horizon {horizon} leaves some request no start: give a larger one")
    upper = program.box.astype(np.float64) if box else np.full(len(program.cls), np.inf)
    options: dict[str, Any] = {"presolve": True}
    if time_limit is not None:
        options["time_limit"] = max(time_limit, 1e-3)
    answer = linprog(
        program.cost.astype(np.float64),
        A_ub=program.memory_rows(),
        b_ub=np.full(program.rounds, float(classes.memory)),
        A_eq=program.assignment_rows(),
        b_eq=classes.count.astype(np.float64),
        bounds=np.column_stack([np.zeros(len(upper)), upper]),
        method="highs",
        options=options,
    )
    if answer.status == 1:
        raise OutOfTime(f"the LP with horizon {horizon} was not solved in time: raise time_limit or use 'lagrangian'")
    if answer.status != 0:
        raise SolverError(f"the LP with horizon {horizon} was not solved ({answer.message.strip()})")
    return LinearSolution(program, float(answer.fun), answer.x, np.maximum(0.0, -answer.ineqlin.marginals))


def solve_to_the_end(
    classes: Classes, makespan: int, box: bool = False, time_limit: float | None = None
) -> tuple[LinearSolution, dual.DualValue]:
    """Solve the relaxation and evaluate its prices, lengthening the horizon until it no longer binds.

    A horizon that is too short shows as prices whose exact value is below the LP's: the dual has no horizon.

    Returns
    -------
    LinearSolution, DualValue
        The dual value is the bound.
    """
    serial = int(classes.arrival.max()) + int((classes.output * classes.count).sum())
    horizon = min(serial, makespan + MARGIN)
    deadline = None if time_limit is None else time.monotonic() + time_limit
    while True:
        solution = solve(classes, horizon, box, None if deadline is None else deadline - time.monotonic())
        prices = dual.integer_prices(solution.prices, classes)
        value = (dual.evaluate_box if box else dual.evaluate)(classes, prices)
        if horizon >= serial or value.value >= solution.value - 1e-4 * max(1.0, abs(solution.value)):
            return solution, value
        horizon = min(serial, horizon + horizon // 2)


def alpha_points(solution: LinearSolution, alpha: float) -> IntArray:
    """Return when the LP has started a share ``alpha`` of each request, int64[n]; the k-th of a class after k - 1.

    List scheduling in this order is the classical rounding of time-indexed LPs.
    """
    program, classes = solution.program, solution.program.classes
    started = np.cumsum(np.maximum(solution.x, 0.0))
    ends = np.searchsorted(program.cls, np.arange(len(classes) + 1))
    before = np.concatenate(([0.0], started))[ends[:-1]]
    members = np.argsort(classes.of, kind="stable")
    heads = np.cumsum(classes.count) - classes.count
    rank = np.arange(len(members)) - np.repeat(heads, classes.count)
    of = classes.of[members]
    place = np.searchsorted(started, before[of] + rank + alpha)
    points = np.empty(len(members), np.int64)
    points[members] = program.start[np.minimum(place, ends[of + 1] - 1)]
    return points


def affordable(classes: Classes, horizon: int, max_nonzeros: int = MAX_NONZEROS) -> bool:
    """Whether the program with this horizon is small enough to try."""
    entries = count_nonzeros(classes, np.full(len(classes), horizon, np.int64))
    return max(entries, horizon) <= max_nonzeros


def starts_lp(inst: Instance, horizon: int) -> FloatArray:
    """Return the mean start sum_t t x[i, t] of each request in an optimal LP solution, float64[n].

    Identical requests share the mean of their class. The optimal vertex is the solver's choice: record
    `solver_version` beside anything that depends on these keys ("sorted_lp", arXiv 2508.06133).

    Parameters
    ----------
    inst : Instance
    horizon : int
        Latest completion, e.g. the makespan of a schedule.

    Raises
    ------
    BadParameter
        When the program is too large.
    SolverError
        When no fractional schedule ends by ``horizon``.
    """
    classes = group(inst)
    if not affordable(classes, horizon):
        raise BadParameter(
            f"the LP of {inst.n} requests with horizon {horizon} has more than {MAX_NONZEROS} entries: "
            "use a smaller batch or an order without an LP"
        )
    solution = solve(classes, horizon)
    program = solution.program
    total = np.bincount(program.cls, weights=program.start * solution.x, minlength=len(classes))
    return (total / classes.count)[classes.of]
