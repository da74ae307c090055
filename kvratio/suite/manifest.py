"""What a run was made of: suite, versions, machine, sources and data, so that another can make it again."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import kvratio
from kvratio.problem.errors import KvratioError
from kvratio.suite.identity import PACKAGES, file_hash, package_hash
from kvratio.suite.plan import Suite

LIBRARIES = (
    *("numpy", "numba", "scipy", "pandas", "pyarrow", "pulp", "highspy", "joblib", "matplotlib", "rich", "typer"),
    *("dask", "distributed"),
)


def versions() -> dict[str, str]:
    """Versions of Python, kvratio and the libraries that results may depend on."""
    found = {"python": platform.python_version(), "kvratio": kvratio.__version__}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = "missing"
    return found


def machine() -> dict[str, Any]:
    """The machine: processor, cores this process may use, memory in bytes, operating system."""
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "memory_bytes": memory, "system": platform.platform()}


def manifest(
    suite: Suite,
    begun: datetime.datetime,
    seconds: float,
    counts: dict[str, int],
    plugins: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Everything a reader needs to judge and repeat a run, as JSON-able data.

    ``plugins`` are the entries of the user's files that the run folder keeps (`kvratio.suite.plugin_store`).
    """
    return {
        "kind": "kvratio run",
        "suite": suite.to_dict(),
        "suite_sha256": suite.digest,
        "read_from": suite.source,
        "begun": begun.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "cells": counts,
        "versions": versions(),
        "machine": machine(),
        "sources_sha256": {package: package_hash(package) for package in PACKAGES},
        "data_sha256": data_hashes(suite),
        **({"plugins": plugins} if plugins else {}),
    }


def data_hashes(suite: Suite) -> dict[str, str]:
    """Hash of every trace file that the suite reads."""
    found = {}
    for family in suite.families:
        if family.kind != "trace":
            continue
        from instances.traces.locate import find_trace

        try:
            path = Path(find_trace(family.id))
        except KvratioError as fault:
            found[family.id] = f"not found: {fault}"
            continue
        found[family.id] = file_hash(path) if path.is_file() else "a folder"
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
