"""The table of a study: a line for each point, and the same numbers unrounded for programs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from kvratio.suite import numerals
from kvratio.suite.interval import Interval
from kvratio.suite.studies.study import Study
from kvratio.suite.tables import Column, Section, Table


def study_table(study: Study, points: pd.DataFrame) -> Table:
    """Return one section for each panel, one row for each policy and x."""
    extra = dict(study.extra or {})
    heads = ("policy", study.axis, "mean ratio", "worst ratio", "evict/req", *extra.values())
    columns = tuple(Column(head, "left" if head == "policy" else "right") for head in heads)
    sections = []
    for panel, group in points.groupby("panel", sort=False):
        rows = [_row(line, tuple(extra)) for line in group.to_dict("records")]
        sections.append(Section(str(panel), tuple(rows)))
    return Table(f"study_{study.name}", study.title, columns, tuple(sections), study.notes)


def _row(line: Mapping[Hashable, Any], extra: tuple[str, ...]) -> tuple[str, ...]:
    number = {str(name): float(value) for name, value in line.items() if isinstance(value, (int, float))}
    return (
        str(line["policy"]),
        numerals.plain(number["x"]),
        _interval(number["low"], number["high"]),
        _interval(number["worst_low"], number["worst_high"]),
        numerals.plain(number["evictions"]),
        *(numerals.NOTHING if math.isnan(number[name]) else numerals.plain(number[name]) for name in extra),
    )


def _interval(low: float, high: float) -> str:
    return numerals.interval(Interval(None if math.isnan(low) else low, high))


def numbers(points: pd.DataFrame) -> str:
    """Return the points as CSV, unrounded."""
    return points.to_csv(index=False, lineterminator="\n")
