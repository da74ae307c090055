"""The time-indexed integer program through PuLP, with HiGHS or CBC: the textbook reference.

A solver's word is not a proof. Its status, its own best bound and its starts are read separately; starts are rounded
and rechecked in integers; gaps are set to zero; each run has its own folder (docs/bounds.md lists the traps).
"""

from __future__ import annotations

import math
import re
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kvratio.problem import Instance, Schedule, check
from kvratio.problem.errors import BadParameter, InfeasibleSchedule, SolverError
from lowerbounds.program import TimeIndexed, spread

IntArray = npt.NDArray[np.int64]

SOLVERS = ("highs", "cbc")
#: entries of the memory rows above which a program is not even written down: time limits do not cover that
MAX_NONZEROS = 1_000_000
#: one row per round, so their number is limited too
MAX_ROUNDS = 1_000_000
#: a solver's bound may exceed the truth by this much through rounding, or by this share of it
TOLERANCE, RELATIVE = 1e-6, 1e-9
#: CBC crashes when stopped before it has begun
CBC_LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Answer:
    """What a solver said, and what of it survived the recheck.

    Attributes
    ----------
    status : {"optimal", "feasible", "infeasible", "stopped"}
        ``optimal`` only if the solver's status and its bound both say so.
    bound : float or None
        The solver's own best bound; None if it gave none.
    starts : int64[n] or None
        Rechecked in integers.
    cost : int or None
        Total completion time of ``starts``.
    """

    solver: str
    version: str
    status: str
    bound: float | None
    starts: IntArray | None
    cost: int | None
    seconds: float
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def lower(self) -> int | None:
        """Least integer not below the solver's bound, less its tolerance."""
        return None if self.bound is None else _rounded_up(self.bound)

    def word(self, program: TimeIndexed) -> dict[str, Any]:
        """Return who said what about which program, for a ``solver`` certificate. It is NOT a proof."""
        return {
            "solver": self.solver,
            "version": self.version,
            "options": self.options,
            "program": program.digest,
            "status": self.status,
            "bound": self.bound,
            "cost": self.cost,
        }


def _rounded_up(bound: float) -> int:
    return math.ceil(bound - max(TOLERANCE, RELATIVE * abs(bound)))


def solve(
    inst: Instance,
    program: TimeIndexed,
    solver: str = "highs",
    time_limit: float = 60.0,
    warm: IntArray | None = None,
    nodes: int | None = None,
) -> Answer:
    """Solve a time-indexed program of an instance.

    Parameters
    ----------
    inst : Instance
    program : TimeIndexed
        Built from ``classes.group(inst)``.
    solver : {"highs", "cbc"}
    time_limit : float
        Seconds, writing the program included.
    warm : int64[n], optional
        Starts of a feasible schedule; ignored where a start lies outside its window.
    nodes : int, optional
        Limit on branching nodes: with it, and a generous time limit, answers repeat.

    Raises
    ------
    BadParameter
        For an unknown solver.
    SolverError
        When the program is too large, or the solver failed.
    """
    if solver not in SOLVERS:
        raise BadParameter(f"solver is {solver!r}: choose highs, cbc or both")
    if program.nonzeros > MAX_NONZEROS:
        raise SolverError(
            f"the program has {program.nonzeros} entries, more than {MAX_NONZEROS}: use method 'lagrangian' or 'best'"
        )
    began = time.monotonic()
    with warnings.catch_warnings():
        # PuLP 3 warns of names that PuLP 4 will change; those that replace them do not exist in PuLP 2.
        warnings.simplefilter("ignore", DeprecationWarning)
        problem, variables = _write(program)
        if warm is not None:
            _set_start(program, variables, warm)
        left = max(0.01, time_limit - (time.monotonic() - began))
        run = _run_highs if solver == "highs" else _run_cbc
        status, bound, version, options = run(problem, left, warm is not None, nodes)
    starts = None
    if status in ("optimal", "feasible"):
        starts = _recheck(inst, program, [variable.varValue for variable in variables], solver)
    cost = None if starts is None else int((starts + inst.output).sum())
    if status == "optimal" and (bound is None or cost is None or _rounded_up(bound) < cost):
        status = "feasible" if cost is not None else "stopped"
    if bound is not None and cost is not None and bound > cost + 0.5:
        raise SolverError(f"{solver} claims a bound of {bound} above its own schedule's cost {cost}")
    return Answer(solver, version, status, bound, starts, cost, time.monotonic() - began, options)


def _write(program: TimeIndexed) -> tuple[Any, list[Any]]:
    """Return the PuLP problem and its variables in the program's order."""
    import pulp

    problem = pulp.LpProblem("time_indexed", pulp.LpMinimize)
    variables = [
        pulp.LpVariable(f"x_{c}_{t}", 0, box, pulp.LpInteger)
        for c, t, box in zip(program.cls.tolist(), program.start.tolist(), program.box.tolist(), strict=True)
    ]
    problem.setObjective(pulp.LpAffineExpression(zip(variables, program.cost.tolist(), strict=True)))
    ends = np.searchsorted(program.cls, np.arange(len(program.classes) + 1))
    for c, count in enumerate(program.classes.count.tolist()):
        members = [(variable, 1) for variable in variables[ends[c] : ends[c + 1]]]
        problem.addConstraint(pulp.LpAffineExpression(members) == count, f"all_of_{c}")
    rows = program.memory_rows()
    memory = program.classes.memory
    for r in range(program.rounds):
        low, high = rows.indptr[r], rows.indptr[r + 1]
        entries = zip(rows.indices[low:high].tolist(), rows.data[low:high].tolist(), strict=True)
        terms = pulp.LpAffineExpression([(variables[k], int(value)) for k, value in entries])
        if high > low:
            problem.addConstraint(terms <= memory, f"round_{r + 1}")
    return problem, variables


def _set_start(program: TimeIndexed, variables: list[Any], warm: IntArray) -> None:
    keys = {key: k for k, key in enumerate(zip(program.cls.tolist(), program.start.tolist(), strict=True))}
    values = [0] * len(variables)
    for c, t in zip(program.classes.of.tolist(), warm.tolist(), strict=True):
        if (c, t) in keys:
            values[keys[c, t]] += 1
    for variable, value in zip(variables, values, strict=True):
        variable.setInitialValue(value, check=False)


def _run_highs(
    problem: Any, seconds: float, warm: bool, nodes: int | None
) -> tuple[str, float | None, str, dict[str, Any]]:
    import highspy
    import pulp

    class WarmHighs(pulp.HiGHS):
        """HiGHS that is told the variables' initial values, which PuLP's own interface does not do."""

        def callSolver(self, lp: Any) -> None:
            if warm:
                values = np.array([variable.varValue or 0.0 for variable in lp.variables()], dtype=np.float64)
                lp.solverModel.setSolution(len(values), np.arange(len(values), dtype=np.int32), values)
            lp.solverModel.run()

        def findSolutionValues(self, lp: Any) -> tuple[int, int]:
            try:
                return super().findSolutionValues(lp)
            except KeyError:  # stopped at a node limit, a state that PuLP does not list; values are set by then
                return pulp.LpStatusOptimal, pulp.LpSolutionIntegerFeasible

    # Recorded with the answer; the time left is not, since it differs from run to run.
    options: dict[str, Any] = {"gapRel": 0.0, "gapAbs": 0.0, "threads": 1}
    if nodes is not None:
        options["mip_max_nodes"] = nodes
    solver = WarmHighs(msg=False, timeLimit=seconds, **options)
    problem.solve(solver)
    model = problem.solverModel
    version = f"{model.version()}, PuLP {pulp.__version__}, highspy"
    state = model.getModelStatus()
    info = model.getInfo()
    bound = float(info.mip_dual_bound)
    known = math.isfinite(bound) and abs(bound) < highspy.kHighsInf
    status = "stopped"
    if state == highspy.HighsModelStatus.kInfeasible:
        return "infeasible", None, version, options
    if problem.sol_status == pulp.LpSolutionOptimal and state == highspy.HighsModelStatus.kOptimal:
        status = "optimal"
    elif info.primal_solution_status == 2:  # a feasible point, by HiGHS's own numbering
        status = "feasible"
    return status, bound if known else None, version, options


#: how CBC prints its bound, which PuLP does not pass on
_CBC_STOPPED = re.compile(r"^Lower bound:\s+(\S+)", re.MULTILINE)
_CBC_PROVED = re.compile(r"Result - Optimal solution found\s+Objective value:\s+(\S+)")
_CBC_VERSION = re.compile(r"^Version:\s+(\S+)", re.MULTILINE)


def _run_cbc(
    problem: Any, seconds: float, warm: bool, nodes: int | None
) -> tuple[str, float | None, str, dict[str, Any]]:
    import pulp

    options: dict[str, Any] = {"gapRel": 0.0, "gapAbs": 0.0, "threads": 1}
    if nodes is not None:
        options["maxNodes"] = nodes
    # A folder of its own: a killed CBC leaves files that a later run could take for its answer.
    with tempfile.TemporaryDirectory(prefix="kvratio-cbc-") as folder:
        log = Path(folder) / "cbc.log"
        limit = max(seconds, CBC_LEAST_SECONDS)
        solver = pulp.PULP_CBC_CMD(msg=False, warmStart=warm, logPath=str(log), timeLimit=limit, **options)
        if not solver.available():
            raise SolverError("CBC is not available: install pulp with its CBC, or use solver='highs'")
        solver.tmpDir = folder
        try:
            problem.solve(solver)
        except pulp.PulpSolverError as fault:
            raise SolverError(f"CBC failed ({fault}): use solver='highs'") from fault
        text = log.read_text()
    found = _CBC_VERSION.search(text)
    version = f"{found.group(1) if found else 'unknown'}, PuLP {pulp.__version__}"
    proved, stopped = _CBC_PROVED.search(text), _CBC_STOPPED.search(text)
    if problem.status == pulp.LpStatusInfeasible:
        return "infeasible", None, version, options
    if problem.sol_status == pulp.LpSolutionOptimal and proved:
        return "optimal", float(proved.group(1)), version, options
    status = "feasible" if problem.sol_status == pulp.LpSolutionIntegerFeasible else "stopped"
    return status, float(stopped.group(1)) if stopped else None, version, options


def _recheck(inst: Instance, program: TimeIndexed, values: list[float | None], solver: str) -> IntArray | None:
    """Round a solution, expand it to starts and check memory and arrivals in integers; None if it fails.

    An answer that a solver calls feasible may not be: its tolerances are about 1e-6 per row.
    """
    counts = np.rint(np.array([value or 0.0 for value in values])).astype(np.int64)
    per_class = np.bincount(program.cls, weights=counts, minlength=len(program.classes)).astype(np.int64)
    if (counts < 0).any() or not np.array_equal(per_class, program.classes.count):
        return None
    starts = spread(program, counts)
    try:
        check(inst, Schedule.from_starts(inst, starts, policy=solver))
    except InfeasibleSchedule:
        return None
    return starts
