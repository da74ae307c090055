"""The page itself: templates filled with the rows, figures and packed evidence of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kvratio.suite.report.figures import Drawing
from kvratio.suite.report.rows import Row
from kvratio.suite.run import Run
from kvratio.suite.statistics import Summary
from kvratio.suite.tables import READING, SOLVER_NOTE, family_title, grade_mark, hardest_table

TEMPLATES = Path(__file__).with_name("page")
#: in the order in which they stand in the page
SCRIPTS = ("elements.js", "theme.js", "table.js", "evidence.js", "schedule.js", "detail.js", "start.js")


@cache
def environment() -> Environment:
    """Templates with everything escaped unless marked, and nothing undefined passed over."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render_page(
    run: Run,
    table: pd.DataFrame,
    summaries: Sequence[Summary],
    rows: Sequence[Row],
    figures: Sequence[Drawing],
    index: str,
    evidence: Mapping[str, str],
    counts: Mapping[str, int],
    left_out: Sequence[str],
) -> str:
    """Return the HTML of a run; ``index`` and ``evidence`` are packed."""
    families = [f.label for f in run.suite.families if any(s.family == f.label for s in summaries)]
    policies = [p.label for p in run.suite.policies if any(s.policy == p.label for s in summaries)]
    return (
        environment()
        .get_template("page.html")
        .render(
            suite=run.suite,
            families=families,
            policies=policies,
            titles={f.label: family_title(f) for f in run.suite.families},
            rows=rows,
            matrix=_matrix(rows, policies, families),
            mean_header=f"{100 * run.suite.confidence:g}% of mean",
            figures=figures,
            hardest=_hardest(run, summaries),
            failures=_failures(run),
            tiles=_tiles(run, table, summaries, families, policies),
            broken=[s for s in summaries if s.broken],
            reading=[*READING, *([SOLVER_NOTE] if any(map(grade_mark, summaries)) else [])],
            manifest=run.folder.read_manifest(),
            counts=counts,
            left_out=left_out,
            index=index,
            evidence=evidence,
            style=_source("style.css"),
            dark=_source("dark.css"),
            script="\n".join(_source(name) for name in SCRIPTS),
        )
    )


def _source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _matrix(rows: Sequence[Row], policies: Sequence[str], families: Sequence[str]) -> list[list[Row | None]]:
    found = {(row.summary.policy, row.summary.family): row for row in rows}
    return [[found.get((policy, family)) for family in families] for policy in policies]


def _hardest(run: Run, summaries: Sequence[Summary]) -> list[dict[str, str]]:
    table = hardest_table(run.suite, summaries, Path())
    return [dict(zip((column.header for column in table.columns), row, strict=True)) for row in table.rows]


def _failures(run: Run) -> list[dict[str, Any]]:
    """Failed cells, those with one message for one policy and family taken together."""
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in run.folder.failures():
        at = (row["policy"], row["family"], row.get("message") or "no message")
        entry = groups.setdefault(at, {"policy": at[0], "family": at[1], "message": at[2], "cells": 0, "trace": ""})
        entry["cells"] += 1
        entry["trace"] = entry["trace"] or row.get("traceback") or ""
    return list(groups.values())


def _tiles(
    run: Run, table: pd.DataFrame, summaries: Sequence[Summary], families: Sequence[str], policies: Sequence[str]
) -> list[tuple[str, str, str]]:
    """The figures at the head of the page: (number, what it counts, a class)."""
    good = table[table["status"] == "ok"]
    certified = int((good["bound_grade"] == "certified").sum())
    exact = int((good["ratio_low"] == good["ratio_high"]).sum())
    broken = sum(s.broken for s in summaries)
    told = [
        (f"{len(policies)}", "policies", ""),
        (f"{len(families)}", "families", ""),
        (f"{table['instance'].nunique():,}", "instances", ""),
        (f"{run.cells:,}", "cells run", ""),
        (f"{run.failed:,}", "cells failed", "bad" if run.failed else "good"),
        (f"{_percent(certified, len(good))}", "of rows with a certified bound", ""),
        (f"{_percent(exact, len(good))}", "of rows with an exact ratio", ""),
        (f"{broken}", "ratios proven above a guarantee that holds", "bad" if broken else "good"),
    ]
    return told


def _percent(part: int, whole: int) -> str:
    if not whole:
        return "–"
    # 100% is kept for all of them.
    return "100%" if part == whole else f"{100 * part // whole}%"
