"""The methods of `bound`, and `best`, which chooses among them by size and merges what they find."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kvratio.problem import Bound, Instance, Schedule
from kvratio.problem.bound import OBJECTIVES
from kvratio.problem.errors import BadParameter, SolverError, UnknownName
from lowerbounds import dual, lp, milp, prices
from lowerbounds.ascent import ascend
from lowerbounds.brute import LIMIT, MAX_TOTAL_OUTPUT, brute_force
from lowerbounds.closed_form import best_closed_form, closed_form
from lowerbounds.decode import ORDER_WORK, improve_order, list_orders, perturb_starts
from lowerbounds.exact.driver import MOST_REQUESTS, search
from lowerbounds.horizon import latest_completions
from lowerbounds.interval import Evidence
from lowerbounds.keys import search_keys
from lowerbounds.program import TimeIndexed, build, count_nonzeros, keep
from lowerbounds.rolling import improve_windows

#: largest number of rounds for which prices are kept, one per round
MAX_ROUNDS = 20_000_000
#: largest number of requests whose order is improved move by move, and whose prices are improved step by step
SMALL = 3000
#: in `best`, LPs and integer programs of at most this many entries are tried
BEST_NONZEROS = 400_000
#: placements of the search for schedules, per request, up to ORDER_WORK in all
WORK_PER_REQUEST = 20_000
#: memory of the backward search's labels, in MB
LABEL_MEMORY_MB = 4000
#: perturbations of the volume order that come before all else on large instances
FIRST_TRIALS = 3
#: requests from which on windows in time are searched before moves in the order
WINDOWS_LEAST = 100
#: placements per request from which on windows in time are searched
WINDOWS_FROM = 64
#: shares of the search for schedules given to keys, and to noise, before windows in time
FIRST_SHARE = 0.1
#: decodings with noise at most, where time limits them
PERTURB_MOST = 10_000
#: share of the time left that the search leaves for what comes after it
RESERVE = 0.03
#: steps of the price ascent
ASCENT_STEPS = 300


def _schedules(evidence: Evidence, work: int | None = None) -> None:
    """Look for schedules: list orders, then moves in the order (small) or a little noise on the starts (large)."""
    incumbent, n = evidence.incumbent, evidence.inst.n
    stop = time.monotonic() + evidence.left / 4
    if _varied(evidence):
        # Volume order and a little noise come first: on large instances the other orders rarely win. Noise does
        # nothing for many copies of few requests; those need pacing, the last of the list orders.
        incumbent.try_order(np.argsort(evidence.inst.volume, kind="stable"))
        perturb_starts(incumbent, evidence.seed, stop, FIRST_TRIALS * n)
    list_orders(incumbent, stop)
    if _varied(evidence):
        return
    work = min(ORDER_WORK, WORK_PER_REQUEST * n) if work is None else work
    if n > SMALL:
        perturb_starts(incumbent, evidence.seed + 1, stop, work)
        return
    if n >= WINDOWS_LEAST and _mixed(evidence) and work >= WINDOWS_FROM * n:
        improve_windows(incumbent, evidence.seed, stop, work // 2)
        work -= work // 2
    improve_order(incumbent, evidence.seed + 1, stop, work)


def _mixed(evidence: Evidence) -> bool:
    """Whether most requests differ."""
    return len(evidence.classes) > evidence.inst.n // 10


def _varied(evidence: Evidence) -> bool:
    """Whether the instance is large and most requests differ: then `_refine` finds the better schedules."""
    return evidence.inst.n > SMALL and _mixed(evidence)


def _refine(evidence: Evidence, work: int | None, progress: Callable[[float, int], None] | None) -> None:
    """Improve the schedules of large varied instances by keys, noise and windows in time, until time or work ends."""
    if not _varied(evidence) or evidence.closed or evidence.left <= 0:
        return
    incumbent, n, seed = evidence.incumbent, evidence.inst.n, evidence.seed
    if work is not None and work < WINDOWS_FROM * n:
        perturb_starts(incumbent, seed + 1, evidence.deadline, work)
        return
    # What follows needs a little time to check and to write down the schedule.
    stop = evidence.deadline - RESERVE * evidence.left
    left = max(0.0, stop - time.monotonic())
    if work is None:
        # Each search gets its share of the time.
        first, second = (time.monotonic() + k * FIRST_SHARE * left for k in (1, 2))
        search_keys(incumbent, seed, first)
        perturb_starts(incumbent, seed + 1, second, PERTURB_MOST * n)
        improve_windows(incumbent, seed, stop, progress=progress)
    else:
        part = int(FIRST_SHARE * work)
        search_keys(incumbent, seed, stop, part)
        perturb_starts(incumbent, seed + 1, stop, part)
        improve_windows(incumbent, seed, stop, work - 2 * part, progress=progress)


def _work_of(work: int | None, work_limit: int | None) -> int | None:
    """Return the limit on placements: ``work`` is the older name of ``work_limit``."""
    if work is not None and work_limit is not None:
        raise BadParameter("work and work_limit are the same option: give one of them")
    limit = work if work_limit is None else work_limit
    if limit is not None and limit < 0:
        raise BadParameter(f"work_limit is {limit}: give a number of placements >= 0")
    return limit


def _closed(name: str) -> Callable[..., None]:
    def run(evidence: Evidence) -> None:
        evidence.prove_closed_form(closed_form(evidence.inst, name))

    return run


def _mean_busy_time(evidence: Evidence) -> None:
    for name in ("LB2r",) if evidence.inst.is_batch else ("LB2r", "LB4r"):
        evidence.prove_closed_form(closed_form(evidence.inst, name))


def _brute(evidence: Evidence, limit: int = LIMIT) -> None:
    cost, starts = brute_force(evidence.inst, limit, evidence.left)
    evidence.incumbent.offer(cost, starts)
    word = {
        "solver": "brute force",
        "version": "1",
        "options": {"limit": limit},
        "program": "",
        "status": "optimal",
        "bound": cost,
        "cost": cost,
    }
    evidence.hear(cost, word)


def _lagrangian(
    evidence: Evidence,
    iterations: int | None = None,
    work: int | None = None,
    work_limit: int | None = None,
    progress: Callable[[float, int], None] | None = None,
) -> None:
    """Closed-form prices, evaluated exactly, with steps of ascent for small instances; then schedules."""
    limit = _work_of(work, work_limit)
    _schedules(evidence, evidence.inst.n if limit is None else limit)
    _prices(evidence, iterations)
    _refine(evidence, limit, progress)


def _prices(evidence: Evidence, iterations: int | None = None) -> None:
    """Prove the dual value of closed-form prices, improved by ascent where the instance is small."""
    inst = evidence.inst
    rounds = int(inst.arrival.max()) + int(inst.volume.sum()) // inst.memory + 2
    if rounds > MAX_ROUNDS:
        raise BadParameter(
            f"prices would need {rounds} rounds, more than {MAX_ROUNDS}: use coarser rounds or a closed form"
        )
    starts_from = [prices.batch_prices] if inst.is_batch else [prices.potential_prices, prices.released_prices]
    found = []
    for make in starts_from:
        rates = make(inst)
        value = dual.evaluate(evidence.classes, dual.integer_prices(rates, evidence.classes))
        found.append((value.lower, value, rates))
        if evidence.left == 0.0:
            break
    _, value, rates = max(found, key=lambda entry: entry[0])
    evidence.incumbent.try_order(np.argsort(value.best_start[evidence.classes.of], kind="stable"))
    if iterations is None:
        iterations = ASCENT_STEPS if inst.n <= SMALL else 0
    if iterations and evidence.upper is not None:
        value = max(
            value, ascend(evidence.classes, rates, evidence.upper, iterations, evidence.deadline), key=lambda v: v.lower
        )
    evidence.prove(value.lower, value.certificate())


def _lp(evidence: Evidence, box: bool = True, max_nonzeros: int = lp.MAX_NONZEROS) -> dual.DualValue:
    """LP relaxation; its prices become the certificate. Returns the dual value without the box, for price fixing."""
    if evidence.incumbent.starts is None:
        list_orders(evidence.incumbent, evidence.deadline)
    assert evidence.incumbent.starts is not None
    classes = evidence.classes
    makespan = int((evidence.incumbent.starts + evidence.inst.output).max())
    if not lp.affordable(classes, makespan + lp.MARGIN, max_nonzeros):
        raise SolverError(
            f"the LP of {len(classes)} classes has more than {max_nonzeros} entries: use method 'lagrangian' or 'best'"
        )
    # The box says something only where a class has more members than can start together.
    box = box and bool((classes.box < classes.count).any())
    solution, value = lp.solve_to_the_end(classes, makespan, box, evidence.left)
    evidence.prove(value.lower, value.certificate("lp", solver=lp.solver_version()))
    program = solution.program
    share = np.bincount(program.cls, weights=program.start * solution.x, minlength=len(classes)) / classes.count
    evidence.incumbent.try_order(np.lexsort((evidence.inst.volume, share[classes.of])))
    return dual.evaluate(classes, value.prices) if box else value


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


def _milp(
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
            relaxed = _tried(lambda: _lp(evidence, max_nonzeros=max_nonzeros))
    _ask_solvers(evidence, relaxed, solver, max_nonzeros, nodes)


def _ask_solvers(
    evidence: Evidence, relaxed: dual.DualValue | None, solver: str, max_nonzeros: int, nodes: int | None
) -> None:
    names = milp.SOLVERS if solver == "both" else (solver,)
    for k, name in enumerate(names):
        # Where a certificate already meets a schedule there is nothing left to ask.
        proved = evidence.certified is not None and evidence.certified[0] == evidence.upper
        if evidence.left <= 0 or proved:
            return
        program = _program(evidence, relaxed, max_nonzeros)
        seconds = evidence.left / (len(names) - k)
        answer = milp.solve(evidence.inst, program, name, seconds, evidence.incumbent.starts, nodes)
        if answer.starts is not None and answer.cost is not None:
            evidence.incumbent.offer(answer.cost, answer.starts)
        if answer.lower is not None:
            evidence.hear(answer.lower, answer.word(program))


def _tried(step: Callable[[], dual.DualValue]) -> dual.DualValue | None:
    """Return a relaxation's value, or None when its solver gave up: it only strengthens what follows."""
    try:
        return step()
    except SolverError:
        return None


def _exact(
    evidence: Evidence, limit: int = LIMIT, work_limit: int | None = None, memory_mb: int = LABEL_MEMORY_MB
) -> None:
    """Brute force for tiny instances, else the backward search; prices and schedules where that cannot go."""
    evidence.prove_closed_form(best_closed_form(evidence.inst))
    if _brute_can(evidence, limit):
        _brute(evidence, limit)
        return
    if evidence.inst.n > MOST_REQUESTS:
        _best(evidence, solver=None, work_limit=work_limit)
        return
    _search_labels(evidence, work_limit, memory_mb)


def _search_labels(evidence: Evidence, work_limit: int | None = None, memory_mb: int = LABEL_MEMORY_MB) -> None:
    """Backward search over labels; its lower bound is a search's word, as brute force's is."""
    known = evidence.incumbent.starts
    found = search(evidence.inst, "completion", evidence.left, work_limit, memory_mb, evidence.seed, upper=known)
    evidence.incumbent.offer(found.upper, found.starts)
    word = {
        "solver": "backward search",
        "version": "1",
        "options": {"work_limit": work_limit, "memory_mb": memory_mb},
        "program": "",
        "status": "optimal" if found.status == "optimal" else "feasible",
        "bound": found.lower,
        "cost": found.upper,
    }
    evidence.hear(found.lower, word)


def _brute_can(evidence: Evidence, limit: int) -> bool:
    return evidence.inst.n <= limit and int(evidence.inst.output.sum()) <= MAX_TOTAL_OUTPUT


def _best(
    evidence: Evidence,
    solver: str | None = "highs",
    nodes: int | None = None,
    work: int | None = None,
    work_limit: int | None = None,
    progress: Callable[[float, int], None] | None = None,
) -> None:
    """Schedules, closed forms, closed-form prices, LP, brute force, integer program: until both sides meet."""
    inst, limit = evidence.inst, _work_of(work, work_limit)
    _schedules(evidence, limit)
    evidence.prove_closed_form(best_closed_form(inst))
    rounds = int(inst.arrival.max()) + int(inst.volume.sum()) // inst.memory
    if not evidence.closed and evidence.left > 0 and rounds <= MAX_ROUNDS // 2:
        small = evidence.incumbent.starts is not None and inst.n <= SMALL and _lp_fits(evidence)
        _prices(evidence, iterations=0 if small else None)
    _refine(evidence, limit, progress)
    relaxed = None
    if not evidence.closed and evidence.left > 0 and _lp_fits(evidence):
        relaxed = _tried(lambda: _lp(evidence, max_nonzeros=BEST_NONZEROS))
    if not evidence.closed and evidence.left > 0 and _brute_can(evidence, LIMIT):
        # Out of work: what is known so far stands, and the integer program is next.
        with contextlib.suppress(SolverError):
            _brute(evidence)
    if not evidence.closed and evidence.left > 0 and solver is not None and inst.n <= MOST_REQUESTS:
        _search_labels(evidence)
    if not evidence.closed and evidence.left > 0 and solver is not None and relaxed is not None:
        # Too large or failed: the certified interval stands.
        with contextlib.suppress(SolverError):
            _ask_solvers(evidence, relaxed, solver, BEST_NONZEROS, nodes)


def _lp_fits(evidence: Evidence) -> bool:
    assert evidence.incumbent.starts is not None
    makespan = int((evidence.incumbent.starts + evidence.inst.output).max())
    return lp.affordable(evidence.classes, makespan + lp.MARGIN, BEST_NONZEROS)


#: what `bound` offers; those that need no upper side give none
METHODS: dict[str, Callable[..., Any]] = {
    "brute": _brute,
    "exact": _exact,
    "milp": _milp,
    "lp": _lp,
    "lagrangian": _lagrangian,
    "squashed_area": _closed("LB1*"),
    "mean_busy_time": _mean_busy_time,
    "srpt": _closed("LB3r"),
    "latency": _closed("LB0"),
    "best": _best,
}
_NEED_SCHEDULES = ("milp", "exact", "lp")


def bound(
    inst: Instance,
    method: str = "best",
    objective: str = "completion",
    time_limit: float = 60.0,
    seed: int = 0,
    schedules: Sequence[Schedule] = (),
    **options: Any,
) -> Bound:
    """Return an interval that contains the optimal total completion (or flow) time, with certificates.

    Parameters
    ----------
    inst : Instance
    method : str
        ``best`` chooses by size and merges. ``brute`` (n <= 8), ``exact`` (backward search, n <= 64; ``work_limit``,
        ``memory_mb``), ``milp`` (``solver="highs"|"cbc"|"both"``,
        ``nodes``), ``lp``, ``lagrangian`` (``iterations``) and the closed forms ``squashed_area`` (LB1*, arXiv
        2606.22327), ``mean_busy_time`` (LB2r, LB4r), ``srpt`` (LB3r), ``latency`` (LB0), which have no upper side.
    objective : {"completion", "flow"}
        Flow is completion minus the sum of arrivals: the same schedules are optimal.
    time_limit : float
        Seconds; 0 still gives a true interval. What takes long stops; nothing is guessed.
    seed : int
        For the search for schedules.
    schedules : sequence of Schedule
        The upper side is never above the cost of any of them. ``inst.witness`` is used as well.
    **options
        Of the method; see `METHODS`. ``best`` and ``lagrangian`` take ``work_limit`` (also called ``work``), the
        number of requests placed in the search for schedules: given, and with time to spare, equal calls give equal
        bounds; without it instances of more than 3000 requests are searched until the time limit. They also take
        ``progress``, called with the share of that search done and the least total completion time known.

    Returns
    -------
    Bound

    Raises
    ------
    UnknownName
        For an unknown method.
    BadParameter
        For an unknown objective, a negative time limit, an unknown option, or an instance beyond a method's limits.
    SolverError
        When a solver failed, or gave an answer that did not survive the recheck.
    """
    if method not in METHODS:
        raise UnknownName(f"bound method {method!r} is not known: choose one of {', '.join(METHODS)}")
    if objective not in OBJECTIVES:
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")
    if not time_limit >= 0:
        raise BadParameter(f"time_limit is {time_limit!r}: give seconds >= 0")
    run = METHODS[method]
    known = run.__code__.co_varnames[1 : run.__code__.co_argcount]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadParameter(f"method {method} has no option {unknown[0]!r}: it has {', '.join(known) or 'none'}")
    evidence = Evidence(inst, seed, time.monotonic() + time_limit)
    evidence.offer(schedules)
    if inst.witness is not None:
        evidence.offer([Schedule.from_starts(inst, inst.witness)])
    if method in _NEED_SCHEDULES:
        _schedules(evidence)
    run(evidence, **options)
    return evidence.bound(method, objective)
