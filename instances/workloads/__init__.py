"""Workloads of the serving model: arrival processes, laws of lengths, and recorded traces.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "ARRIVAL_KINDS": ".renewal",
    "FromFunction": ".lengths",
    "Independent": ".lengths",
    "Lengths": ".lengths",
    "PiecewiseRate": ".varying",
    "Sinusoid": ".varying",
    "Table": ".lengths",
    "VaryingRate": ".varying",
    "Workload": ".load",
    "arrivals": ".renewal",
    "from_trace": ".replay",
    "workload": ".catalogue",
    "workload_names": ".catalogue",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
