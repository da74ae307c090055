"""`write_report`: gather the evidence of a run, render its page, write one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kvratio.problem.errors import BadParameter
from kvratio.suite.progress import reporter
from kvratio.suite.report.cases import cases_of
from kvratio.suite.report.evidence import gather
from kvratio.suite.report.figures import drawings
from kvratio.suite.report.index import index_of
from kvratio.suite.report.pack import packed
from kvratio.suite.report.render import render_page
from kvratio.suite.report.rows import rows_of
from kvratio.suite.report_files import summaries_of
from kvratio.suite.run import Run
from kvratio.suite.workers import parallel, worker_count


@dataclass(frozen=True)
class Report:
    """A written page.

    Parameters
    ----------
    path : Path
    size : int
        Bytes.
    counts : mapping of str to int
        Cells of the table, and the schedules and bounds that the page has and lacks.
    left_out : tuple of str
        Instances whose evidence did not fit, largest first.
    """

    path: Path
    size: int
    counts: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def write_report(
    run: Run,
    out: str | Path | None = None,
    bound_seconds: float = 300.0,
    limit_mb: float = 5.0,
    workers: int | None = None,
    progress: bool = True,
) -> Report:
    """Write the page of a finished run; the same run folder and options give the same bytes.

    Parameters
    ----------
    run : Run
    out : path, optional
        Default: ``report.html`` in the run folder.
    bound_seconds : float
        Bounds whose certificates the run did not keep are computed again, the quickest first, as long as they took
        this many seconds together in the run; 0: none. Schedules that it did not keep are always made again.
    limit_mb : float
        Millions of bytes that the page may have. Evidence of the largest instances is left out, and named, where it
        does not fit.
    workers : int, optional
        Processes; default: the cores this process may use.
    progress : bool
        Show progress on stderr.

    Raises
    ------
    BadParameter
        Even without evidence the page is larger than ``limit_mb``.
    """
    if bound_seconds < 0:
        raise BadParameter(f"bound_seconds is {bound_seconds:g}: give seconds >= 0")
    table, summaries = run.table(), summaries_of(run)
    rows = rows_of(run.suite, summaries)
    cases = cases_of(run, table, summaries, bound_seconds)
    evidence: dict[str, str] = {}
    counts = Counter({"cells": len(rows)})
    told = reporter(progress)
    try:
        told.stage("gathering evidence", len(cases))
        for name, text, found in parallel(gather, [(case,) for case in cases], worker_count(workers)):
            evidence[name] = text
            counts.update(found)
            told.advance()
    finally:
        told.close()
    tracebacks = {row["cell"]: row["traceback"] for row in run.folder.failures() if row.get("traceback")}
    index = packed(index_of(run.suite, table, rows, tracebacks))
    figures = drawings(run, summaries)
    ordered = {case.name: evidence[case.name] for case in cases}
    bare = render_page(run, table, summaries, rows, figures, index, {}, counts, ())
    room = limit_mb * 1e6 - len(bare.encode())
    if room < 0:
        size = len(bare.encode()) / 1e6
        raise BadParameter(f"the page has {size:.1f} MB without any evidence: raise --limit above {limit_mb:g}")
    kept, left_out = _fitting(ordered, room)
    page = render_page(run, table, summaries, rows, figures, index, kept, counts, left_out)
    path = Path(out) if out is not None else run.path / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return Report(path, len(page.encode()), dict(counts), left_out)


#: characters of markup around the evidence of one instance
WRAPPING = 100


def _fitting(evidence: Mapping[str, str], room: float) -> tuple[dict[str, str], tuple[str, ...]]:
    """Drop the largest pieces until the rest fits."""
    kept, dropped = dict(evidence), []
    # Each name that is left out is itself told on the page.
    spare = room - 2 * WRAPPING
    total = sum(len(text) + WRAPPING for text in kept.values())
    for name in sorted(evidence, key=lambda name: (-len(evidence[name]), name)):
        if total <= spare:
            break
        total -= len(kept.pop(name))
        dropped.append(name)
    return kept, tuple(dropped)


__all__ = ["Report", "write_report"]
