"""Recheck a whole run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from kvratio.problem.errors import KvratioError
from kvratio.suite.progress import Reporter, reporter
from kvratio.suite.report_files import summaries_of
from kvratio.suite.run import load_run
from kvratio.suite.seal import NAME
from kvratio.suite.store import RunFolder
from kvratio.suite.verification import cells
from kvratio.suite.verification.files import check_data, check_files, check_sources
from kvratio.suite.verification.report import Check, Verification

if TYPE_CHECKING:
    from kvratio.suite.run import Run


def verify_run(path: str | Path, rerun: bool = False, progress: bool = True) -> Verification:
    """Recheck every file, instance, schedule, certificate, ratio and table of a finished run.

    Parameters
    ----------
    path : path
        The run folder.
    rerun : bool
        Also run every policy again; that is the only check of costs whose schedules were not kept.
    progress : bool
        Show progress on stderr.

    Returns
    -------
    Verification
        ``fine`` where nothing was found; ``faults`` otherwise, a line each.

    Raises
    ------
    UnknownName
        No finished run is there.
    """
    folder = RunFolder(path)
    if not (folder.path / NAME).is_file():
        folder.read_manifest()  # raises where there is no run at all
    files = check_files(folder)
    try:
        run = load_run(path)
        rows = pq.read_table(folder.results / "results.parquet").to_pylist()
    except (KvratioError, OSError, ValueError, KeyError, TypeError) as fault:
        if not files.faults:
            raise
        return Verification.of([files, Check("results", 1, [f"cannot be read: {fault}"])])
    told = reporter(progress)
    try:
        return Verification.of(_checks(run, rows, files, rerun, told))
    finally:
        told.close()


def _checks(run: Run, rows: list[cells.Row], files: Check, rerun: bool, told: Reporter) -> list[Check]:
    folder, manifest = run.folder, run.folder.read_manifest()

    def stage(title: str, total: int) -> None:
        told.stage(title, max(total, 1))

    stage("instances", len({row["instance"] for row in rows if row["instance"]}))
    instances, found = cells.check_instances(folder, rows, told.advance)
    stage("schedules", len(list(folder.schedules.glob("*.json"))))
    schedules = cells.check_schedules(folder, rows, told.advance)
    stage("certificates", len(list(folder.certificates.glob("*.json"))))
    certificates = cells.check_certificates(folder, rows, told.advance)
    checks = [files, check_sources(manifest), check_data(manifest), instances, schedules, certificates]
    if rerun:
        stage("policies", len(rows))
        checks.append(cells.check_policies(rows, found, run, told.advance))
    return [*checks, cells.check_ratios(rows), check_tables(run)]


def check_tables(run: Run) -> Check:
    """Make every table again from the rows and compare it with the file, byte for byte."""
    from kvratio.suite.report_files import write_table_files

    check = Check("tables")
    if not run.folder.tables.is_dir():
        check.notes.append("the run has no tables (kvratio run writes them): not checked")
        return check
    with tempfile.TemporaryDirectory() as scratch:
        for made in write_table_files(run, summaries_of(run), Path(scratch)):
            kept = run.folder.tables / made.name
            same = kept.is_file() and kept.read_bytes() == made.read_bytes()
            check.judge(same, f"{made.name} does not follow from the results")
    return check
