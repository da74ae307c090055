"""Golden values: every column of the table of small adversarial instances, by every method that gives it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from golden_bounds import COLUMNS, HORIZON_TRAPS, INSTANCES, VALUES, WARM_DUAL

from kvratio.problem import Instance
from lowerbounds import bound, brute_force, dual, lp, prices
from lowerbounds.classes import group
from lowerbounds.closed_form import closed_form
from lowerbounds.decode import decode
from lowerbounds.horizon import busy_horizon
from lowerbounds.recheck_closed import closed_form_value

GOLDEN = {name: dict(zip(COLUMNS, row, strict=True)) for name, row in VALUES.items()}


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.parametrize("form", ["LB0", "LB1", "LB1*", "LB2", "LB2r", "LB3r", "LB4", "LB4r"])
def test_closed_forms(name, form):
    """Each closed form has its golden value, by the bound itself and by the verifier's own computation."""
    inst = INSTANCES[name]
    value = closed_form(inst, form)
    assert float(value.value) - int(inst.arrival.sum()) == pytest.approx(GOLDEN[name][form], abs=6e-4)
    assert closed_form_value(inst, form) == (value.value, value.bits)


@pytest.mark.parametrize("name", INSTANCES)
def test_lp(name):
    """The LP without the box has its golden value, and its duals prove it up to rounding."""
    inst = INSTANCES[name]
    classes = group(inst)
    solution, value = lp.solve_to_the_end(classes, int(busy_horizon(classes)[0]))
    shift = int(inst.arrival.sum())
    assert solution.value - shift == pytest.approx(GOLDEN[name]["LP"], abs=6e-4)
    assert value.value <= solution.value + 1e-6
    assert value.value == pytest.approx(solution.value, abs=1e-3)


def test_lp_with_box():
    """At most floor(M / peak) equal starts at once lifts instance C to 40.281, provably."""
    classes = group(INSTANCES["C"])
    solution, value = lp.solve_to_the_end(classes, 20, box=True)
    assert solution.value == pytest.approx(40.281, abs=6e-4)
    assert value.value == pytest.approx(40.281, abs=6e-4)


@pytest.mark.parametrize("name", INSTANCES)
def test_busy_horizon(name):
    """Rule T1 gives its golden round."""
    assert int(busy_horizon(group(INSTANCES[name]))[0]) == GOLDEN[name]["T1"]


@pytest.mark.parametrize("name", WARM_DUAL)
def test_dual_at_batch_prices(name):
    """The dual at the closed-form batch prices has its golden value, arrivals ignored in the prices only."""
    inst = INSTANCES[name]
    classes = group(inst)
    value = dual.evaluate(classes, dual.integer_prices(prices.batch_prices(inst), classes))
    assert value.value - int(inst.arrival.sum()) == pytest.approx(WARM_DUAL[name], abs=6e-4)


@pytest.mark.parametrize("name", INSTANCES)
@pytest.mark.parametrize("method", ["best", "exact", "milp"])
def test_optimum(name, method):
    """Each complete method proves the golden optimum, and its certificates hold."""
    answer = bound(INSTANCES[name], method, objective="flow")
    answer.verify()
    assert (answer.lower, answer.upper) == (GOLDEN[name]["OPT"],) * 2
    assert answer.status == "optimal"


@pytest.mark.parametrize("name", INSTANCES)
def test_optimum_by_two_solvers(name):
    """HiGHS and CBC both prove the golden optimum; where no certificate does, the grade says two solvers."""
    answer = bound(INSTANCES[name], "milp", objective="flow", solver="both")
    answer.verify()
    assert answer.lower == answer.upper == GOLDEN[name]["OPT"]
    assert answer.grade in ("solver*2", "certified")


@pytest.mark.parametrize("name", INSTANCES)
def test_optimum_by_brute_force(name):
    """The search without horizon and solver finds the golden optimum."""
    inst = INSTANCES[name]
    cost, starts = brute_force(inst, limit=20)
    assert cost - int(inst.arrival.sum()) == GOLDEN[name]["OPT"]
    assert cost == int((starts + inst.output).sum())


@pytest.mark.parametrize("name", HORIZON_TRAPS)
@pytest.mark.parametrize("method", ["exact", "milp"])
def test_horizon_traps(name, method):
    """Optima that short horizons, starts at completions only, or list orders would miss are found."""
    inst, flow = HORIZON_TRAPS[name]
    assert bound(inst, method, objective="flow").upper == flow
    assert brute_force(inst, limit=20)[0] - int(inst.arrival.sum()) == flow


@pytest.mark.skipif("KVRATIO_TRACES" not in os.environ, reason="KVRATIO_TRACES does not name a folder of traces")
def test_azure_conversations():
    """The real lengths of azure_2023_conv as a batch: the dual bound to the unit, and what simple orders lose on it."""
    path = Path(os.environ["KVRATIO_TRACES"]) / "azure_2023_conv.csv.gz"
    table = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2)).astype(np.int64)
    inst = Instance(prompt=table[:, 0], output=table[:, 1], memory=131_072)
    classes = group(inst)
    value = dual.evaluate(classes, dual.integer_prices(prices.batch_prices(inst), classes))
    assert value.lower == 93_370_271
    for key, gap in ((inst.volume, 0.0180), (inst.output, 0.265), (value.best_start[classes.of], 0.0159)):
        cost, _ = decode(inst, np.argsort(key, kind="stable"))
        assert cost / value.lower - 1 == pytest.approx(gap, abs=5e-4)
