"""The lower side without search: closed forms, prices in closed form or by ascent, the LP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

from kvratio.problem.errors import SolverError
from lowerbounds import dual, lp, prices
from lowerbounds.ascent import ascend
from lowerbounds.closed_form import best_closed_form, closed_form
from lowerbounds.decode import list_orders
from lowerbounds.interval import Evidence
from lowerbounds.upper import SMALL

#: largest number of rounds for which prices are kept, one per round
MAX_ROUNDS = 20_000_000
#: where there are more rounds than this, and this many times the requests besides, closed forms replace prices
SPARSE_ROUNDS, SPARSE_FACTOR = 1_000_000, 64
#: steps of the price ascent
ASCENT_STEPS = 300
#: shares of a request's fractional start at which the LP is read as an order
ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.9)
#: in `best`, LPs and integer programs of at most this many entries are tried
BEST_NONZEROS = 400_000


def closed(name: str) -> Callable[..., None]:
    """Return the method that proves one closed form."""

    def run(evidence: Evidence) -> None:
        evidence.prove_closed_form(closed_form(evidence.inst, name))

    return run


def mean_busy_time(evidence: Evidence) -> None:
    """Prove LB2r, and with arrivals LB4r."""
    for name in ("LB2r",) if evidence.inst.is_batch else ("LB2r", "LB4r"):
        evidence.prove_closed_form(closed_form(evidence.inst, name))


def prove_prices(evidence: Evidence, iterations: int | None = None) -> None:
    """Prove the dual value of closed-form prices, improved by ascent where the instance is small.

    Where rounds are too many for a price each (very long outputs), or prices leave int64 (very many requests at a
    time), the strongest closed form is proved instead.
    """
    inst = evidence.inst
    rounds = int(inst.arrival.max()) + int(inst.volume.sum()) // inst.memory + 2
    if rounds > min(MAX_ROUNDS, SPARSE_ROUNDS + SPARSE_FACTOR * inst.n):
        evidence.prove_closed_form(best_closed_form(inst))
        return
    starts_from = [prices.batch_prices] if inst.is_batch else [prices.potential_prices, prices.released_prices]
    found = []
    for make in starts_from:
        rates = make(inst)
        try:
            value = dual.evaluate(evidence.classes, dual.integer_prices(rates, evidence.classes))
        except dual.PricesTooLarge:
            continue
        found.append((value.lower, value, rates))
        if evidence.left == 0.0:
            break
    if not found:
        evidence.prove_closed_form(best_closed_form(inst))
        return
    _, value, rates = max(found, key=lambda entry: entry[0])
    evidence.incumbent.try_order(np.argsort(value.best_start[evidence.classes.of], kind="stable"))
    if iterations is None:
        iterations = ASCENT_STEPS if inst.n <= SMALL else 0
    if iterations and evidence.upper is not None:
        value = max(
            value, ascend(evidence.classes, rates, evidence.upper, iterations, evidence.deadline), key=lambda v: v.lower
        )
    evidence.prove(value.lower, value.certificate())


def solve_lp(evidence: Evidence, box: bool = True, max_nonzeros: int = lp.MAX_NONZEROS) -> dual.DualValue:
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
    if evidence.inst.n <= SMALL:
        for alpha in ALPHAS:
            points = lp.alpha_points(solution, alpha)
            evidence.incumbent.try_order(np.lexsort((evidence.inst.volume, points)))
    return dual.evaluate(classes, value.prices) if box else value


def lp_alone(evidence: Evidence, box: bool = True, max_nonzeros: int = lp.MAX_NONZEROS) -> None:
    """LP relaxation; the strongest closed form where the time limit comes first, as its certificate then says."""
    if evidence.left > 0:
        with contextlib.suppress(lp.OutOfTime):
            solve_lp(evidence, box, max_nonzeros)
    if evidence.certified is None:
        evidence.prove_closed_form(best_closed_form(evidence.inst))


def lp_fits(evidence: Evidence) -> bool:
    """Whether the LP is small enough for `best`."""
    assert evidence.incumbent.starts is not None
    makespan = int((evidence.incumbent.starts + evidence.inst.output).max())
    return lp.affordable(evidence.classes, makespan + lp.MARGIN, BEST_NONZEROS)


def tried(step: Callable[[], dual.DualValue]) -> dual.DualValue | None:
    """Return a relaxation's value, or None when its solver gave up: it only strengthens what follows."""
    try:
        return step()
    except SolverError:
        return None
