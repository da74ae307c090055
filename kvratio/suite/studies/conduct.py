"""`conduct_study`: run the suite of a study, and put its figure and table into the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from kvratio.problem.errors import BadParameter
from kvratio.suite.studies.catalogue import study as find_study
from kvratio.suite.studies.study import Study

if TYPE_CHECKING:
    from kvratio.suite.run import Run


@dataclass(frozen=True)
class StudyRun:
    """A finished study.

    Parameters
    ----------
    study : Study
    run : Run
        Of its suite: results, certificates, manifest, as of any run.
    points : DataFrame
        What figure and table show (`kvratio.suite.studies.points`).
    files : tuple of Path
        Figure and tables of the study.
    """

    study: Study
    run: Run
    points: pd.DataFrame
    files: tuple[Path, ...]


def conduct_study(
    name: str | Study,
    policies: Sequence[str] = (),
    seeds: int | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    quick: bool = False,
    progress: bool = True,
    fresh: bool = False,
) -> StudyRun:
    """Run a study and write its figure and table into the run folder.

    Parameters
    ----------
    name : str or Study
        One of `kvratio.suite.studies.catalogue.study_names`.
    policies : sequence of str
        As on the command line: ``gsa:alpha=2``, ``./my_policy.py``; empty: those of the study.
    seeds : int, optional
        Instances of each random family; default: the study's.
    out : path, optional
        The run folder; default ``runs/study_NAME``. A run in it goes on where it stopped.
    workers : int, optional
        Processes; default: the cores this process may use. The files are the same bytes whatever the number.
    quick : bool
        Smaller instances, fewer points and seeds.
    progress, fresh : bool
        Tell on stderr; throw away what an earlier run finished.

    Returns
    -------
    StudyRun

    Raises
    ------
    UnknownName, BadParameter
        The study, a policy or a value means nothing, or every cell failed.
    """
    from kvratio.suite.report_files import write_report_files
    from kvratio.suite.run import run_suite
    from kvratio.suite.studies.suite import study_suite

    if seeds is not None and seeds < 1:
        raise BadParameter(f"seeds is {seeds}: give at least 1")
    chosen = name if isinstance(name, Study) else find_study(name)
    suite = study_suite(chosen, chosen.effort(seeds, quick), policies)
    run = run_suite(suite, out=out, workers=workers, resume=not fresh, progress=progress)
    write_report_files(run)
    return present(chosen, run)


def present(study: Study, run: Run) -> StudyRun:
    """Write figure and table of a finished run of a study, and seal the folder again.

    Raises
    ------
    BadParameter
        Every cell failed, so that there is nothing to draw.
    """
    from kvratio.suite.plots import save_figure
    from kvratio.suite.render import write_tables
    from kvratio.suite.seal import seal
    from kvratio.suite.studies.table import numbers, study_table

    points = study.points(run.table())
    if not len(points):
        raise BadParameter(f"{run.path}: every cell failed, so there is nothing to draw: see results/failures.json")
    stem = f"study_{study.name}"
    files = save_figure(study.draw(points), run.folder.figures / stem)
    tables = [study_table(study, points), *([study.summary(points)] if study.summary else [])]
    files += write_tables(tables, run.folder.tables)
    path = run.folder.tables / f"{stem}_numbers.csv"
    path.write_text(numbers(points))
    seal(run.path)
    return StudyRun(study, run, points, (*files, path))
