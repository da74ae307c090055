"""Workloads of the serving model: arrival processes, laws of lengths, and recorded traces.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "ARRIVAL_KINDS": "renewal",
    "FromFunction": "lengths",
    "Independent": "lengths",
    "Lengths": "lengths",
    "PiecewiseRate": "varying",
    "Sinusoid": "varying",
    "Table": "lengths",
    "VaryingRate": "varying",
    "Workload": "load",
    "arrivals": "renewal",
    "from_trace": "replay",
    "workload": "catalogue",
    "workload_names": "catalogue",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'instances.workloads' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"instances.workloads.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
