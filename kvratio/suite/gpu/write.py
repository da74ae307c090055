"""Writing what a comparison says: tables as LaTeX, Markdown and CSV, a CSV of all numbers, figures."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_validate.judgement import judge
from kvratio.suite.gpu.figures import clock_figure, latency_figure
from kvratio.suite.gpu.tables import all_tables, published
from kvratio.suite.plots import save_figure
from kvratio.suite.render import write_tables


def write_report(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``tables/``, ``figures/`` and ``comparison.csv`` into a folder; return the paths of figures and CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(all_tables(results), folder / "tables")
    written = [_numbers(results, folder / "comparison.csv")]
    for name, model in results["models"].items():
        title = f"{model['name']} on {results['about']['name']}"
        if model["rows"]:
            written += save_figure(latency_figure(model, title), folder / "figures" / f"latency_{name}")
        if "calibration" in model:
            written += save_figure(clock_figure(model, title), folder / "figures" / f"clock_{name}")
    return written


def _numbers(results: Mapping[str, Any], path: Path) -> Path:
    """All columns of the comparison, unrounded, one row per model, instance and policy."""
    rows = [{"model": name} | row for name, model in results["models"].items() for row in judge(model)]
    names = list(rows[0]) if rows else ["model"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"guarantee": published(row["guarantee"])})
    return path
