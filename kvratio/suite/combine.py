"""Several runs made one, or a part of a run made a run of its own."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kvratio.problem.bound import Bound
from kvratio.problem.errors import BadParameter, KvratioError
from kvratio.suite.identity import file_hash
from kvratio.suite.lock import hold
from kvratio.suite.manifest import manifest
from kvratio.suite.merge import divide
from kvratio.suite.naming import canonical
from kvratio.suite.plan import Suite
from kvratio.suite.run import Run, load_run
from kvratio.suite.seal import seal
from kvratio.suite.store import MEASURED, RunFolder, write_json
from kvratio.suite.union import union_suite

Row = dict[str, Any]
#: what a cell is in the plan of a suite, whatever its result
PLACE = ("family", "parameters", "instance_seed", "tuned_to", "policy", "policy_seed")
DIFFERS = "differs between the runs merged"


class RunConflict(KvratioError):
    """Two runs say different things of one cell; ``conflicts`` has a line for each."""

    def __init__(self, conflicts: Sequence[str]) -> None:
        super().__init__(conflicts[0] + (f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""))
        self.conflicts = tuple(conflicts)


@dataclass(frozen=True)
class Merged:
    """What `merge_runs` made, and what it left out: a line each."""

    run: Run
    notes: tuple[str, ...]


def merge_runs(
    runs: Sequence[str | Path], out: str | Path, policies: Iterable[str] = (), families: Iterable[str] = ()
) -> Merged:
    """Write a run with the cells of several, or with some of the cells of one.

    U of each instance becomes the least over all rows that are kept, and the ratios follow, as if those cells had run
    together. A cell that failed in one run and not in another is taken from the other.

    Parameters
    ----------
    runs : sequence of path
        Folders of finished runs.
    out : path
        A new folder.
    policies, families : iterable of str
        Keep only cells of these labels; none: all.

    Raises
    ------
    RunConflict
        A cell has one result here and another there.
    UnknownName, BadParameter
        A folder holds no finished run or is not empty, a label is in no run or means two things.
    """
    paths = [Path(path) for path in runs]
    target = RunFolder(out)
    if not paths:
        raise BadParameter("no run is named: give at least one run folder")
    if target.path.exists() and (not target.path.is_dir() or any(target.path.iterdir())):
        raise BadParameter(f"{target.path} is not empty: give a new folder with --out")
    loaded = [load_run(path) for path in paths]
    parts = _narrowed(loaded, tuple(policies), tuple(families))
    suite = union_suite([part for _, part in parts], [str(run.path) for run, _ in parts])
    rows, notes = _united(parts)
    data = _united_data([run for run, _ in parts])
    at = _positions(suite)
    rows.sort(key=lambda row: at[_place(row)])
    divide(rows)
    target.create()
    with hold(target.path):
        notes += _copy_files([run for run, _ in parts], target, rows)
        write_json(target.manifest, _manifest([run for run, _ in parts], suite, rows, data))
        target.write_merged(rows)
        seal(target.path)
    return Merged(load_run(target.path), tuple(notes))


# -- cells --------------------------------------------------------------------------------------------------------
def _narrowed(runs: Sequence[Run], policies: tuple[str, ...], families: tuple[str, ...]) -> list[tuple[Run, Suite]]:
    """Return the runs that have any of the labels, with the suite of what is kept of each."""
    kept = []
    for run in runs:
        mine = [tuple(x for x in wanted if _has(have, x)) for wanted, have in _labels(run.suite, policies, families)]
        if (policies and not mine[0]) or (families and not mine[1]):
            continue
        kept.append((run, run.suite.narrowed(*mine)))
    for k, (what, wanted) in enumerate((("policy", policies), ("family", families))):
        for label in wanted:
            if not any(_has(_labels(run.suite, policies, families)[k][1], label) for run in runs):
                raise BadParameter(f"no run has a {what} {label!r}: kvratio table RUN shows the labels")
    if not kept:
        raise BadParameter("no run has cells of these policies on these families")
    return kept


def _labels(suite: Suite, policies: tuple[str, ...], families: tuple[str, ...]) -> list[tuple[Any, list[str]]]:
    return [(policies, [p.label for p in suite.policies]), (families, [f.label for f in suite.families])]


def _has(labels: list[str], label: str) -> bool:
    return label in labels


def _united(parts: Sequence[tuple[Run, Suite]]) -> tuple[list[Row], list[str]]:
    """Return every row once, with timings and traceback; raise where two runs contradict each other."""
    found: dict[Any, tuple[Row, Run]] = {}
    cells: dict[Any, tuple[Row, Run]] = {}
    conflicts, mended = [], set()
    for run, suite in parts:
        labels = {p.label for p in suite.policies}, {f.label for f in suite.families}
        extras = run.folder.finished()
        for row in pq.read_table(run.folder.results / "results.parquet").to_pylist():
            if row["policy"] not in labels[0] or row["family"] not in labels[1]:
                continue
            row = {**extras.get(row["cell"], {}), **row}
            other = found.get(_place(row))
            if other is not None and other[0]["status"] != row["status"]:
                mended.add(row["cell"])
            conflicts += [_add(found, _place(row), (row, run)), _add(cells, row["cell"], (row, run))]
    if any(conflicts):
        raise RunConflict([line for line in dict.fromkeys(conflicts) if line])
    notes = [f"{len(mended)} cells failed in one run and not in another: the result is kept"] if mended else []
    return [row for row, _ in found.values()], notes


def _add(known: dict[Any, tuple[Row, Run]], key: Any, entry: tuple[Row, Run]) -> str:
    """Take a row in unless it is there, or in place of a failed one; return what contradicts the one there."""
    other = known.setdefault(key, entry)
    if other is entry or entry[0]["status"] != "ok":
        return ""
    if other[0]["status"] != "ok":
        known[key] = entry
        return ""
    return _conflict(other, entry)


def _conflict(one: tuple[Row, Run], two: tuple[Row, Run]) -> str:
    """Say what differs between two results of one cell; empty where nothing does."""
    (first, here), (second, there) = one, two
    names = [name for name in ("instance", *MEASURED.names) if name != "cell" and first[name] != second[name]]
    if not names:
        return ""
    what = ", ".join(f"{name} {first[name]} and {second[name]}" for name in names[:3])
    where = f"{first['policy']} on {first['family']} (seed {first['instance_seed']}, cell {first['cell'][:12]})"
    why = "" if first["cell"] == second["cell"] else "; other sources made the second"
    return f"{where}: {here.path} and {there.path} differ: {what}{why}"


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in PLACE)


def _positions(suite: Suite) -> dict[tuple[Any, ...], int]:
    """Return the place of every cell in the order of a suite."""
    at: dict[tuple[Any, ...], int] = {}
    for spec in suite.instance_specs():
        tuned = None if spec.tuned_to is None else spec.tuned_to.label
        first = (spec.family.label, canonical(spec.parameters), spec.seed, tuned)
        for policy, seed in suite.runners(spec):
            at[(*first, policy.label, seed)] = len(at)
    return at


# -- files --------------------------------------------------------------------------------------------------------
def _copy_files(runs: Sequence[Run], target: RunFolder, rows: Sequence[Row]) -> list[str]:
    """Copy instances, schedules, certificates and users' files of the cells that are kept."""
    for row in rows:
        if row["instance"]:
            _copy_first([run.folder.instance(row["instance"]) for run in runs], target.instance(row["instance"]))
        name = f"{row['cell'][:24]}.json"
        _copy_first([run.folder.schedules / name for run in runs], target.schedules / name)
    for run in runs:
        if run.folder.plugins.is_dir():
            shutil.copytree(run.folder.plugins, target.plugins, dirs_exist_ok=True)
    left_out = 0
    for (identity, objective), upper in {
        (r["instance"], r["objective"]): r["upper"] for r in rows if r["instance"]
    }.items():
        name = f"{identity[:12]}-{objective}.json"
        bounds = [(Bound.load(p).upper, p) for run in runs if (p := run.folder.certificates / name).is_file()]
        # One that shows a cheaper schedule than the rows is of a policy that was left out.
        fits = [(cost, path) for cost, path in bounds if cost is None or upper is None or cost >= upper]
        if fits:
            best = min(fits, key=lambda item: float("inf") if item[0] is None else item[0])
            _copy_first([best[1]], target.certificates / name)
        left_out += bool(bounds) and not fits
    return [f"{left_out} certificates show a schedule of a policy that is left out: not kept"] if left_out else []


def _copy_first(candidates: Iterable[Path], target: Path) -> None:
    source = next((path for path in candidates if path.is_file()), None)
    if source is not None and not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


# -- manifest -----------------------------------------------------------------------------------------------------
def _united_data(runs: Sequence[Run]) -> dict[str, str]:
    """Return the hashes of the trace files of all runs; raise where two runs read different ones."""
    found: dict[str, str] = {}
    for run in runs:
        for name, digest in run.folder.read_manifest().get("data_sha256", {}).items():
            if found.setdefault(name, digest) != digest:
                raise RunConflict([f"{run.path}: the trace {name} is not the file that the runs before read"])
    return found


def _manifest(runs: Sequence[Run], suite: Suite, rows: Sequence[Row], data: dict[str, str]) -> dict[str, Any]:
    """Return the manifest of the merged run; what the runs disagree on says so, and stands under ``merged_from``."""
    parts = [run.folder.read_manifest() for run in runs]
    cells = {row["cell"]: row["status"] for row in rows}
    counts = {"rows": len(rows), "cells": len(cells), "reused": len(cells)}
    counts["failed"] = sum(status != "ok" for status in cells.values())
    plugins = {entry["digest"]: entry for part in parts for entry in part.get("plugins", ())}
    seconds = sum(part["seconds"] for part in parts)
    made = manifest(suite, datetime.datetime.now(datetime.UTC), seconds, counts, list(plugins.values()))
    kept = ("suite_sha256", "begun", "seconds", "cells", "versions", "machine", "sources_sha256", "workers", "backend")
    made["merged_from"] = [
        {"folder": run.path.name, "results_sha256": file_hash(run.folder.results / "results.parquet")}
        | {key: part[key] for key in kept if key in part}
        for run, part in zip(runs, parts, strict=True)
    ]
    for key in ("versions", "sources_sha256"):
        names = dict.fromkeys(name for part in parts for name in part.get(key, {}))
        made[key] = {name: _agreed([part.get(key, {}).get(name) for part in parts]) for name in names}
    return made | {"data_sha256": data}


def _agreed(values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values) else DIFFERS


__all__ = ["Merged", "RunConflict", "merge_runs"]
