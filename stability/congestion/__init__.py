"""Congestion dynamics: what greedy admission and evictions that lose the work do to one worker, iteration by iteration.

The model is that of arXiv 2606.15555: classes with an input, a decode length and a share; the least progressed are
evicted when memory overflows, and start again. The names are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "stage_weights": "stability.congestion.stages",
    "survival": "stability.congestion.stages",
    "Trajectory": "stability.congestion.trajectory",
    "simulate": "stability.congestion.trajectory",
    "roots": "stability.congestion.spectrum",
    "spectral_radius": "stability.congestion.spectrum",
    "unstable_modes": "stability.congestion.spectrum",
    "equilibrium_rate": "stability.congestion.rates",
    "worst_rate": "stability.congestion.rates",
    "pulse_rate": "stability.congestion.rates",
    "pulse_radius": "stability.congestion.rates",
    "min_prompt": "stability.congestion.threshold",
    "min_prompt_law": "stability.congestion.threshold",
    "Diagnosis": "stability.congestion.diagnosis",
    "diagnose": "stability.congestion.diagnosis",
    "BalancedCycle": "stability.congestion.balanced",
    "balanced_cycle": "stability.congestion.balanced",
    "balanced_cycles": "stability.congestion.balanced",
    "Cycle": "stability.congestion.cycles",
    "find_cycle": "stability.congestion.cycles",
    "steps_to_worst_cycle": "stability.congestion.cycles",
    "Accounts": "stability.congestion.accounting",
    "accounts": "stability.congestion.accounting",
    "ClassTrajectory": "stability.congestion.full_state",
    "simulate_classes": "stability.congestion.full_state",
    "draw_shares": "stability.congestion.full_state",
    "simulate_exact": "stability.congestion.rational",
    "Plan": "stability.congestion.routing",
    "route": "stability.congestion.routing",
    "PlanRun": "stability.congestion.plan_run",
    "simulate_plan": "stability.congestion.plan_run",
    "widen": "stability.congestion.spread",
    "widening": "stability.congestion.spread",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stability.congestion' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
