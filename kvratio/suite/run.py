"""`run_suite`: build the instances, judge every policy on each, merge, sort, and keep it all in one folder."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kvratio.problem.instance import Instance
from kvratio.suite.cell import Built, Job, Unit, build_instance, in_flight, run_unit
from kvratio.suite.identity import cell_key
from kvratio.suite.manifest import manifest
from kvratio.suite.merge import merged_rows
from kvratio.suite.plan import InstanceSpec, Suite
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.read import load_suite
from kvratio.suite.store import RunFolder, write_json
from kvratio.suite.workers import WorkerDied, alone, parallel, worker_count


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
) -> Run:
    """Run every cell of a suite on this machine and write the run folder.

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

    Returns
    -------
    Run

    Raises
    ------
    UnknownName, BadParameter, TraceError
        The suite or the folder means nothing, or a trace is not there. A cell that fails raises nothing: it is one
        failed row.
    """
    begun, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    plan = suite if isinstance(suite, Suite) else load_suite(suite)
    workers = worker_count(workers)
    _require_traces(plan)
    folder = RunFolder(out if out is not None else Path("runs") / plan.name)
    folder.create()
    if not resume:
        folder.clear()
        folder.create()
    told = reporter(progress)
    try:
        _warm_up(plan, workers, told)
        planned = _build(plan, folder, workers, told)
        done = {cell: row for cell, row in folder.finished().items() if row["status"] == "ok" or not retry_failed}
        wanted = {p.cell for p in planned}
        reused = len(wanted & set(done))
        units = _units(plan, planned, done)
        _run_units(units, folder, workers, told, skipped=reused, total=len(wanted))
        rows = merged_rows(planned, folder.finished())
        folder.write_merged(rows)
    finally:
        told.close()
    failed = len({row["cell"] for row in rows if row["status"] != "ok"})
    seconds = time.monotonic() - clock
    counts = {"rows": len(rows), "cells": len(wanted), "failed": failed, "reused": reused}
    write_json(folder.manifest, manifest(plan, begun, seconds, counts) | {"workers": workers})
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
    suite = replace(Suite.from_dict(data["suite"]), source=data["read_from"])
    return Run(suite, folder, data["seconds"], counts["cells"], counts["failed"], counts["reused"])


def _require_traces(plan: Suite) -> None:
    """Raise TraceError before anything is computed if a trace is not there."""
    from instances.traces.locate import find_trace

    for family in plan.families:
        if family.kind == "trace":
            find_trace(family.id)


# -- stages -------------------------------------------------------------------------------------------------------
def _warm_up(plan: Suite, workers: int, told: Reporter) -> None:
    """Compile every policy and bound once, spread over the workers; the machine code then lies on disk for all.

    Bounds come first: they are the longest single task.
    """
    bounds = sorted({family.bound.method for family in plan.families})
    tasks = [("bound", name) for name in bounds] + [("policy", name) for name in sorted({p.id for p in plan.policies})]
    told.stage("compiling", len(tasks))
    for _ in parallel(warm, tasks, workers):
        told.advance()


def warm(kind: str, name: str) -> None:
    """Run a policy or a bound on a small instance; one that cannot is left to fail, and be told, in its own cells."""
    import algos
    import lowerbounds

    online = Instance(prompt=[1, 1, 1, 0] * 3, output=[2, 1, 3, 4] * 3, memory=6, arrival=[0, 0, 1, 2] * 3)
    with contextlib.suppress(Exception):
        if kind == "policy":
            algos.schedule(online, name)
        else:
            for inst in (online, online.replace(arrival=None)):
                lowerbounds.bound(inst, name, time_limit=1e6)


def _build(plan: Suite, folder: RunFolder, workers: int, told: Reporter) -> list[PlannedCell]:
    """Build all instances, keep each once, and return the cells in the order of the suite."""
    specs = list(plan.instance_specs())
    told.stage("building instances", len(specs))
    built: dict[int, Built] = {}
    tasks = [(k, spec, plan.cell_seconds) for k, spec in enumerate(specs)]
    for k, result in parallel(build_numbered, tasks, workers):
        built[k] = result
        told.advance(failed=result.instance is None)
    for note in dict.fromkeys(note for k in range(len(specs)) for note in built[k].notes):
        told.note(note)
    planned: list[PlannedCell] = []
    kept: set[str] = set()
    for k, spec in enumerate(specs):
        inst, identity = built[k].instance, built[k].identity
        if inst is not None and identity not in kept:
            kept.add(identity)
            path = folder.instance(identity)
            if not path.is_file():
                part = path.with_name(f"part-{path.name}")
                inst.save(part)
                part.replace(path)
        for policy, seed in plan.runners(spec):
            cell = cell_key(identity, policy, seed, spec.family.bound, spec.family.objective)
            planned.append(PlannedCell(cell, built[k], Job(cell, policy, seed)))
    return planned


def build_numbered(number: int, spec: InstanceSpec, seconds: float) -> tuple[int, Built]:
    """Build an instance and keep its number, since workers finish in any order."""
    return number, build_instance(spec, seconds)


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


def _run_units(units: list[Unit], folder: RunFolder, workers: int, told: Reporter, skipped: int, total: int) -> None:
    told.stage("running cells", total)
    told.advance(skipped)
    isolated = workers > 1
    try:
        for outcome in parallel(run_unit, [(unit, str(folder.path), isolated) for unit in units], workers):
            told.advance(len(outcome), sum(failed for _, failed in outcome))
        return
    except WorkerDied:
        told.note("a worker process died: going on with the cells in flight one at a time")
    _go_on_alone(units, folder, workers, told)


def _go_on_alone(units: list[Unit], folder: RunFolder, workers: int, told: Reporter) -> None:
    """After a worker died: run the units that were in flight alone, marking the cell that kills; then the rest."""
    suspects = set(in_flight(folder.in_flight))
    finished = set(folder.finished())
    rest = [unit for unit in (_without(u, finished) for u in units) if unit.jobs]
    doubtful = [u for u in rest if suspects & {job.cell for job in u.jobs}]
    safe = [u for u in rest if not suspects & {job.cell for job in u.jobs}]
    _forget(folder, suspects)
    for unit in doubtful:
        dead: tuple[str, ...] = ()
        while True:
            try:
                outcome = alone(run_unit, replace(unit, dead=dead), str(folder.path), True)
                told.advance(len(outcome), sum(failed for _, failed in outcome))
                break
            except WorkerDied:
                killers = in_flight(folder.in_flight)
                _forget(folder, killers)
                if not killers or set(killers) <= set(dead):
                    # It died outside any policy: in the bound. No cell of this instance can be judged.
                    killers = [job.cell for job in unit.jobs]
                dead = (*dead, *killers)
    if safe:
        _run_units(safe, folder, workers, told, skipped=0, total=sum(len(u.jobs) for u in safe))


def _without(unit: Unit, finished: Iterable[str]) -> Unit:
    found = set(finished)
    return replace(unit, jobs=tuple(job for job in unit.jobs if job.cell not in found))


def _forget(folder: RunFolder, cells: Iterable[str]) -> None:
    for cell in cells:
        (folder.in_flight / cell).unlink(missing_ok=True)


__all__ = ["Run", "load_run", "run_suite"]
