"""Request traces: loaders of the published formats, where they are found, and generators fitted to them.

The names are loaded on first use, so that a generator does not pay for the network code.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "FITTED": ".fitted",
    "FORMATS": ".formats",
    "TRACES_VARIABLE": ".locate",
    "Fetched": ".download",
    "Fitted": ".fitted",
    "LocalTrace": ".locate",
    "Source": ".sources",
    "TraceFormat": ".formats",
    "TraceWarning": ".loader",
    "fetch": ".download",
    "file_hash": ".download",
    "find_trace": ".locate",
    "format_ids": ".formats",
    "info": ".sources",
    "list_sources": ".sources",
    "stream_requests": ".stream",
    "stream_trace": ".stream",
    "load_trace": ".loader",
    "local_traces": ".locate",
    "traces_folder": ".locate",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
