"""The results of a run on disk: journals while it goes on, one sorted table when it is done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kvratio.problem.bound import Bound
from kvratio.problem.errors import BadParameter, UnknownName
from kvratio.problem.instance import Instance
from kvratio.problem.schedule import Schedule
from kvratio.suite.journal import Journal, read_journals

#: what the plan says of a cell
PLANNED = pa.schema(
    [
        ("family", pa.string()),
        ("family_id", pa.string()),
        ("parameters", pa.string()),
        ("instance_seed", pa.int64()),
        ("tuned_to", pa.string()),
        ("policy", pa.string()),
        ("policy_id", pa.string()),
        ("policy_parameters", pa.string()),
        ("eviction", pa.string()),
        ("policy_seed", pa.int64()),
        ("objective", pa.string()),
        ("instance", pa.string()),
        ("instance_name", pa.string()),
        ("n", pa.int64()),
        ("memory", pa.int64()),
        ("policy_memory", pa.int64()),
        ("alpha", pa.float64()),
        ("batch", pa.bool_()),
        ("forced_ratio", pa.float64()),
    ]
)

#: what a worker found out about a cell; the same on every machine
MEASURED = pa.schema(
    [
        ("cell", pa.string()),
        ("status", pa.string()),
        ("message", pa.string()),
        ("cost", pa.int64()),
        ("total_completion", pa.int64()),
        ("total_flow", pa.int64()),
        ("makespan", pa.int64()),
        ("flow_p50", pa.int64()),
        ("flow_p99", pa.int64()),
        ("ttft_mean", pa.float64()),
        ("evictions", pa.int64()),
        ("wasted_rounds", pa.int64()),
        ("wasted_token_rounds", pa.int64()),
        ("recomputed_tokens", pa.int64()),
        ("volume", pa.int64()),
        ("utilisation", pa.float64()),
        ("bound_method", pa.string()),
        ("bound_grade", pa.string()),
        ("lower", pa.int64()),
        ("bound_upper", pa.int64()),
        ("own_upper", pa.int64()),
        ("guarantee", pa.float64()),
        ("guarantee_holds", pa.bool_()),
    ]
)

#: what only the whole run knows
DERIVED = pa.schema([("upper", pa.int64()), ("ratio_low", pa.float64()), ("ratio_high", pa.float64())])

#: timings differ from run to run, so they have a file of their own
TIMINGS = pa.schema(
    [("cell", pa.string()), *((name, pa.float64()) for name in ("policy_seconds", "check_seconds", "bound_seconds"))]
)

#: a journal also carries the traceback of a failed cell
SHARD = pa.schema([*MEASURED, *list(TIMINGS)[1:], pa.field("traceback", pa.string())])
RESULTS = pa.schema([*PLANNED, *MEASURED, *DERIVED])


#: rows that are made a table at a time
PIECE = 8192


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path : Path
        Created on demand by `create`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.results = self.path / "results"
        self.shards = self.results / "shards"
        self.instances = self.path / "instances"
        self.schedules = self.path / "schedules"
        self.certificates = self.path / "certificates"
        self.tables = self.path / "tables"
        self.figures = self.path / "figures"
        self.in_flight = self.results / "in_flight"
        self.plugins = self.path / "plugins"

    @property
    def manifest(self) -> Path:
        """The file that says what was run, with what, where."""
        return self.path / "manifest.json"

    def instance(self, identity: str) -> Path:
        """Where an instance is kept."""
        return self.instances / f"{identity[:12]}.json"

    def create(self) -> None:
        """Make the folder; refuse one that holds something else."""
        if self.path.exists() and not self.path.is_dir():
            raise BadParameter(f"{self.path} is a file: give a folder for the run with --out")
        ours = self.results.is_dir() or self.manifest.is_file()
        if self.path.is_dir() and any(self.path.iterdir()) and not ours:
            raise BadParameter(f"{self.path} holds something that is not a run: give an empty or new folder with --out")
        self.lay_out()

    def lay_out(self) -> None:
        """Make the folders that a run writes into."""
        for folder in (self.shards, self.instances):
            folder.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Forget every result, so that the run starts anew."""
        for folder in (self.results, self.instances, self.schedules, self.certificates, self.plugins):
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Take away what a killed run left behind: half-written files, marks of cells in flight."""
        shutil.rmtree(self.in_flight, ignore_errors=True)
        for path in self.path.rglob(".*.part*"):
            path.unlink(missing_ok=True)

    # -- while the run goes on ------------------------------------------------------------------------------------
    def journal(self) -> Journal:
        """Open the journal into which this process writes finished cells."""
        return Journal(self.shards, SHARD.names)

    def keep_instance(self, identity: str, inst: Instance) -> None:
        """Write an instance, whole or not at all."""
        _whole(self.instance(identity), inst.save)

    def keep_schedule(self, cell: str, schedule: Schedule) -> None:
        """Write the schedule of a cell, whole or not at all."""
        _whole(self.schedules / f"{cell[:24]}.json", schedule.save)

    def keep_certificate(self, name: str, bound: Bound) -> None:
        """Write the bound of a unit with its certificates, whole or not at all."""
        _whole(self.certificates / f"{name}.json", bound.save)

    def finished(self) -> dict[str, dict[str, Any]]:
        """Every cell that some earlier or present run finished, by its key; what succeeded hides what failed."""
        found: dict[str, dict[str, Any]] = {}
        merged, timings = self.results / "results.parquet", self.results / "timings.parquet"
        if merged.is_file() and timings.is_file():
            measured = pq.read_table(merged, columns=MEASURED.names).to_pylist()
            seconds = {row["cell"]: row for row in pq.read_table(timings).to_pylist()}
            traces = {row["cell"]: row["traceback"] for row in self.failures()}
            for row in measured:
                found[row["cell"]] = {**row, **seconds.get(row["cell"], {}), "traceback": traces.get(row["cell"])}
        for row in read_journals(self.shards):
            if row["status"] == "ok" or found.get(row["cell"], row)["status"] != "ok":
                found[row["cell"]] = row
        return found

    # -- when it is done ------------------------------------------------------------------------------------------
    def write_merged(self, rows: list[dict[str, Any]]) -> None:
        """Write the sorted table, the timings and the failures, then drop the journals."""
        _write_table(_table(rows, RESULTS), self.results / "results.parquet")
        unique = {row["cell"]: row for row in rows}.values()
        _write_table(_table(list(unique), TIMINGS), self.results / "timings.parquet")
        failed = [row for row in rows if row["status"] != "ok"]
        names = ("cell", "family", "policy", "instance", "instance_seed", "policy_seed", "message", "traceback")
        write_json(self.results / "failures.json", [{name: row.get(name) for name in names} for row in failed])
        shutil.rmtree(self.shards, ignore_errors=True)
        shutil.rmtree(self.in_flight, ignore_errors=True)

    def failures(self) -> list[dict[str, Any]]:
        """Failed cells with message and traceback."""
        path = self.results / "failures.json"
        return json.loads(path.read_text()) if path.is_file() else []

    def table(self) -> pd.DataFrame:
        """Read the merged results.

        Raises
        ------
        UnknownName
            The folder holds no finished run.
        """
        path = self.results / "results.parquet"
        if not path.is_file():
            hint = "the run was not finished: go on with" if self.shards.is_dir() else "no run is there: make one with"
            raise UnknownName(f"{self.path}: {hint} kvratio run SUITE --out {self.path}")
        return pq.read_table(path).to_pandas()

    def timings(self) -> pd.DataFrame:
        """Read the seconds each cell took."""
        return pq.read_table(self.results / "timings.parquet").to_pandas()

    def read_manifest(self) -> dict[str, Any]:
        """Read the manifest; raises UnknownName where there is none."""
        if not self.manifest.is_file():
            raise UnknownName(f"{self.path} has no manifest.json: give the folder of a finished run")
        return json.loads(self.manifest.read_text())


def write_json(path: Path, data: Any) -> None:
    """Write JSON atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(part, path)


def _whole(path: Path, save: Callable[[Path], Any]) -> None:
    """Save into a file beside the target, then rename: what is killed in between leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    save(part)
    os.replace(part, path)


def _write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet atomically and without anything that changes from run to run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    pq.write_table(table, part, compression="zstd")
    os.replace(part, path)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table, made piece by piece, since rows as dictionaries are large."""
    pieces = [
        pa.Table.from_pylist([_complete(row, schema) for row in rows[at : at + PIECE]], schema)
        for at in range(0, len(rows), PIECE)
    ]
    return pa.concat_tables(pieces) if pieces else schema.empty_table()


def _complete(row: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    return {name: row.get(name) for name in schema.names}


def columns(schemas: Iterable[pa.Schema]) -> list[str]:
    """Names of all columns of some schemas, in order."""
    return [name for schema in schemas for name in schema.names]
