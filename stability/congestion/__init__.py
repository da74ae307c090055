"""Congestion dynamics: what greedy admission and evictions that lose the work do to one worker, iteration by iteration.

The model is that of arXiv 2606.15555: classes with an input, a decode length and a share; the least progressed are
evicted when memory overflows, and start again. The names are loaded on first use.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "stage_weights": ".stages",
    "survival": ".stages",
    "Trajectory": ".trajectory",
    "simulate": ".trajectory",
    "roots": ".spectrum",
    "spectral_radius": ".spectrum",
    "unstable_modes": ".spectrum",
    "equilibrium_rate": ".rates",
    "worst_rate": ".rates",
    "pulse_rate": ".rates",
    "pulse_radius": ".rates",
    "min_prompt": ".threshold",
    "min_prompt_law": ".threshold",
    "Diagnosis": ".diagnosis",
    "diagnose": ".diagnosis",
    "BalancedCycle": ".balanced",
    "balanced_cycle": ".balanced",
    "balanced_cycles": ".balanced",
    "Cycle": ".cycles",
    "find_cycle": ".cycles",
    "steps_to_worst_cycle": ".cycles",
    "Accounts": ".accounting",
    "accounts": ".accounting",
    "ClassTrajectory": ".full_state",
    "simulate_classes": ".full_state",
    "draw_shares": ".full_state",
    "simulate_exact": ".rational",
    "Plan": ".routing",
    "route": ".routing",
    "PlanRun": ".plan_run",
    "simulate_plan": ".plan_run",
    "widen": ".spread",
    "widening": ".spread",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
