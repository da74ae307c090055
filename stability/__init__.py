"""Theory of one worker: the fluid model, its thresholds, and when a load is stable.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

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

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
