"""Request traces: loaders of the published formats, where they are found, and generators fitted to them.

The names are loaded on first use, so that a generator does not pay for the network code.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "FITTED": "fitted",
    "FORMATS": "formats",
    "TRACES_VARIABLE": "locate",
    "Fetched": "download",
    "Fitted": "fitted",
    "LocalTrace": "locate",
    "Source": "sources",
    "TraceFormat": "formats",
    "TraceWarning": "loader",
    "fetch": "download",
    "file_hash": "download",
    "find_trace": "locate",
    "format_ids": "formats",
    "info": "sources",
    "list_sources": "sources",
    "load_trace": "loader",
    "local_traces": "locate",
    "traces_folder": "locate",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'instances.traces' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"instances.traces.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
