"""The methods of `bound`; `best` chooses among the others by size and merges what they find."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

from kvratio.problem import Bound, Instance, Schedule
from kvratio.problem.bound import OBJECTIVES
from kvratio.problem.errors import BadParameter, SolverError, UnknownName
from lowerbounds import milp
from lowerbounds.brute import LIMIT
from lowerbounds.closed_form import best_closed_form
from lowerbounds.complete import (
    LABEL_MEMORY_MB,
    PATIENT_REPLAY,
    brute,
    brute_can,
    search_can,
    search_labels,
)
from lowerbounds.exact_sums import exact_sum
from lowerbounds.interval import Evidence, Progress
from lowerbounds.own import OwnBound, own_bound, run_own
from lowerbounds.parts import run_in_parts
from lowerbounds.relaxed import (
    BEST_NONZEROS,
    MAX_ROUNDS,
    closed,
    lp_alone,
    lp_fits,
    mean_busy_time,
    prove_prices,
    solve_lp,
    tried,
)
from lowerbounds.solvers import ask_solvers, integer_program
from lowerbounds.upper import SMALL, find_schedules, refine, work_of

#: up to so many requests `best` searches until the optimum is proved, whatever the work limit
ALWAYS_PROVED = 16
#: seconds that the steps of such a search are planned for, whatever the clock says, where work is limited
SURE_PLAN = 5.0


def _lagrangian(
    evidence: Evidence,
    iterations: int | None = None,
    work: int | None = None,
    work_limit: int | None = None,
) -> None:
    """Closed-form prices, evaluated exactly, with steps of ascent for small instances; then schedules."""
    limit = work_of(work, work_limit)
    find_schedules(evidence, evidence.inst.n if limit is None else limit)
    prove_prices(evidence, iterations)
    refine(evidence, limit)


def exact(
    evidence: Evidence,
    limit: int = LIMIT,
    work_limit: int | None = None,
    memory_mb: int = LABEL_MEMORY_MB,
    replay_effort: float = PATIENT_REPLAY,
    workers: int = 2,
) -> None:
    """Brute force for tiny instances, else the backward search; prices and schedules where that cannot go."""
    evidence.prove_closed_form(best_closed_form(evidence.inst))
    if brute_can(evidence, limit):
        # Out of work: the search below needs no luck.
        with contextlib.suppress(SolverError):
            brute(evidence, limit)
        if evidence.settled:
            return
    if not search_can(evidence):
        _best(evidence, solver=None, work_limit=work_limit)
        return
    search_labels(evidence, work_limit, memory_mb, replay_effort, workers=workers)


def _best(
    evidence: Evidence,
    solver: str | None = "highs",
    nodes: int | None = None,
    work: int | None = None,
    work_limit: int | None = None,
) -> None:
    """Schedules, closed forms, prices, brute force, backward search, LP, integer program: until both sides meet."""
    inst, limit = evidence.inst, work_of(work, work_limit)
    if solver not in (None, *milp.SOLVERS, "both"):
        raise BadParameter(f"solver is {solver!r}: choose highs, cbc, both or None")
    find_schedules(evidence, limit)
    evidence.prove_closed_form(best_closed_form(inst))
    rounds = int(inst.arrival.max()) + int(inst.volume.sum()) // inst.memory
    searched = search_can(evidence)
    small = searched or (inst.n <= SMALL and lp_fits(evidence))
    if _open(evidence) and rounds <= MAX_ROUNDS // 2:
        prove_prices(evidence, iterations=0 if small else None)
    refine(evidence, limit)
    if _open(evidence) and brute_can(evidence, LIMIT):
        # Out of work: what is known so far stands, and the search is next.
        with contextlib.suppress(SolverError):
            brute(evidence)
    if not evidence.settled and evidence.left > 0 and searched:
        # Also where brute force has found the optimum: the search leaves a proof of it.
        labels = None if inst.n <= ALWAYS_PROVED else limit
        search_labels(evidence, labels, plan=None if limit is None or labels is not None else SURE_PLAN)
    relaxed = None
    if _open(evidence) and lp_fits(evidence):
        relaxed = tried(lambda: solve_lp(evidence, max_nonzeros=BEST_NONZEROS))
    if _open(evidence) and solver is not None and relaxed is not None:
        # Too large or failed: the certified interval stands.
        with contextlib.suppress(SolverError):
            ask_solvers(evidence, relaxed, solver, BEST_NONZEROS, nodes)


def _open(evidence: Evidence) -> bool:
    """Whether the sides are apart and there is time to do something about it."""
    return not evidence.closed and evidence.left > 0


#: what `bound` offers; those that need no upper side give none
METHODS: dict[str, Callable[..., Any]] = {
    "brute": brute,
    "exact": exact,
    "milp": integer_program,
    "lp": lp_alone,
    "lagrangian": _lagrangian,
    "squashed_area": closed("LB1*"),
    "mean_busy_time": mean_busy_time,
    "srpt": closed("LB3r"),
    "latency": closed("LB0"),
    "best": _best,
}
_NEED_SCHEDULES = ("milp", "exact", "lp")
#: closed forms, which long gaps between arrivals do not hinder
_WHOLE = ("squashed_area", "mean_busy_time", "srpt", "latency")


def _shifted(progress: Progress | None, inst: Instance, objective: str) -> Progress | None:
    """Return a callback that is told in total completion and tells in the objective asked for."""
    if progress is None or objective == "completion":
        return progress
    tell, shift = progress, exact_sum(inst.arrival)
    return lambda *sides: tell(*(None if side is None else side - shift for side in sides))


def bound(
    inst: Instance,
    method: OwnBound = "best",
    objective: str = "completion",
    time_limit: float = 60.0,
    seed: int = 0,
    schedules: Sequence[Schedule] = (),
    progress: Progress | None = None,
    **options: Any,
) -> Bound:
    """Return an interval that contains the optimal total completion (or flow) time, with certificates.

    Parameters
    ----------
    inst : Instance
    method : str
        ``best`` chooses by size and merges. ``brute`` (n <= 8), ``exact`` (backward search, n <= 64; ``work_limit``,
        ``memory_mb``, ``workers``, ``replay_effort``: how long the replay of its proof may take), ``milp``
        (``solver="highs"|"cbc"|"both"``, ``nodes``), ``lp``, ``lagrangian`` (``iterations``) and the closed forms
        ``squashed_area`` (LB1*, arXiv 2606.22327), ``mean_busy_time`` (LB2r, LB4r), ``srpt`` (LB3r), ``latency``
        (LB0), which have no upper side. A bound of your own is given as ``file.py``, ``file.py:name``, ``module:name``,
        by an entry point of ``kvratio.bounds`` or as a `BoundCard`; what its certificates show enters the interval.
    objective : {"completion", "flow"}
        Flow is completion minus the sum of arrivals: the same schedules are optimal.
    time_limit : float
        Seconds; 0 still gives a true interval. What takes long stops; nothing is guessed.
    seed : int
        For the search for schedules.
    schedules : sequence of Schedule
        The upper side is never above the cost of any of them. ``inst.witness`` is used as well.
    progress : callable, optional
        Called with (lower, upper), None where nothing is known yet, whenever one of them improves. Instances that fall
        apart into independent parts are told about at the end.
    **options
        Of the method; see `METHODS`. ``best`` and ``lagrangian`` take ``work_limit`` (also called ``work``), the
        number of requests placed in the search for schedules, and of labels expanded by the backward search where n is
        above 16: given, and with time to spare, equal calls give equal bounds; without it instances of more than 3000
        requests are searched until the time limit.

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
    own = None if isinstance(method, str) and method in METHODS else own_bound(method)
    if own is None and method not in METHODS:
        raise UnknownName(f"bound method {method!r} is not known: choose one of {', '.join(METHODS)}, or ./my_bound.py")
    if objective not in OBJECTIVES:
        raise BadParameter(f"objective is {objective!r}: choose completion or flow")
    if not isinstance(inst, Instance):
        raise BadParameter(f"bound is asked of a {type(inst).__name__}: give an Instance")
    if not (isinstance(time_limit, Real) and time_limit >= 0):
        raise BadParameter(f"time_limit is {time_limit!r}: give seconds >= 0")
    if own is not None:
        evidence = _evidence(inst, seed, time_limit, progress, objective, schedules)
        return run_own(own, evidence, objective, options)
    assert isinstance(method, str)
    run = METHODS[method]
    known = run.__code__.co_varnames[1 : run.__code__.co_argcount]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadParameter(f"method {method} has no option {unknown[0]!r}: it has {', '.join(known) or 'none'}")
    evidence = _evidence(inst, seed, time_limit, progress, objective, schedules)

    def work(part: Evidence, **options: Any) -> None:
        if method in _NEED_SCHEDULES:
            find_schedules(part)
        run(part, **options)

    if method in _WHOLE:
        run(evidence, **options)
    else:
        run_in_parts(evidence, work, **options)
    return evidence.bound(method, objective)


def _evidence(
    inst: Instance,
    seed: int,
    time_limit: float,
    progress: Progress | None,
    objective: str,
    schedules: Sequence[Schedule],
) -> Evidence:
    """Begin with what the caller has: schedules, and the instance's witness."""
    evidence = Evidence(inst, seed, time.monotonic() + time_limit, _shifted(progress, inst, objective))
    evidence.offer(schedules)
    if inst.witness is not None:
        evidence.offer([Schedule.from_starts(inst, inst.witness)])
    return evidence
