"""Holding the theory against a real decoder model: replay of schedules, calibration of the clock, comparison.

Importing this package, and all of its planning, needs neither torch nor transformers; what runs a model asks for them
and says in one line what to install.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "Timeline": "gpu_validate.timeline",
    "Replay": "gpu_validate.replay",
    "replay": "gpu_validate.replay",
    "Executor": "gpu_validate.executor",
    "ModelShape": "gpu_validate.shapes",
    "load_model": "gpu_validate.weights",
    "calibrate": "gpu_validate.calibrate",
    "conduct": "gpu_validate.conduct",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
