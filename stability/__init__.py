"""Theory of one worker: the fluid model, its thresholds, and when a load is stable.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

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

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stability' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
