"""`run_suite`: build the instances, judge every policy on each, merge, sort, and keep it all in one folder."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kvratio.suite.backends.backend import Backend
from kvratio.suite.backends.opening import open_backend, require_backend
from kvratio.suite.cell import Built, Job, Unit
from kvratio.suite.identity import cell_key
from kvratio.suite.lock import hold
from kvratio.suite.manifest import manifest
from kvratio.suite.merge import merged_rows
from kvratio.suite.plan import InstanceSpec, Suite
from kvratio.suite.plugin_store import keep_plugins
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.read import load_suite, suite_of_run
from kvratio.suite.seal import seal
from kvratio.suite.store import RunFolder, write_json
from kvratio.suite.workers import worker_count


@dataclass(frozen=True)
class Run:
    """A finished run.

    Parameters
    ----------
    suite : Suite
    folder : RunFolder
    seconds : float
        Wall time of this call; cells found from an earlier one cost nothing.
    cells, failed, reused : int
        Different cells; two families that make the same instance share its cells.
    """

    suite: Suite
    folder: RunFolder
    seconds: float = 0.0
    cells: int = 0
    failed: int = 0
    reused: int = 0

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    def table(self) -> pd.DataFrame:
        """A row per cell, in the order of the suite; `kvratio.suite.store` has the columns."""
        return self.folder.table()


@dataclass(frozen=True)
class PlannedCell:
    """One row of the results: a built instance, a policy, a seed, and the key under which its result is kept."""

    cell: str
    built: Built
    job: Job


def run_suite(
    suite: str | Path | Suite = "default",
    out: str | Path | None = None,
    workers: int | None = None,
    resume: bool = True,
    progress: bool = True,
    retry_failed: bool = False,
    backend: str | None = None,
    scheduler: str | None = None,
) -> Run:
    """Run every cell of a suite and write the run folder.

    Parameters
    ----------
    suite : str, Path or Suite
        A built-in name, a TOML file, or a suite made in Python.
    out : path, optional
        The run folder; default ``runs/<suite>``.
    workers : int, optional
        Processes; default: the cores this process may use. 1 works without extra processes. The results are the
        same bytes whatever the number.
    resume : bool
        Take over cells that an earlier, perhaps killed, run finished; False throws them away first.
    progress : bool
        Show progress on stderr.
    retry_failed : bool
        Try cells again that failed before.
    backend : {"serial", "processes", "dask"}, optional
        Where the cells are worked out; default: processes of this machine. ``serial`` is this process, users' code
        included. The results are the same bytes whatever the backend.
    scheduler : str, optional
        Address of a dask scheduler; default with ``dask``: a cluster of ``workers`` processes on this machine.

    Returns
    -------
    Run

    Raises
    ------
    UnknownName, BadParameter, TraceError
        The suite, the folder or the backend means nothing, another process holds the folder, or a trace is not there.
        A cell that fails raises nothing: it is one failed row.
    """
    plan = suite if isinstance(suite, Suite) else load_suite(suite)
    require_means(plan, workers, backend, scheduler)
    folder = RunFolder(out if out is not None else Path("runs") / plan.name)
    folder.create()
    with hold(folder.path) as left_over:
        if not resume:
            folder.clear()
        folder.lay_out()
        folder.sweep()
        told = reporter(progress)
        if left_over:
            told.note(f"{folder.path}: an earlier run ended without a word: going on with what it finished")
        place: Backend | None = None
        try:
            place = open_backend(backend, scheduler, workers, bool(plan.plugins), told)
            return _run(plan, folder, place, told, retry_failed)
        finally:
            told.close()
            if place is not None:
                place.close()


def _run(plan: Suite, folder: RunFolder, place: Backend, told: Reporter, retry_failed: bool) -> Run:
    """Go through the stages in a folder that this process holds."""
    begun, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    kept = keep_plugins(plan.plugins, folder.plugins)
    _warm_up(plan, place, told)
    planned = _build(plan, folder, place, told)
    done = {cell: row for cell, row in folder.finished().items() if row["status"] == "ok" or not retry_failed}
    wanted = {p.cell for p in planned}
    reused = len(wanted & set(done))
    told.stage("running cells", len(wanted))
    told.advance(reused)
    for outcome in place.judge(_units(plan, planned, done), folder):
        told.advance(len(outcome), sum(failed for _, failed in outcome))
    rows = merged_rows(planned, folder.finished())
    failed = len({row["cell"] for row in rows if row["status"] != "ok"})
    seconds = time.monotonic() - clock
    counts = {"rows": len(rows), "cells": len(wanted), "failed": failed, "reused": reused}
    about = manifest(plan, begun, seconds, counts, kept) | {"workers": place.workers, "backend": place.name}
    # The manifest comes first: while the journals are there, a killed run does all of this again.
    write_json(folder.manifest, about)
    folder.write_merged(rows)
    seal(folder.path)
    return Run(plan, folder, seconds, counts["cells"], failed, reused)


def load_run(path: str | Path) -> Run:
    """Open a finished run folder.

    Raises
    ------
    UnknownName
        No finished run is there.
    """
    folder = RunFolder(path)
    data = folder.read_manifest()
    folder.table()
    counts = data["cells"]
    suite = suite_of_run(folder.path)
    return Run(suite, folder, data["seconds"], counts["cells"], counts["failed"], counts["reused"])


def require_means(plan: Suite, workers: int | None, backend: str | None, scheduler: str | None) -> None:
    """Raise, before anything is computed or written, if a trace is not there or the backend means nothing."""
    from instances.traces.locate import find_trace

    worker_count(workers)
    require_backend(backend, scheduler, workers)
    for family in plan.families:
        if family.kind == "trace":
            find_trace(family.id)


# -- stages -------------------------------------------------------------------------------------------------------
def _warm_up(plan: Suite, place: Backend, told: Reporter) -> None:
    """Compile every policy and bound once; the machine code then lies on disk for all.

    Bounds come first: they are the longest single task.
    """
    bounds = sorted({family.bound.method for family in plan.families if family.bound.plugin is None})
    policies = sorted({policy.id for policy in plan.policies if policy.plugin is None})
    tasks = [("bound", name) for name in bounds] + [("policy", name) for name in policies]
    told.stage("compiling", len(tasks))
    for _ in place.warm(tasks):
        told.advance()


def _build(plan: Suite, folder: RunFolder, place: Backend, told: Reporter) -> list[PlannedCell]:
    """Build all instances, keep each once, and return the cells in the order of the suite."""
    specs = list(plan.instance_specs())
    told.stage("building instances", len(specs))
    built: dict[int, Built] = {}
    for k, result in place.build([_alone(spec) for spec in specs], plan.cell_seconds, folder):
        built[k] = replace(result, spec=specs[k])
        told.advance(failed=result.instance is None)
    for note in dict.fromkeys(note for k in range(len(specs)) for note in built[k].notes):
        told.note(note)
    planned: list[PlannedCell] = []
    kept: set[str] = set()
    for k, spec in enumerate(specs):
        inst, identity = built[k].instance, built[k].identity
        if inst is not None and identity not in kept:
            kept.add(identity)
            # A user's family may have been edited: the same requests, with another witness.
            if not folder.instance(identity).is_file() or spec.family.plugin is not None:
                folder.keep_instance(identity, inst)
        for policy, seed in plan.runners(spec):
            cell = cell_key(identity, policy, seed, spec.family.bound, spec.family.objective, spec.family.plugin)
            planned.append(PlannedCell(cell, built[k], Job(cell, policy, seed)))
    return planned


def _alone(spec: InstanceSpec) -> InstanceSpec:
    """Return a spec that asks for one instance only: a family of many seeds is large to send with each."""
    family = replace(spec.family, fixed=spec.parameters, grid={}, seeds=(spec.seed,))
    return replace(spec, family=family, point=0)


def _units(plan: Suite, planned: list[PlannedCell], done: dict[str, Any]) -> list[Unit]:
    """Group what is left by instance, bound and objective; the largest first, so that no worker ends late."""
    groups: dict[tuple[str, str, str], dict[str, PlannedCell]] = {}
    for item in planned:
        inst, family = item.built.instance, item.built.spec.family
        if inst is not None:
            groups.setdefault((item.built.identity, family.objective, family.bound.identity), {})[item.cell] = item
    units = []
    for members in groups.values():
        missing = {cell: item for cell, item in members.items() if cell not in done}
        if missing and plan.certificates:
            missing = members  # the certificate holds the best schedule of all of them
        if missing:
            first = next(iter(missing.values()))
            inst, family = first.built.instance, first.built.spec.family
            assert inst is not None
            jobs = tuple(item.job for item in missing.values())
            units.append(
                Unit(inst, family.objective, family.bound, jobs, plan.cell_seconds, plan.certificates, plan.schedules)
            )
    return sorted(units, key=lambda unit: (-unit.instance.n * len(unit.jobs), unit.instance.key))


__all__ = ["Run", "load_run", "run_suite"]
