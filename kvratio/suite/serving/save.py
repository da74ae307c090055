"""Writing a sweep into a folder: tables as CSV and Parquet, figures, and what it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kvratio import __version__
from kvratio.suite.plots import save_figure
from kvratio.suite.serving.figures import rate_figure
from kvratio.suite.serving.hardware import Hardware
from kvratio.suite.serving.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd


def save_tables(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write every table that has rows as ``<name>.csv`` and ``<name>.parquet``; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        if table.empty:
            continue
        for ending in ("csv", "parquet"):
            path = folder / f"{name}.{ending}"
            _ = table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path, index=False)
            written.append(path)
    return written


def save_sweep(found: Sweep, folder: str | Path, title: str = "") -> list[Path]:
    """Write the tables, the figures of latency and throughput against rate, and ``sweep.json``; return the paths."""
    folder = Path(folder)
    written = save_tables({"cells": found.cells, "table": found.table, "paired": found.paired}, folder)
    heading = title or f"{found.load.name}, {found.hardware.name or 'own clock'}"
    if (found.table["status"] == "ok").any():
        for stem, metrics in (
            ("latency", ("latency_mean", "latency_p99")),
            ("service", ("ttft_mean", "effective_throughput")),
        ):
            figure = rate_figure(found.table, metrics, heading, found.fluid_limit)
            written += save_figure(figure, folder / stem)
    path = folder / "sweep.json"
    path.write_text(json.dumps(about(found), indent=1) + "\n")
    return [*written, path]


def about(found: Sweep) -> dict[str, Any]:
    """Return what a sweep was made from, as plain data."""
    return {
        "kvratio": __version__,
        "workload": found.load.name,
        "arrivals": found.load.kind,
        "hardware": machine(found.hardware),
        "policies": [{"call": p.call, "eviction": p.eviction} for p in found.policies],
        "rates": list(found.rates),
        "replications": found.replications,
        "requests": found.requests,
        "seed": found.seed,
        "tuning": found.tuning,
        "fluid_limit": found.fluid_limit,
    }


def machine(hardware: Hardware) -> dict[str, Any]:
    """Return a worker as plain data."""
    return {
        "preset": hardware.name or None,
        "clock": repr(hardware.clock),
        "memory": hardware.memory,
        "block": hardware.block,
    }
