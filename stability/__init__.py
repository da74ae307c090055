"""Theory of one worker: the fluid model, its thresholds, and when a load is stable.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

from kvratio.lazy import loaded_on_use

_HOMES = {
    "Equilibrium": "stability.fluid",
    "equilibrium": "stability.fluid",
    "region": "stability.fluid",
    "Condition": "stability.conditions",
    "NoThresholds": "stability.conditions",
    "Segments": "stability.segments",
    "segments": "stability.segments",
    "thresholds_wait": "stability.thresholds",
    "thresholds_nested": "stability.thresholds",
    "theta": "stability.buffer",
    "safety_buffer": "stability.buffer",
    "caps_from_tokens": "stability.caps",
    "caps_for_load": "stability.caps",
    "latency_wait": "stability.latency",
    "latency_nested": "stability.latency",
}

#: parts of the theory that are named as a whole: ``stability.slots.simulate``
_MODULES = ("capacity", "congestion", "fluid", "integer", "open_arrivals", "slots")

__all__ = list(_HOMES)
_load, __dir__ = loaded_on_use(__name__, _HOMES, _MODULES)


def __getattr__(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}") if name in _MODULES else _load(name)
