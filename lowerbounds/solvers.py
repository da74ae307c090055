"""The integer program, put to one solver or two."""

from __future__ import annotations

from kvratio.problem.errors import BadParameter, SolverError
from lowerbounds import dual, lp, milp
from lowerbounds.closed_form import best_closed_form
from lowerbounds.decode import list_orders
from lowerbounds.horizon import latest_completions
from lowerbounds.interval import Evidence
from lowerbounds.program import TimeIndexed, build, count_nonzeros, keep
from lowerbounds.relaxed import solve_lp, tried


def integer_program(
    evidence: Evidence,
    solver: str = "highs",
    max_nonzeros: int = milp.MAX_NONZEROS,
    nodes: int | None = None,
    fix_prices: bool = True,
) -> None:
    """Integer program by one solver or two, with the incumbent as warm start."""
    if solver not in (*milp.SOLVERS, "both"):
        raise BadParameter(f"solver is {solver!r}: choose highs, cbc or both")
    if evidence.incumbent.starts is None:
        list_orders(evidence.incumbent, evidence.deadline)
    # Time-limited answers still need a lower side that holds.
    evidence.prove_closed_form(best_closed_form(evidence.inst))
    relaxed = None
    if fix_prices and evidence.left > 0 and not evidence.closed:
        makespan = int((evidence.incumbent.starts + evidence.inst.output).max())  # type: ignore[operator]
        if lp.affordable(evidence.classes, makespan + lp.MARGIN, max_nonzeros):
            relaxed = tried(lambda: solve_lp(evidence, max_nonzeros=max_nonzeros))
    ask_solvers(evidence, relaxed, solver, max_nonzeros, nodes)


def _program(evidence: Evidence, relaxed: dual.DualValue | None, max_nonzeros: int) -> TimeIndexed:
    """Return the integer program with safe windows (T1 to T3, and T4 where prices are known)."""
    assert evidence.upper is not None
    latest = latest_completions(evidence.inst, evidence.upper)
    entries = count_nonzeros(evidence.classes, latest)
    if entries > max_nonzeros:
        raise SolverError(
            f"the program has {entries} entries, more than {max_nonzeros}: use method 'lagrangian' or 'best'"
        )
    if int(latest.max()) > milp.MAX_ROUNDS:
        raise SolverError(f"the program has {int(latest.max())} rounds, more than {milp.MAX_ROUNDS}: use 'best'")
    program = build(evidence.classes, latest)
    if relaxed is not None:
        useful = dual.keeps_optimum(program.classes, relaxed, program.cls, program.start, evidence.upper)
        program = keep(program, useful)
    return program


def ask_solvers(
    evidence: Evidence, relaxed: dual.DualValue | None, solver: str, max_nonzeros: int, nodes: int | None
) -> None:
    """Put the program to each solver in turn, with shares of the time, until a certificate settles it."""
    names = milp.SOLVERS if solver == "both" else (solver,)
    for k, name in enumerate(names):
        # Where a certificate already meets a schedule there is nothing left to ask.
        if evidence.left <= 0 or evidence.settled:
            return
        program = _program(evidence, relaxed, max_nonzeros)
        seconds = evidence.left / (len(names) - k)
        answer = milp.solve(evidence.inst, program, name, seconds, evidence.incumbent.starts, nodes)
        if answer.status == "infeasible":
            raise SolverError(f"{name} calls a program infeasible that contains an optimum: use another solver")
        if answer.starts is not None and answer.cost is not None:
            evidence.incumbent.offer(answer.cost, answer.starts)
        if answer.lower is not None:
            evidence.hear(answer.lower, answer.word(program))
