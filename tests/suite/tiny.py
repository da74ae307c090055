"""A suite of a few cells, and workers that go wrong on purpose."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import algos
from kvratio.problem.schedule import Schedule
from kvratio.suite import cell
from kvratio.suite.plan import Suite
from kvratio.suite.read import read_suite

TINY: dict[str, Any] = {
    "name": "tiny",
    "resamples": 50,
    "cell_seconds": 20.0,
    "bound": {"method": "squashed_area"},
    "policy": [{"id": "fcfs"}, {"id": "mc_sf"}, {"id": "svf"}],
    "family": [
        {
            "id": "uniform",
            "parameters": {"count": 5, "memory": 15, "prompt": [0, 4], "output": [1, 8]},
            "seeds": 3,
        },
        {"id": "blocker", "objective": "flow", "grid": {"memory": [8, 12]}},
    ],
}


def tiny(**changes: Any) -> Suite:
    """Return the tiny suite with some top-level keys replaced."""
    return read_suite({**TINY, **changes}, "tiny.toml")


honest_schedule = algos.schedule
honest_unit = cell.run_unit


def run_unit_that_kills(unit: cell.Unit, folder: str, isolated: bool) -> list[tuple[str, bool]]:
    """Like `run_unit`, but svf ends its process, as a crash in compiled code would."""

    def deadly(inst: Any, policy: Any, **options: Any) -> Schedule:
        if policy == "svf":
            os.kill(os.getpid(), signal.SIGKILL)
        return honest_schedule(inst, policy, **options)

    algos.schedule = deadly
    try:
        return honest_unit(unit, folder, isolated)
    finally:
        algos.schedule = honest_schedule


def run_unit_slowly(unit: cell.Unit, folder: str, isolated: bool) -> list[tuple[str, bool]]:
    """Like `run_unit`, but slow enough to be killed in the middle of a suite."""
    time.sleep(0.6)
    return honest_unit(unit, folder, isolated)
